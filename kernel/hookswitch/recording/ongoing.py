"""One recording: its ears, who is on which channel, and how it ends."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from hookswitch.errors import Conflict, OperationFailed
from hookswitch.events.media import (
    Channel,
    RecordingFinished,
    RecordingPaused,
    RecordingResumed,
    RecordingStarted,
)
from hookswitch.media.plane import MediaPlane, RingPort
from hookswitch.mixer.bank import PortReport
from hookswitch.mixer.commands import Connect, Disconnect
from hookswitch.mixer.topology import CommandError
from hookswitch.rooms.place import Place

from .client import Recorder, Told
from .context import context_of
from .messages import Begun, ChannelEnded, Finished, Format, Record
from .messages import Channel as EarChannel

_T = TypeVar("_T")

BEGIN_WITHIN = 5.0
"""Seconds that the recorder is given to make a file. If it takes longer (the disk is slow, or it is
just started again), what comes of it is told when it is over."""

FINISH_WITHIN = 5.0
"""Seconds an answer waits for a file to be complete; a long one that is encoded may take longer."""


class Recording:
    """Something that is being recorded.

    ``channels`` names those of the file in order; ``multi_channel_file`` is where a second file
    with a channel for each participant goes, if one is wanted.
    """

    def __init__(
        self,
        place: Place,
        file: Path,
        file_format: Format,
        multi_channel_file: Path | None,
        media: MediaPlane,
        recorder: Recorder,
        on_end: Callable[[Recording, Finished], Awaitable[None]],
    ) -> None:
        self.id = str(uuid.uuid4())
        self.place, self.file, self.multi_channel_file = place, file, multi_channel_file
        self.paused = False
        self.finished: asyncio.Future[Finished] = asyncio.get_running_loop().create_future()
        self._format: Format = file_format
        self._media, self._recorder, self._on_end = media, recorder, on_end
        self._ears: list[RingPort] = []
        self._guests: dict[str, tuple[str, str]] = {}
        """Participant -> its ear, and its own port."""
        self._guest_ears: dict[str, RingPort] = {}
        """Those the recorder does not know yet."""
        self._leaving: dict[str, asyncio.Event] = {}
        self._here: set[str] = set()
        """Participants that are there, or come while their ear is being opened."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._joined = 0
        self._numbers: dict[str, int] = {}
        """The channels participants have in the file; who comes again has the same one."""
        self._omitted: list[str] = []
        self._stopping = asyncio.Event()
        self._begun = False
        """Whether the recorder knows of it: it will tell of the end."""
        self._over = False
        self._made: asyncio.Future[Finished | None] = asyncio.get_running_loop().create_future()
        """Whether there is a file: None if so, else why not."""
        self._started = False
        """Whether that was told."""

    @property
    def files(self) -> list[Path]:
        """All it makes."""
        return [file for file in (self.file, self.multi_channel_file) if file is not None]

    @property
    def begun(self) -> bool:
        """Whether the recorder knows of it."""
        return self._begun

    @property
    def started(self) -> bool:
        """Whether that was told: there is something to pause, and something comes of it."""
        return self._started

    async def unless_stopped(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Do what comes before the start, until that is not wanted any more.

        Raises Conflict then, and whatever the work raises.
        """
        working = asyncio.ensure_future(work)
        stopped = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait((working, stopped), return_when=asyncio.FIRST_COMPLETED)
            self._check_wanted()
            return await working
        finally:
            for task in (working, stopped):
                task.cancel()
            await asyncio.gather(working, stopped, return_exceptions=True)

    async def start(self) -> None:
        """Open the ears and have the recorder begin. Raises Conflict, OperationFailed."""
        self._check_wanted()
        rate = self.place.record_rate()
        heard_at = min(rate, self.place.heard_rate())
        name = f"recording-{self.id}"
        try:
            self._ears = await self.place.open_ears(name, heard_at, self._on_report)
        except CommandError as error:
            raise Conflict(str(error)) from None
        try:
            self._check_wanted()
            if self.multi_channel_file is not None:
                for participant, port in self.place.participants().items():
                    await self._open_channel(participant, port)
                self._check_wanted()
        except Conflict:
            await self._close_all()
            raise
        channels = tuple(
            EarChannel(name, ear.shape, ear.row)
            for name, ear in zip(self.place.channels, self._ears, strict=True)
        )
        message = Record(
            self.id,
            self.file,
            self._format,
            rate,
            channels,
            self.multi_channel_file,
            context_of(self.place),
        )
        self._recorder.record(message, self._ears, self._on_told)
        self._begun = True
        for participant in list(self._guests):
            self._add(participant)
            if participant in self._leaving:  # meanwhile
                self._recorder.end_channel(self.id, participant)
        with suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(self._made), BEGIN_WITHIN)
        if self._made.done() and (told := self._made.result()) is not None:
            raise OperationFailed(f"RECORDING_DIR: {told.file.name} cannot be made: {told.error}")
        self._start()

    async def join(self, participant: str, port: str) -> None:
        """Give a participant its channel, if this recording has them and goes on."""
        if self.multi_channel_file is None or not self._begun or self._stopping.is_set():
            return
        if await self._open_channel(participant, port):
            self._add(participant)

    async def _open_channel(self, participant: str, port: str) -> bool:
        """Open a participant's ear; answers whether there is a new one."""
        if participant in self._here:
            return False
        self._here.add(participant)
        if (leaving := self._leaving.get(participant)) is not None:
            await leaving.wait()  # it is back before its last sound was written
        self._joined += 1
        name = f"recording-{self.id}-{self._joined}"
        rate = self._ears[0].spec.rate
        try:
            (ear,) = await self._media.open_ears(
                [name], rate, self._on_report, Connect(port, name), near=port
            )
        except CommandError:
            if participant in self._here:
                self._here.remove(participant)
                self._omitted.append(participant)
            return False
        if self._over or participant not in self._here:  # meanwhile
            await self._close(name)
            return False
        self._guests[participant] = name, port
        self._guest_ears[participant] = ear
        return True

    def _add(self, participant: str) -> None:
        self._numbers.setdefault(participant, len(self._numbers))  # as the recorder counts them
        self._recorder.add_channel(self.id, participant, self._guest_ears.pop(participant))

    async def leave(self, participant: str) -> None:
        """A participant is gone; its ear is closed when all of it is written."""
        self._here.discard(participant)
        if participant not in self._guests or participant in self._leaving:
            return
        ear, port = self._guests[participant]
        self._leaving[participant] = asyncio.Event()
        with suppress(CommandError):  # with the port, what connected it has gone
            await self._media.apply_to(ear, Disconnect(port, ear))
        self._recorder.end_channel(self.id, participant)

    def pause(self) -> bool:
        """Record silence from now on; answers whether that is new."""
        if self.paused:
            return False
        self.paused = True
        self._recorder.pause(self.id, self._ears[0].heard())
        self.place.emit(RecordingPaused, **self._files())
        return True

    def resume(self) -> bool:
        """Record sound again; answers whether that is new."""
        if not self.paused:
            return False
        self.paused = False
        self._recorder.resume(self.id, self._ears[0].heard())
        self.place.emit(RecordingResumed, **self._files())
        return True

    async def stop(self, within: float = FINISH_WITHIN) -> Finished | None:
        """End it; answers what came of it, or None when that is still being written.

        One that has not begun does not, and nothing comes of it.
        """
        self.begin_stop()
        if not self._begun:
            return None
        with suppress(TimeoutError):
            return await asyncio.wait_for(asyncio.shield(self.finished), within)
        return None

    def begin_stop(self) -> None:
        """End it, without waiting for the file."""
        if not self._stopping.is_set():
            self._stopping.set()
            self._recorder.finish(self.id)  # before it has begun, `start` looks again

    # -- what is told

    def _on_report(self, report: PortReport) -> None:
        if report.kind == "closed":
            self.begin_stop()

    def _start(self) -> None:
        if not self._started:
            self._started = True
            self.place.emit(RecordingStarted, **self._files())

    def _on_told(self, told: Told) -> None:
        if isinstance(told, Begun):
            self._start()  # at once: what comes next may be the end
            if not self._made.done():
                self._made.set_result(None)
            return
        work = self._channel_ended(told) if isinstance(told, ChannelEnded) else self._ended(told)
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _channel_ended(self, told: ChannelEnded) -> None:
        if (guest := self._guests.pop(told.name, None)) is not None:
            await self._close(guest[0])
        if (leaving := self._leaving.pop(told.name, None)) is not None:
            leaving.set()

    async def _ended(self, told: Finished) -> None:
        self._stopping.set()
        self._over = True
        await self._close_all()
        for leaving in self._leaving.values():
            leaving.set()
        if self._started:
            fields = finished_fields(told) | {"omitted_legs": self._omitted_legs}
            self.place.emit(RecordingFinished, **fields)
        try:
            await self._on_end(self, told)
        finally:  # whatever became of its storing, nobody waits for it any longer
            self.finished.set_result(told)
            if not self._made.done():
                self._made.set_result(told)

    def _check_wanted(self) -> None:
        if self._stopping.is_set():
            raise Conflict("the recording was ended before it began")

    async def _close_all(self) -> None:
        for ear in self._ears:
            await self._close(ear.spec.id)
        for port, _ in self._guests.values():
            await self._close(port)
        self._guests.clear()

    async def _close(self, port: str) -> None:
        with suppress(CommandError):
            await self._media.close_port(port)

    def _files(self) -> dict[str, object]:
        if self.multi_channel_file is None:
            return {"file": str(self.file)}
        return {
            "file": str(self.file),
            "multi_channel_file": str(self.multi_channel_file),
            "channels": {name: Channel(number) for name, number in self._numbers.items()},
            "omitted_legs": self._omitted_legs,
        }

    @property
    def _omitted_legs(self) -> tuple[str, ...] | None:
        """Who never had a channel; None if nobody."""
        return tuple(one for one in self._omitted if one not in self._numbers) or None


def finished_fields(told: Finished) -> dict[str, Any]:
    """What `RecordingFinished` says of a recording's end."""
    fields: dict[str, Any] = {
        "file": str(told.file),
        "duration_ms": told.duration_ms,
        "error": told.error,
        "recovered": told.recovered or None,
    }
    if told.multi_channel_file is not None:
        fields["multi_channel_file"] = str(told.multi_channel_file)
        fields["channels"] = {
            name: Channel(span.channel, span.start_ms, span.end_ms)
            for name, span in told.channels.items()
        }
    return fields
