"""The recorder as the control process sees it: started when it is first needed, and again if it
dies. What is being recorded is kept here; the rings know how far it has been written.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from hookswitch.media.plane import RingPort
from hookswitch.media.supervisor import Worker, WorkerSpec

from .messages import (
    AddChannel,
    Begun,
    Channel,
    ChannelEnded,
    EndChannel,
    Finish,
    Finished,
    Pause,
    Record,
    RecorderConfig,
    RecorderPulse,
    Resume,
)

Told = Begun | ChannelEnded | Finished
OnTold = Callable[[Told], None]

TARGET = "hookswitch.recording.recorder.worker:main"


@dataclass(slots=True)
class _Ongoing:
    """What a recorder has been told of one recording, with the descriptors beside it."""

    on_told: OnTold
    said: list[tuple[Any, list[int]]] = field(default_factory=list)

    def forget_channel(self, name: str) -> None:
        """Its ring will be another's: a new recorder must not hear of it.

        The participant may have come again since: only its first coming and going are over.
        """
        for kind in (AddChannel, EndChannel):
            for entry in self.said:
                if isinstance(entry[0], kind) and _channel_name(entry[0]) == name:
                    self.said.remove(entry)
                    break


class Recorder:
    """Writes recordings. ``on_recovered`` hears of those a crash had left unfinished."""

    def __init__(self, config: RecorderConfig, on_recovered: OnTold) -> None:
        self._config = config
        self._on_recovered = on_recovered
        self._ongoing: dict[str, _Ongoing] = {}
        self._worker: Worker | None = None
        self._lost, self._lost_before = 0, 0

    @property
    def lost(self) -> int:
        """Samples that did not get into their files, so far."""
        return self._lost_before + self._lost

    @property
    def restarts(self) -> int:
        """How often the process had to be started again."""
        return 0 if self._worker is None else self._worker.restarts

    def start(self) -> None:
        """Start the process, if it does not run."""
        if self._worker is None:
            self._worker = Worker(
                WorkerSpec("recorder", TARGET),
                on_start=self._begin,
                on_message=self._hear,
                on_death=self._died,
            )
            self._worker.start()

    def record(self, message: Record, ears: list[RingPort], on_told: OnTold) -> None:
        """Begin; ``on_told`` hears of that, of channels that ended and, last, of the end."""
        self._ongoing[message.id] = _Ongoing(on_told)
        self.start()
        self._say(message.id, message, [ear.fd for ear in ears])

    def add_channel(self, recording: str, name: str, ear: RingPort) -> None:
        """A participant came."""
        channel = Channel(name, ear.shape, ear.row)
        self._say(recording, AddChannel(recording, channel), [ear.fd])

    def end_channel(self, recording: str, name: str) -> None:
        """A participant left."""
        self._say(recording, EndChannel(recording, name))

    def pause(self, recording: str, at: int) -> None:
        """Silence from here on."""
        self._say(recording, Pause(recording, at))

    def resume(self, recording: str, at: int) -> None:
        """Sound from here on."""
        self._say(recording, Resume(recording, at))

    def finish(self, recording: str) -> None:
        """End it; the last thing said of it is `Finished`."""
        self._say(recording, Finish(recording))

    async def stop(self) -> None:
        """End the process."""
        if self._worker is not None:
            await self._worker.stop()

    def _say(self, recording: str, message: Any, fds: list[int] | None = None) -> None:
        ongoing = self._ongoing.get(recording)
        if ongoing is None or self._worker is None:
            return
        ongoing.said.append((message, fds or []))
        if self._worker.pid is not None:
            self._worker.send(message, fds or [])

    def _begin(self) -> None:
        assert self._worker is not None
        self._worker.send(replace(self._config, ongoing=frozenset(self._ongoing)))
        for ongoing in self._ongoing.values():
            for message, fds in ongoing.said:
                self._worker.send(message, fds)

    def _died(self) -> None:
        """Its successor counts from 0."""
        self._lost, self._lost_before = 0, self.lost

    def _hear(self, message: Any, fds: list[int]) -> None:
        if isinstance(message, RecorderPulse):
            self._lost = message.lost
        if not isinstance(message, Told):
            return
        ongoing = self._ongoing.get(message.id)
        if isinstance(message, Finished):
            self._ongoing.pop(message.id, None)
        elif ongoing is not None and isinstance(message, ChannelEnded):
            ongoing.forget_channel(message.name)
        if ongoing is not None:
            ongoing.on_told(message)
        else:
            self._on_recovered(message)


def _channel_name(message: AddChannel | EndChannel) -> str:
    return message.channel.name if isinstance(message, AddChannel) else message.name
