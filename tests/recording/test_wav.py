"""WAV headers of any length of file, and staged files that broke off anywhere."""

from __future__ import annotations

import os
import struct
import subprocess
import tempfile
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hookswitch.recording.recorder.finishing import Finishing
from hookswitch.recording.recorder.sidecar import Participant, Place, Sidecar
from hookswitch.recording.recorder.staged import InUse, StagedFile, publish
from hookswitch.recording.recorder.wav import WavFormat

from .conftest import read

FORMATS = st.builds(WavFormat, st.sampled_from([8000, 16000, 24000, 48000]), st.integers(1, 300))


@given(FORMATS, st.integers(0, 2**40))
def test_a_header_says_how_long_the_file_is(form: WavFormat, frames: int) -> None:
    header = form.header(frames)
    assert len(header) == form.header_bytes == len(form.header(None))
    data = frames * form.frame_bytes
    assert header[8:16] in (b"WAVEJUNK", b"WAVEds64")
    riff, samples = (struct.unpack("<I", header[at : at + 4])[0] for at in (4, -4 + len(header)))
    if header[:4] == b"RF64":
        assert riff == samples == 0xFFFFFFFF
        riff, samples, count = struct.unpack("<QQQ", header[20:44])
        assert count == frames
        assert data > 0xFFFFFFFF - 200
    assert (riff, samples) == (len(header) - 8 + data, data)
    fmt = header.index(b"fmt ") + 8
    assert struct.unpack("<HI", header[fmt + 2 : fmt + 8]) == (form.channels, form.rate)


def test_a_file_beyond_4_gib_is_rf64(tmp_path: Path) -> None:
    """Holes take no room: five hours of stereo at 48 kHz with a sound at their end."""
    form = WavFormat(48000, 2)
    frames = 5 * 3600 * 48000 // 3 * 4
    staged = StagedFile(tmp_path / "large.wav", form)
    staged.write(frames - 4, memoryview(np.arange(1, 9, dtype="<i2")))
    staged.complete(frames)
    staged.close()
    assert (tmp_path / "large.wav").stat().st_size > 2**32
    asked = ["-show_entries", "stream=duration_ts", "-of", "csv=p=0", tmp_path / "large.wav"]
    said = subprocess.run(["ffprobe", "-v", "error", *asked], capture_output=True, check=True)
    assert int(said.stdout) == frames


@settings(max_examples=40)  # each waits for the disk four times
@given(
    channels=st.integers(1, 2),
    frames=st.integers(0, 500),
    cut=st.integers(0, 2200),
    participant=st.integers(0, 600),
    garbage=st.binary(max_size=3),
)
def test_whatever_is_cut_off_the_rest_is_recovered(
    channels: int, frames: int, cut: int, participant: int, garbage: bytes
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        place = Place(Path(folder), "call")
        sidecar = Sidecar("call", place.directory / "call.wav", "wav", 8000, channels,
                          place.directory / "many.wav")  # fmt: skip
        sidecar.participants.append(Participant("ann", start=0))
        place.save(sidecar.pack())
        pcm = np.arange(frames * channels, dtype="<i2")
        stage(place.main, WavFormat(8000, channels), pcm, cut, garbage)
        one = np.arange(participant, dtype="<i2")
        stage(place.participant(0), WavFormat(8000, 1), one, 0, garbage)
        found = Sidecar.unpack(place.sidecar.read_bytes())
        assert found == sidecar
        finishing = Finishing(place, found, threading.Event())
        told = finishing.run(recovered=True)
        assert finishing.whole
        place.remove()
        audio, _ = read(told.file)
        assert told.multi_channel_file is not None
        many, _ = read(told.multi_channel_file)
        left = max(frames * channels * 2 - cut + (0 if cut else len(garbage)), 0)
        expected = (pcm.tobytes() + (b"" if cut else garbage))[
            : left // (2 * channels) * 2 * channels
        ]
        if cut <= frames * channels * 2:
            assert audio.tobytes() == expected
        assert len(many) == len(audio)
        count = min(len(many), participant)
        assert np.array_equal(many[:count, 0], one[:count])
        assert sorted(os.listdir(folder)) == ["call.wav", "many.wav"]


def stage(path: Path, form: WavFormat, pcm: np.ndarray, cut: int, garbage: bytes) -> None:
    """A staged file whose end is missing, or that ends in half a sample."""
    staged = StagedFile(path, form)
    staged.write(0, memoryview(pcm))
    staged.close()
    with path.open("r+b") as file:
        size = file.seek(0, 2)
        if cut:
            file.truncate(max(size - cut, 0))
        else:
            file.write(garbage)


def test_a_staged_file_has_one_writer(tmp_path: Path) -> None:
    staged = StagedFile(tmp_path / "a", WavFormat(8000, 1))
    with pytest.raises(InUse):
        StagedFile(tmp_path / "a", WavFormat(8000, 1))
    staged.close()
    StagedFile(tmp_path / "a", WavFormat(8000, 1)).close()


def test_what_grows_can_be_opened_already(tmp_path: Path) -> None:
    staged = StagedFile(tmp_path / "a.wav", WavFormat(8000, 1))
    staged.write(0, memoryview(np.arange(8000, dtype="<i2")))
    raw = ["-f", "s16le", "-"]
    said = subprocess.run(
        ["ffmpeg", "-v", "error", "-i", tmp_path / "a.wav", *raw], capture_output=True, check=True
    )
    assert len(said.stdout) == 16000
    staged.close()


def test_publishing_replaces_nothing(tmp_path: Path) -> None:
    for content in ("one", "two", "three"):
        (tmp_path / "made").write_text(content)
        publish(tmp_path / "made", tmp_path / "call.wav")
    names = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert names == {"call.wav": "one", "call-2.wav": "two", "call-3.wav": "three"}
