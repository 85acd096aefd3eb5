"""The player as the control process sees it: started by when it is needed, and again if it dies.

What plays is kept here, so that a new player goes on where the old one was. A file that was being
decoded when the player died is a suspect. The next player is given the suspects last, and one by
one, so that it dies of one at a time: it is the one that was there both times, and is given up.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hookswitch.media.plane import RingPort
from hookswitch.media.supervisor import Worker, WorkerSpec

from .marks import NOBODY, SLOTS, Mark, Marks, allocate
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

log = logging.getLogger(__name__)

TARGET = "hookswitch.playback.player.worker:main"

DEATHS = 2
"""So often may the player die while it decodes a file."""

MOST_DEATHS = 4
"""So often, if another file was always there too."""

TRIAL = 1.0
"""Seconds until the next suspect is given to the player, if nothing is heard of the one before."""

GIVEN_UP_FOR = 300.0
"""Seconds for which such a file is not tried again: each trial costs all others a player."""


@dataclass(frozen=True, slots=True)
class _Playing:
    message: Play
    fd: int
    mark: Mark
    on_told: Callable[[Told], None]


class Player:
    """Plays sources into rings."""

    def __init__(self, config: PlayerConfig) -> None:
        self._config = config
        self._playing: dict[str, _Playing] = {}
        self._worker: Worker | None = None
        self._marks: Marks | None = None
        self._slots = _Slots()
        self._deaths: Counter[Source] = Counter()
        """How often the player died while it decoded what is played now."""
        self._given_up: dict[Source, float] = {}
        """Until when."""
        self._suspects: deque[str] = deque()
        """Playbacks the new player has not been given yet."""
        self._on_trial: str | None = None
        self._next_trial: asyncio.TimerHandle | None = None

    def play(
        self,
        playback: str,
        source: Source,
        repeat: int,
        ring: RingPort,
        on_told: Callable[[Told], None],
    ) -> None:
        """Begin; ``on_told`` hears how it goes, until it ended, failed or was stopped."""
        if self._given_up.get(source, 0.0) > time.monotonic():
            asyncio.get_running_loop().call_soon(on_told, _deadly(playback))
            return
        self.start()
        assert self._worker is not None
        assert self._marks is not None
        slot = self._slots.take()
        message = Play(playback, source, repeat, ring.shape, ring.row, slot)
        playing = _Playing(message, ring.fd, self._marks.of(slot), on_told)
        self._playing[playback] = playing
        self._worker.send(playing.message, [playing.fd])

    def start(self) -> None:
        """Start the process, if it does not run: the first prompt need not wait for it then."""
        if self._worker is None:
            self._marks = Marks(allocate())
            self._worker = Worker(
                WorkerSpec("player", TARGET),
                on_start=self._begin,
                on_message=self._hear,
                on_death=self._mourn,
            )
            self._worker.start()

    def stop_playing(self, playback: str) -> None:
        """End what plays; one that has ended is no error."""
        if self._forget(playback) and self._worker is not None:
            self._worker.send(StopPlaying(playback))
            self._acquit(playback)

    async def stop(self) -> None:
        """End the process."""
        self._playing.clear()
        self._suspects.clear()
        self._acquit(self._on_trial)
        if self._worker is not None:
            await self._worker.stop()
        if self._marks is not None:
            self._marks.close()
            self._marks = None

    def _begin(self) -> None:
        assert self._worker is not None
        assert self._marks is not None
        self._worker.send(self._config, [self._marks.fd])
        self._suspects.clear()
        for playback, playing in self._playing.items():
            if self._deaths[playing.message.source]:
                self._suspects.append(playback)
            else:
                self._worker.send(playing.message, [playing.fd])
        self._try_next()

    def _try_next(self) -> None:
        """Give the player the next suspect, if there is one."""
        if self._next_trial is not None:
            self._next_trial.cancel()
        self._on_trial = self._next_trial = None
        while self._suspects and self._on_trial is None:
            playing = self._playing.get(self._suspects.popleft())
            if playing is not None and self._worker is not None:
                self._on_trial = playing.message.id
                self._worker.send(playing.message, [playing.fd])
                loop = asyncio.get_running_loop()
                self._next_trial = loop.call_later(TRIAL, self._try_next)

    def _acquit(self, playback: str | None) -> None:
        """The player lives on: it did not die of the beginning of this one."""
        if playback is not None and playback == self._on_trial:
            self._try_next()

    def _hear(self, message: Any, fds: list[int]) -> None:
        if not isinstance(message, Told):
            return
        playing = self._playing.get(message.id)
        if playing is None:
            return
        if not isinstance(message, PlayStarted):
            self._forget(message.id)
        playing.on_told(message)
        self._acquit(message.id)

    def _mourn(self) -> None:
        """The player died: count it against what it was decoding."""
        if self._next_trial is not None:
            self._next_trial.cancel()
            self._next_trial = None
        there = {one.message.source for one in self._playing.values() if one.mark.is_set}
        for one in self._playing.values():
            one.mark.clear()
        self._deaths.update(there)
        if not there or (most := max(self._deaths[source] for source in there)) < DEATHS:
            return
        worst = [source for source in there if self._deaths[source] == most]
        if len(worst) == 1 or most >= MOST_DEATHS:
            self._deaths.clear()  # it is known now whose deaths they were
            for source in worst:
                self._give_up(source)

    def _give_up(self, source: Source) -> None:
        now = time.monotonic()
        self._given_up = {one: until for one, until in self._given_up.items() if until > now}
        self._given_up[source] = now + GIVEN_UP_FOR
        for playback, playing in list(self._playing.items()):
            if playing.message.source == source:
                log.error("playback %s is given up: the player died of it", playback)
                self._forget(playback)
                playing.on_told(_deadly(playback))

    def _forget(self, playback: str) -> bool:
        """Whether it was playing. What nobody plays any more starts anew the next time."""
        playing = self._playing.pop(playback, None)
        if playing is None:
            return False
        self._slots.give_back(playing.message.slot)
        source = playing.message.source
        if source in self._deaths:
            others = (one.message.source for one in self._playing.values())
            if source not in others:
                del self._deaths[source]
        return True


class _Slots:
    """Numbers of marks; when all are taken there is `NOBODY`."""

    def __init__(self) -> None:
        self._free: list[int] = []
        self._used = 0

    def take(self) -> int:
        """One that nobody has."""
        if self._free:
            return self._free.pop()
        if self._used == SLOTS:
            return NOBODY
        self._used += 1
        return self._used - 1

    def give_back(self, slot: int) -> None:
        """One that is used no more."""
        if slot != NOBODY:
            self._free.append(slot)


def _deadly(playback: str) -> PlayFailed:
    return PlayFailed(
        playback,
        "the player died of this file, again and again: it is damaged in a way the decoder cannot "
        f"bear, and is not tried again for {GIVEN_UP_FOR:.0f} seconds; convert it, or play another",
    )
