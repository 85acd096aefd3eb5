"""One playback: its port, its place, and how it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from contextlib import suppress

from hookswitch.errors import Conflict
from hookswitch.events.media import PlaybackFailed, PlaybackFinished, PlaybackStarted
from hookswitch.media.plane import MediaPlane, RingPort
from hookswitch.mixer.bank import PortReport
from hookswitch.mixer.commands import Command, SetPort, SignalPort, StopOn
from hookswitch.mixer.topology import CommandError
from hookswitch.rooms.place import Place

from .client import Player, Source, Told
from .messages import PlayFailed, PlayStarted

DB_PER_STEP = 3.0
"""What one step of ``volume`` is worth."""

FADE_WITHIN = 0.5
"""Seconds that a stopped playback is given to fade out; a tick is enough unless a worker died."""

REST = 2.0
"""Seconds after which no player writes to a ring any more."""


class Playback:
    """Something that is being played. ``stop_on``: kinds of `StopOn` that end it."""

    def __init__(
        self,
        playback_id: str,
        place: Place,
        media: MediaPlane,
        player: Player,
        stop_on: Collection[str],
        on_end: Callable[[Playback], None],
    ) -> None:
        self.id = playback_id
        self.place = place
        self.ended = asyncio.Event()
        self.stop_on = frozenset(stop_on)
        self._media, self._player, self._on_end = media, player, on_end
        self._port = f"playback-{playback_id}"
        self._ring: RingPort | None = None
        self._ending: asyncio.Task[None] | None = None
        self._started = False
        """Whether that was told; a player that is started again tells it anew."""

    async def start(self, source: Source, repeat: int, volume: int) -> None:
        """Open the port and have the player begin.

        Raises Conflict; also when the place went while the port was being opened. Such a playback
        never was: nothing is told of it.
        """
        commands: list[Command] = [SetPort(self._port, gain_db=volume * DB_PER_STEP)]
        if self.stop_on:
            ports = [leg.port for leg in self.place.legs() if leg.port is not None]
            commands += [StopOn(port, self._port, self.stop_on) for port in ports]
        try:
            ring = await self.place.open_voice(
                self._port, self.place.rate(), self._on_report, *commands
            )
        except CommandError as error:
            raise Conflict(str(error)) from None
        if self._is_ending:
            await self._close_port()
            raise Conflict(f"{self.place.id} has just ended")
        self._ring = ring
        self._player.play(self.id, source, repeat, ring, self._on_told)

    async def set_volume(self, volume: int) -> None:
        """Be louder or quieter, within one tick and without a click."""
        with suppress(CommandError):
            await self._media.apply_to(
                self._port, SetPort(self._port, gain_db=volume * DB_PER_STEP)
            )

    async def listen_to(self, port: str) -> None:
        """Somebody has come who may interrupt."""
        if self.stop_on:
            with suppress(CommandError):
                await self._media.apply_to(self._port, StopOn(port, self._port, self.stop_on))

    async def stop(self) -> None:
        """Fade out within a tick, and end."""
        with suppress(CommandError):
            await self._media.apply_to(self._port, SignalPort(self._port, {"stop": "request"}))
        try:
            await asyncio.wait_for(self.ended.wait(), FADE_WITHIN)
        except TimeoutError:
            await self.close()

    async def close(self) -> None:
        """End now: its place is gone, or nobody answers."""
        await self._end(self._finished("stopped"))

    # -- what is told

    def _on_report(self, report: PortReport) -> None:
        if report.kind in ("stopped", "closed"):
            self._begin_end(self._finished("stopped"))

    def _on_told(self, told: Told) -> None:
        if self._is_ending:
            return
        if isinstance(told, PlayStarted):
            if not self._started:
                self._started = True
                self.place.emit(PlaybackStarted, playback_id=self.id)
        elif isinstance(told, PlayFailed):
            error = told.error
            self._begin_end(
                lambda: self.place.emit(PlaybackFailed, playback_id=self.id, error=error)
            )
        else:
            self._begin_end(self._finished("completed"))

    def _finished(self, reason: str) -> Callable[[], None]:
        def emit() -> None:
            self.place.emit(
                PlaybackFinished, playback_id=self.id, reason=reason, played_ms=self._played_ms()
            )

        return emit

    def _played_ms(self) -> int:
        return 0 if self._ring is None else self._ring.played() * 1000 // self._ring.spec.rate

    # -- the end

    @property
    def _is_ending(self) -> bool:
        return self._ending is not None or self.ended.is_set()

    def _begin_end(self, tell: Callable[[], None]) -> None:
        if self._ending is None:
            self._ending = asyncio.get_running_loop().create_task(self._end(tell))

    async def _end(self, tell: Callable[[], None]) -> None:
        if self.ended.is_set():
            return
        self.ended.set()
        self._player.stop_playing(self.id)
        if self._ring is not None:
            tell()
        await self._close_port()
        self._on_end(self)

    async def _close_port(self) -> None:
        with suppress(CommandError):
            await self._media.close_port(self._port, rest=REST)
