"""A disk that is too slow: memory stays bounded, time is kept, and what is lost is counted."""

from __future__ import annotations

import os
import select
import threading
from pathlib import Path

import numpy as np

from hookswitch.media.rings import Arena, ArenaShape, allocate
from hookswitch.recording.recorder.mailbox import Mailbox
from hookswitch.recording.recorder.pauses import Pauses
from hookswitch.recording.recorder.tracks import Track, Tracks
from hookswitch.recording.recorder.wav import WavFormat
from hookswitch.recording.recorder.writer import Writer

RATE = 16000


def mapped(rows: int) -> Arena:
    shape = ArenaShape("a", RATE, rows)
    fd = allocate(shape)
    try:
        return Arena(shape, fd)
    finally:
        os.close(fd)


def test_the_writer_says_when_it_is_full_and_when_no_more() -> None:
    mailbox = Mailbox()
    writer = Writer(mailbox, limit=1000)
    goes_on, done = threading.Event(), []
    for index in range(3):
        writer.put(goes_on.wait, lambda _, index=index: done.append(index), size=400)
        assert writer.full == (index == 2)
    goes_on.set()
    while len(done) < 3:
        select.select([mailbox], [], [], 5)
        mailbox.empty()
    assert done == [0, 1, 2]
    assert not writer.full
    writer.finish(5)


def test_what_is_let_go_is_silence_of_its_length(tmp_path: Path) -> None:
    arena = mapped(2)
    track = Track("call", tmp_path / "call.part", WavFormat(RATE, 1), ((arena, 1),))
    assert track.open() is None
    tracks = Tracks(capacity=1)
    tracks.add(track, Pauses(), position=0, shift=0)
    for second in range(3):
        for _ in range(20):
            start = int(arena.heard_in[1])
            frame = np.arange(start, start + 320) % 32767 + 1
            arena.heard[1, start // 320 % 50] = frame
            arena.heard_in[1] += 320
        batches = list(tracks.take(tracks.heard(), drop=second == 1))
        assert bool(batches) == (second != 1)
        assert not any(batch.write() for batch in batches)
    assert tracks.lost == 6400
    assert int(arena.heard_out[1]) == tracks.place(track) == 3 * 6400
    assert track.file is not None
    track.file.complete(tracks.place(track))
    track.close()
    audio = np.frombuffer(track.path.read_bytes()[track.form.header_bytes :], "<i2")
    expected = np.arange(3 * 6400) % 32767 + 1
    expected[6400:12800] = 0
    assert np.array_equal(audio, expected)


def test_there_is_room_for_more_tracks_than_expected(tmp_path: Path) -> None:
    arena = mapped(64)
    tracks = Tracks(capacity=2)
    made = [
        Track(f"{row}", tmp_path / f"{row}", WavFormat(RATE, 1), ((arena, row),))
        for row in range(20)
    ]
    for track in made:
        tracks.add(track, Pauses(), position=0, shift=0)
    arena.heard[:, 0] = np.arange(64)[:, None]
    arena.heard_in += 320
    (batch,) = tracks.take(tracks.heard())
    assert [track for track, _, _ in batch.pieces] == made
    assert [np.asarray(pcm)[0, 0] for _, _, pcm in batch.pieces] == list(range(20))
