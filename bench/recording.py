"""What recordings cost the recorder, beside a bare loop that writes the same bytes.

Usage: ``python -m bench.recording [--recordings 500] [--seconds 10]``. A process plays the mixer
and fills the rings of stereo recordings in real time; the recorder is the real one. The *floor*
writes as many bytes to as many files once a second, and does nothing else.
"""

from __future__ import annotations

import argparse
import os
import select
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np

from hookswitch.media import link
from hookswitch.media.plane import EAR_FRAMES
from hookswitch.media.rings import Arena, ArenaShape, allocate
from hookswitch.recording.messages import (
    Channel,
    Finish,
    Finished,
    Record,
    RecorderConfig,
    RecorderPulse,
)
from hookswitch.recording.recorder.worker import TARGET

from .clock import Beat, let_pass
from .processes import cpu_seconds

SETTLING_S = 2.0
"""Seconds before the floor is measured: its files are being created."""

ROWS = 256
"""Rings per arena, as in the media plane."""


@contextmanager
def _process(*command: str, fds: tuple[int, ...] = ()) -> Iterator[int]:
    """A process that is killed at the end; answers its id."""
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}  # as the supervisor has it
    started = subprocess.Popen([sys.executable, "-m", *command], pass_fds=fds, env=environment)
    try:
        yield started.pid
    finally:
        started.kill()
        started.wait()


class Recorder:
    """The real recorder, at the other end of a link."""

    def __init__(self, end: socket.socket, folder: Path) -> None:
        self._end = end
        self.lost = 0
        self._say(RecorderConfig(folder))

    def record(self, order: Record, fds: list[int]) -> None:
        self._say(order, fds)

    def finish(self, names: list[str]) -> float:
        """End recordings; answers the seconds until all files were at their places."""
        began, left = time.monotonic(), set(names)
        for name in names:
            self._say(Finish(name))
        while left:
            message = self._hear()
            if isinstance(message, Finished):
                left.discard(message.id)
        return time.monotonic() - began

    def pulse(self) -> None:
        """Wait for a second to be over."""
        while not isinstance(message := self._hear(), RecorderPulse):
            pass
        self.lost = message.lost

    def _say(self, message: object, fds: list[int] | None = None) -> None:
        select.select([], [self._end], [])
        link.send(self._end, message, fds or [])

    def _hear(self) -> object:
        select.select([self._end], [], [])
        return link.receive(self._end)[0]


def measure(recordings: int, rate: int, file_rate: int, seconds: int) -> dict[str, float]:
    """One row: processor milliseconds per recording-second, of recorder and floor."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        shapes = [
            ArenaShape(f"{i}", rate, ROWS, EAR_FRAMES) for i in range(-(-2 * recordings // ROWS))
        ]
        fds = [allocate(shape) for shape in shapes]
        stack.callback(lambda: [os.close(fd) for fd in fds])
        ours, theirs = link.pair()
        stack.enter_context(ours)
        with theirs:
            fd = theirs.fileno()
            pid = stack.enter_context(
                _process("hookswitch.media.process", TARGET, str(fd), fds=(fd,))
            )
        recorder = Recorder(ours, folder)
        recorder.pulse()
        for index in range(recordings):
            rings = [divmod(2 * index + side, ROWS) for side in (0, 1)]
            channels = tuple(Channel(str(a), shapes[a], row) for a, row in rings)
            order = Record(f"{index}", folder / f"{index}.wav", "wav", file_rate, channels)
            recorder.record(order, [fds[a] for a, _ in rings])
        mixer = ("bench.recording", "mixer", str(rate), *map(str, fds))
        stack.enter_context(_process(*mixer, fds=tuple(fds)))
        for _ in range(3):
            recorder.pulse()
        used, began = cpu_seconds(pid), time.monotonic()
        for _ in range(seconds):
            recorder.pulse()
        used, lasted = cpu_seconds(pid) - used, time.monotonic() - began
        ending = recorder.finish([f"{index}" for index in range(recordings)])
        return {
            "recorder": 1000 * used / lasted / recordings,
            "lost": recorder.lost,
            "finish_s": ending,
        }


def measure_floor(recordings: int, rate: int, seconds: int) -> float:
    """Processor milliseconds per recording-second of the bare loop."""
    with tempfile.TemporaryDirectory() as folder:
        command = ("bench.recording", "floor", str(recordings), str(rate), folder)
        with _process(*command) as pid:
            let_pass(SETTLING_S)
            used, began = cpu_seconds(pid), time.monotonic()
            let_pass(seconds)
            return 1000 * (cpu_seconds(pid) - used) / (time.monotonic() - began) / recordings


def play_mixer(rate: int, fds: list[int]) -> None:
    """Fill all rings of these arenas in real time."""
    arenas = [Arena(ArenaShape(f"{i}", rate, ROWS, EAR_FRAMES), fd) for i, fd in enumerate(fds)]
    noise = np.random.default_rng(1).integers(-8000, 8000, (ROWS, rate // 50)).astype(np.int16)
    beat, tick = Beat(), 0
    while True:
        for arena in arenas:
            arena.heard[:, tick % arena.shape.frames] = noise
        for arena in arenas:
            arena.heard_in += rate // 50
        tick += 1
        beat.wait()


def write_floor(recordings: int, rate: int, folder: Path) -> None:
    """Write a second of stereo to each file, once a second."""
    fds = [os.open(folder / str(i), os.O_WRONLY | os.O_CREAT) for i in range(recordings)]
    second = bytes(rate * 4)
    beat, position = Beat(1.0), 0
    while True:
        for fd in fds:
            os.pwrite(fd, second, position)
        position += len(second)
        beat.wait()


def main() -> None:
    match sys.argv[1:]:
        case ["mixer", rate, *fds]:
            play_mixer(int(rate), [int(fd) for fd in fds])
        case ["floor", recordings, rate, folder]:
            write_floor(int(recordings), int(rate), Path(folder))
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recordings", type=int, default=500)
    parser.add_argument("--seconds", type=int, default=10)
    chosen = parser.parse_args()
    print(f"{chosen.recordings} stereo recordings; processor ms per recording-second")
    print("   heard    file  recorder     floor     ratio   of a core   lost   all finished in")
    for rate, file_rate in ((8000, 8000), (8000, 16000), (16000, 16000)):
        floor = measure_floor(chosen.recordings, file_rate, chosen.seconds)
        row = measure(chosen.recordings, rate, file_rate, chosen.seconds)
        cost = row["recorder"]
        print(
            f"{rate:8}{file_rate:8}{cost:10.3f}{floor:10.3f}{cost / floor:10.1f}"
            f"{cost * chosen.recordings / 1000:11.1%}{row['lost']:8.0f}{row['finish_s']:15.1f} s"
        )


if __name__ == "__main__":
    main()
