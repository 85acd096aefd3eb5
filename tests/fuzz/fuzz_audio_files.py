"""Feed damaged sound files to the decoder: python -m tests.fuzz.fuzz_audio_files [count] [seed].

Ends with a traceback if anything but DecodeError comes out; a crash ends it with a signal.
"""

from __future__ import annotations

import os
import random
import sys
import tempfile

import numpy as np
from tests.playback.files import encoded

from hookswitch.playback.player.decode import decoded
from hookswitch.playback.player.errors import DecodeError
from hookswitch.playback.player.mime import parse
from hookswitch.playback.player.spool import Spool, SpoolReader
from hookswitch.playback.player.stop import Stop

KINDS = (
    ("wav", "pcm_s16le", 8000),
    ("wav", "pcm_f32le", 44100),
    ("wav", "adpcm_ms", 8000),
    ("wav", "libmp3lame", 44100),
    ("mp3", "libmp3lame", 44100),
    ("ogg", "libopus", 48000),
    ("ogg", "flac", 16000),
    ("flac", "flac", 44100),
    ("adts", "aac", 44100),
    ("mp4", "aac", 44100),
    ("mp4", "alac", 44100),
)
TYPES = ("", "audio/wav", "audio/mpeg", "audio/ogg", "audio/mp4", "audio/aac", "audio/basic")
ENOUGH = 8000 * 60


def damage(data: bytes, source: random.Random) -> bytes:
    """Cut, insert, repeat or overwrite at a few places, headers more often than the rest."""
    damaged = bytearray(data)
    for _ in range(source.randint(1, 8)):
        end = source.choice((64, 512, len(damaged)))
        at = source.randrange(min(end, len(damaged)) + 1)
        cut = at + source.choice((0, 1, 1, 2, 4, 8, 64))
        piece = source.choice((source.randbytes(cut - at), b"\xff" * 4, b"\0" * 4, b""))
        damaged[at:cut] = piece
    return bytes(damaged)


class StillComing(SpoolReader):
    """Over a file that is read as one whose end is not there yet."""

    def seekable(self) -> bool:
        return self.must_seek


READERS = (SpoolReader, StillComing)


def check(data: bytes, mime: str, kind: type[SpoolReader] = SpoolReader) -> bool:
    """Decode one file; return whether there was sound in it."""
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.flush()
        spool, stop = Spool(os.dup(file.fileno()), complete=True), Stop()
        count = 0
        try:
            for pcm in decoded(lambda: kind(spool, stop), parse(mime), 8000, 1, 0):
                count += len(pcm)
                if count > ENOUGH:
                    break
        except DecodeError:
            return False
        finally:
            spool.close()
    return True


def main(count: int = 1000, seed: int = 0) -> int:
    """Run; return how many files were played."""
    source = random.Random(seed)
    noise = np.random.default_rng(seed).integers(-9000, 9000, 48000).astype(np.int16)
    seeds = [
        encoded(noise[: rate // 4], rate, container=container, codec=codec)
        for container, codec, rate in KINDS
    ]
    return sum(
        check(damage(source.choice(seeds), source), source.choice(TYPES), source.choice(READERS))
        for _ in range(count)
    )


if __name__ == "__main__":
    print("played", main(*map(int, sys.argv[1:])))
