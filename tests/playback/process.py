"""A player as the process it is, and this end of its link."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from hookswitch.media import link
from hookswitch.playback.marks import allocate
from hookswitch.playback.messages import (
    Play,
    PlayEnded,
    PlayerConfig,
    PlayerPulse,
    PlayFailed,
    StopPlaying,
    ToneSource,
    UrlSource,
)

from .listener import Listener

TARGET = "hookswitch.playback.player.worker:main"


class PlayerProcess:
    """Started at once; ``said`` is all it said but its pulses."""

    def __init__(self, config: PlayerConfig) -> None:
        self.end, theirs = link.pair()
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "hookswitch.media.process", TARGET, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
            )
        self.said: list[Any] = []
        self.pulses: list[PlayerPulse] = []
        marks = allocate()
        link.send(self.end, config, [marks])
        os.close(marks)

    def __enter__(self) -> PlayerProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.end.close()
        assert self.process.wait(10) == 0

    def play(
        self, name: str, source: UrlSource | ToneSource, to: Listener, row: int = 0, repeat: int = 1
    ) -> None:
        """Have a source played into a row."""
        link.send(self.end, Play(name, source, repeat, to.shape, row), [to.fd])

    def stop(self, name: str) -> None:
        """Have a playback stopped."""
        link.send(self.end, StopPlaying(name))

    def read(self) -> None:
        """Read what it has said."""
        try:
            while True:
                message, fds = link.receive(self.end)
                assert fds == []
                self._take(message)
        except BlockingIOError:
            return

    def has_said(self, message: object) -> Callable[[], bool]:
        """A condition: it said this."""

        def said() -> bool:
            self.read()
            return message in self.said

        return said

    def is_over(self, name: str) -> Callable[[], bool]:
        """A condition: a playback ended, or failed."""

        def over() -> bool:
            self.read()
            return any(isinstance(m, PlayEnded | PlayFailed) and m.id == name for m in self.said)

        return over

    def plays(self, count: int) -> Callable[[], bool]:
        """A condition: its next pulse says so many playbacks."""
        before = len(self.pulses)
        return lambda: any(pulse.playing == count for pulse in self.pulses[before:])

    def until(self, condition: Callable[[], bool], patience: float = 10) -> None:
        """Read until a condition holds."""
        give_up = time.monotonic() + patience
        while not condition():
            assert time.monotonic() < give_up, "it does not happen"
            self.read()
            time.sleep(0.005)

    def threads(self) -> int:
        """Threads of the process."""
        return len(os.listdir(f"/proc/{self.process.pid}/task"))

    def files(self) -> int:
        """Descriptors of the process."""
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def maps(self, name: str) -> int:
        """How often an arena is mapped."""
        with open(f"/proc/{self.process.pid}/maps") as maps:
            return sum(f"hookswitch-{name}" in line for line in maps)

    def memory_mb(self) -> float:
        """Resident, in megabytes."""
        with open(f"/proc/{self.process.pid}/status") as status:
            line = next(line for line in status if line.startswith("VmRSS"))
        return int(line.split()[1]) / 1024

    def _take(self, message: object) -> None:
        if isinstance(message, PlayerPulse):
            self.pulses.append(message)
        else:
            self.said.append(message)
