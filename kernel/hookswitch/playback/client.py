"""The player as the control process sees it: started when it is first needed, and again if it dies.

What plays is kept here, so that a new player goes on where the old one was.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hookswitch.media.plane import RingPort
from hookswitch.media.supervisor import Worker, WorkerSpec

from .messages import (
    Play,
    PlayEnded,
    PlayerConfig,
    PlayFailed,
    PlayStarted,
    StopPlaying,
    ToneSource,
    UrlSource,
)

Source = UrlSource | ToneSource
Told = PlayStarted | PlayEnded | PlayFailed

TARGET = "hookswitch.playback.player.worker:main"


@dataclass(frozen=True, slots=True)
class _Playing:
    message: Play
    fd: int
    on_told: Callable[[Told], None]


class Player:
    """Plays sources into rings."""

    def __init__(self, config: PlayerConfig) -> None:
        self._config = config
        self._playing: dict[str, _Playing] = {}
        self._worker: Worker | None = None

    def play(
        self,
        playback: str,
        source: Source,
        repeat: int,
        ring: RingPort,
        on_told: Callable[[Told], None],
    ) -> None:
        """Begin; ``on_told`` hears how it goes, until it ended, failed or was stopped."""
        message = Play(playback, source, repeat, ring.shape, ring.row)
        playing = self._playing[playback] = _Playing(message, ring.fd, on_told)
        if self._worker is None:
            self._worker = Worker(
                WorkerSpec("player", TARGET), on_start=self._begin, on_message=self._hear
            )
            self._worker.start()
        else:
            self._worker.send(playing.message, [playing.fd])

    def stop_playing(self, playback: str) -> None:
        """End what plays; one that has ended is no error."""
        if self._playing.pop(playback, None) is not None and self._worker is not None:
            self._worker.send(StopPlaying(playback))

    async def stop(self) -> None:
        """End the process."""
        self._playing.clear()
        if self._worker is not None:
            await self._worker.stop()

    def _begin(self) -> None:
        assert self._worker is not None
        self._worker.send(self._config)
        for playing in self._playing.values():
            self._worker.send(playing.message, [playing.fd])

    def _hear(self, message: Any, fds: list[int]) -> None:
        if not isinstance(message, Told):
            return
        playing = self._playing.get(message.id)
        if playing is None:
            return
        if not isinstance(message, PlayStarted):
            del self._playing[message.id]
        playing.on_told(message)
