"""What the player costs: many playbacks at once, beside bare decoding of the same files.

Run: python -m bench.playback [--playbacks 500] [--seconds 10]. The floor is PyAV decoding and
resampling one file with nothing around it, measured in the same run. Each kind of file is measured
twice: *shared* is one short file played by all, which is decoded once for them; *own* is a file for
each, which is what many different prompts cost.
"""

from __future__ import annotations

import argparse
import os
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np

from hookswitch.media import link
from hookswitch.media.rings import Arena, ArenaShape, allocate
from hookswitch.mixer.bank import TICK_MS, frame_samples
from hookswitch.playback.marks import allocate as allocate_marks
from hookswitch.playback.messages import (
    Play,
    PlayerConfig,
    StopPlaying,
    ToneSource,
    UrlSource,
)

from .clock import let_pass
from .processes import cpu_seconds, resident_bytes

RATE = 8000
FILE_SECONDS = 20
SETTLE_SECONDS = 3

FILES = {
    "WAV 8 kHz mu-law": ("a.wav", "wav", "pcm_mulaw", 8000, "mono"),
    "WAV 44.1 kHz stereo": ("b.wav", "wav", "pcm_s16le", 44100, "stereo"),
    "MP3 44.1 kHz stereo": ("c.mp3", "mp3", "libmp3lame", 44100, "stereo"),
    "Ogg/Opus 48 kHz": ("d.ogg", "ogg", "libopus", 48000, "mono"),
}


def main() -> None:
    """Print a table: CPU per playing second, in microseconds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--playbacks", type=int, default=500)
    parser.add_argument("--seconds", type=int, default=10)
    arguments = parser.parse_args()
    count, seconds = arguments.playbacks, arguments.seconds
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, container, codec, rate, layout in FILES.values():
            _write(folder / file, container, codec, rate, layout)
        print(f"{count} playbacks into rings of {RATE} Hz, {seconds} s each")
        print(
            f"{'':28}{'player':>12}{'of a core':>11}{'floor':>12}{'times':>7}{'late':>6}{'MB':>6}"
        )
        for title, (file, *_) in FILES.items():
            floor = _floor(folder / file)
            same = [UrlSource(f"file:{file}")] * count
            _measure(f"{title}, shared", folder, same, seconds, floor)
            own = [UrlSource(f"file:{number}-{file}") for number in range(count)]
            for number in range(count):
                shutil.copy(folder / file, folder / f"{number}-{file}")
            _measure(f"{title}, own", folder, own, seconds, floor)
            for number in range(count):
                (folder / f"{number}-{file}").unlink()
        _measure("tone us_ringback", folder, [ToneSource("us_ringback")] * count, seconds, None)


def _write(path: Path, container: str, codec: str, rate: int, layout: str) -> None:
    noise = np.random.default_rng(1).normal(0, 3000, rate * FILE_SECONDS).astype(np.int16)
    with av.open(str(path), "w", format=container) as output:
        stream = output.add_stream(codec, rate=rate, layout=layout)
        frame = av.AudioFrame.from_ndarray(noise[None], "s16", "mono")
        frame.sample_rate = rate
        codec_context = stream.codec_context
        resampler = av.AudioResampler(
            codec_context.format, layout, rate, codec_context.frame_size or 1024
        )
        for part in (*resampler.resample(frame), *resampler.resample(None)):
            output.mux(stream.encode(part))
        output.mux(stream.encode(None))


def _floor(path: Path) -> float:
    """CPU of decoding one second, in seconds."""
    began = time.process_time()
    resampler = av.AudioResampler("s16", "mono", RATE)
    with av.open(str(path)) as container:
        for frame in container.decode(audio=0):
            for out in resampler.resample(frame):
                out.to_ndarray()
    return (time.process_time() - began) / FILE_SECONDS


def _measure(
    title: str,
    folder: Path,
    sources: Sequence[UrlSource | ToneSource],
    seconds: int,
    floor: float | None,
) -> None:
    ours, theirs = link.pair()
    with theirs:
        command = [sys.executable, "-m", "hookswitch.media.process"]
        process = subprocess.Popen(
            [*command, "hookswitch.playback.player.worker:main", str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
        )
    count = len(sources)
    shape = ArenaShape("bench", RATE, count)
    fd = allocate(shape)
    mixer = _Mixer(Arena(shape, fd))
    config = PlayerConfig(folder, (), 1 << 30, 10.0, folder / "cache", 1 << 30)
    marks = allocate_marks()
    link.send(ours, config, [marks])
    os.close(marks)
    for row, source in enumerate(sources):
        _send(ours, Play(str(row), source, -1, shape, row), [fd])
    let_pass(SETTLE_SECONDS)
    mixer.start()
    let_pass(SETTLE_SECONDS)
    late, cpu, began = mixer.late, cpu_seconds(process.pid), time.monotonic()
    let_pass(seconds)
    share = (cpu_seconds(process.pid) - cpu) / (time.monotonic() - began)
    late, memory = mixer.late - late, resident_bytes(process.pid)
    mixer.stop()
    for row in range(count):
        _send(ours, StopPlaying(str(row)), [])
    ours.close()
    process.wait()
    os.close(fd)
    times = f"{floor * 1e6:9.0f} us{share / count / floor:7.2f}" if floor else " " * 19
    print(
        f"{title:28}{share / count * 1e6:9.0f} us{share:10.0%} {times}{late:7}{memory >> 20:5}",
        flush=True,
    )


def _send(end: socket.socket, message: object, fds: list[int]) -> None:
    while True:
        try:
            return link.send(end, message, fds)
        except BlockingIOError:
            select.select([], [end], [])


class _Mixer:
    """Takes a frame of each row every 20 ms; ``late`` counts those that were not there."""

    def __init__(self, arena: Arena) -> None:
        self.late = 0
        self._arena = arena
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._take)
        self.start = self._thread.start

    def stop(self) -> None:
        self._ended.set()
        self._thread.join()

    def _take(self) -> None:
        frame = frame_samples(RATE)
        due = time.monotonic()
        while not self._ended.wait(max(due - time.monotonic(), 0)):
            due += TICK_MS / 1000
            there = self._arena.said_in - self._arena.said_out >= frame
            self._arena.said_out[there] += frame
            self.late += int(np.count_nonzero(~there))


if __name__ == "__main__":
    main()
