"""Files of every kind become int16 mono at the ring's rate: heard, seamless, in constant memory."""

from __future__ import annotations

import os
import resource
import struct
import tempfile
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from hookswitch.playback.player.decode import decoded
from hookswitch.playback.player.errors import DecodeError
from hookswitch.playback.player.mime import parse
from hookswitch.playback.player.spool import Spool, SpoolReader
from hookswitch.playback.player.stop import Stop
from hookswitch.playback.player.wav import find_format_of_coming
from tests.sound import level, residue, tone

from .files import encoded, rifx, wav

RATES = (8000, 16000, 24000, 48000)


def sound(
    data: bytes,
    mime: str = "",
    rate: int = 8000,
    repeat: int = 1,
    skip: int = 0,
    *,
    coming: bool = False,
) -> np.ndarray:
    """All samples of a file; ``coming``: it is not all there when it begins to be read."""
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.flush()
        spool, stop = Spool(os.dup(file.fileno()), complete=not coming), Stop()
        if coming:
            spool.append(data[:-1000])
        asked = 0

        def source() -> SpoolReader:
            nonlocal asked
            asked += 1
            if coming and asked == 2:  # it is known by now how to read it
                spool.append(data[-1000:])
                spool.finish()
            return SpoolReader(spool, stop)

        try:
            parts = decoded(source, parse(mime), rate, repeat, skip)
            return np.concatenate([np.zeros(0, np.int16), *parts])
        finally:
            spool.close()


FILES = {
    "WAV 8": {"codec": "pcm_u8"},
    "WAV 16": {"codec": "pcm_s16le"},
    "WAV 24": {"codec": "pcm_s24le", "rate": 48000},
    "WAV 32": {"codec": "pcm_s32le", "rate": 22050},
    "WAV float": {"codec": "pcm_f32le", "rate": 96000},
    "WAV double": {"codec": "pcm_f64le", "rate": 11025},
    "WAV A-law": {"codec": "pcm_alaw"},
    "WAV mu-law": {"codec": "pcm_mulaw"},
    "WAV stereo": {"codec": "pcm_s16le", "rate": 44100, "layout": "stereo"},
    "WAV 5.1": {"codec": "pcm_s16le", "rate": 48000, "layout": "5.1"},
    "WAV 2.1": {"codec": "pcm_mulaw", "layout": "2.1"},
    "WAV RF64": {"codec": "pcm_s16le", "rf64": "always"},
    "WAV RF64 5.1": {"codec": "pcm_s16le", "rate": 16000, "layout": "5.1", "rf64": "always"},
    "WAV ADPCM": {"codec": "adpcm_ms"},
    "WAV ADPCM IMA": {"codec": "adpcm_ima_wav", "layout": "stereo"},
    "WAV MP3": {"codec": "libmp3lame", "rate": 16000},
    "MP3": {"container": "mp3", "codec": "libmp3lame", "rate": 44100, "layout": "stereo"},
    "MP3 slow": {"container": "mp3", "codec": "libmp3lame", "rate": 8000},
    "Ogg/Opus": {"container": "ogg", "codec": "libopus", "rate": 48000},
    "FLAC": {"container": "flac", "codec": "flac", "rate": 44100, "layout": "stereo"},
    "Ogg/FLAC": {"container": "ogg", "codec": "flac", "rate": 16000},
    "AAC in ADTS": {"container": "adts", "codec": "aac", "rate": 44100, "layout": "stereo"},
    "AAC in MP4": {"container": "mp4", "codec": "aac", "rate": 44100},
    "MP4 with video": {"container": "mp4", "codec": "aac", "rate": 44100, "picture": True},
}


@pytest.mark.parametrize("kind", FILES)
def test_files(kind: str) -> None:
    how = dict(FILES[kind])
    rate = how.pop("rate", 8000)
    data = encoded(tone(1000, 2.0, rate), rate, **how)
    for out in RATES:
        heard = sound(data, rate=out)
        # Lossy codecs may add a frame of padding at either end.
        assert 1.9 < len(heard) / out < 2.15, out
        assert level(heard[out // 4 : -out // 4], 1000, out) == pytest.approx(-12, abs=0.6)


@pytest.mark.parametrize("kind", [kind for kind in FILES if kind.startswith("WAV")])
def test_a_wav_that_is_still_coming_sounds_as_a_whole_one(kind: str) -> None:
    how = dict(FILES[kind])
    rate = how.pop("rate", 8000)
    data = encoded(tone(1000, 2.0, rate), rate, **how)
    chunk = b"junk" + struct.pack("<I", 3) + b"abc\0"
    first = data.index(b"fmt ")
    for file in (data, data + b"LIST" + struct.pack("<I", 4000) + b"\x55" * 4000,
                 data[:first] + chunk + data[first:]):  # fmt: skip
        assert np.array_equal(sound(file, coming=True), sound(file))


RIFX: dict[str, tuple[int, dict[str, Any]]] = {
    "8": (1, {"codec": "pcm_u8"}),
    "16": (2, {"codec": "pcm_s16le"}),
    "24": (3, {"codec": "pcm_s24le", "rate": 48000}),
    "32": (4, {"codec": "pcm_s32le", "rate": 22050}),
    "float": (4, {"codec": "pcm_f32le", "rate": 96000}),
    "double": (8, {"codec": "pcm_f64le", "rate": 11025}),
    "A-law": (1, {"codec": "pcm_alaw"}),
    "mu-law": (1, {"codec": "pcm_mulaw"}),
    "stereo": (2, {"codec": "pcm_s16le", "rate": 44100, "layout": "stereo"}),
    "5.1": (2, {"codec": "pcm_s16le", "rate": 48000, "layout": "5.1"}),
}


@pytest.mark.parametrize("kind", RIFX)
@pytest.mark.parametrize("whole_guid", [True, False])
@pytest.mark.parametrize("coming", [False, True])
def test_a_big_endian_wav_sounds_as_a_little_endian_one(
    kind: str, whole_guid: bool, coming: bool
) -> None:
    width, how = RIFX[kind][0], dict(RIFX[kind][1])
    rate = how.pop("rate", 8000)
    data = encoded(tone(1000, 2.0, rate), rate, **how)
    heard = sound(rifx(data, width, whole_guid=whole_guid), coming=coming)
    assert level(heard[2000:-2000], 1000, 8000) == pytest.approx(-12, abs=0.2)
    assert np.array_equal(heard, sound(data))


def test_a_big_endian_wav_with_much_before_its_samples() -> None:
    data = rifx(wav(1000, 1.0), 2)
    first = data.index(b"data")
    much = b"bext" + struct.pack(">I", 200_000) + b"\x55" * 200_000
    assert np.array_equal(sound(data[:first] + much + data[first:]), sound(data))


def test_a_big_endian_wav_that_is_not_understood_is_no_noise() -> None:
    good = rifx(wav(1000, 1.0), 2)
    start = good.index(b"fmt ") + 8
    bad = {name: bytearray(good) for name in ("tag", "bits", "block", "rate", "channels", "order")}
    struct.pack_into(">H", bad["tag"], start, 2)
    struct.pack_into(">H", bad["bits"], start + 14, 64)
    struct.pack_into(">H", bad["block"], start + 12, 4)
    struct.pack_into(">I", bad["rate"], start + 4, 1)
    struct.pack_into(">H", bad["channels"], start + 2, 0)
    struct.pack_into("<HHIIHH", bad["order"], start, 1, 1, 8000, 16000, 2, 16)
    bad["no format"] = good[: start - 8] + good[good.index(b"data") :]
    bad["no samples"] = good[: good.index(b"data")] + b"LIST" + good[good.index(b"data") + 4 :]
    bad["chunks"] = good[:12] + b"junk\0\0\0\0" * 10_000 + good[12:]
    bad["tagged"] = b"ID3\4\0\0\0\0\0\0" + good
    for data in bad.values():
        with pytest.raises(DecodeError, match="RIFX"):
            sound(bytes(data), "audio/wav")


@pytest.mark.parametrize(
    ("bits", "codec"), [(9, "s16"), (12, "s16"), (15, "s16"), (20, "s24"), (31, "s32")]
)
def test_bits_that_do_not_fill_their_bytes_sound_with_the_first_block(
    bits: int, codec: str
) -> None:
    """They are the upper ones, as they are to FFmpeg, which reads the whole file."""
    data = bytearray(encoded(tone(1000, 2.0, 8000), 8000, codec=f"pcm_{codec}le"))
    start = data.index(b"fmt ") + 8
    struct.pack_into("<H", data, start, 1)
    struct.pack_into("<H", data, start + 14, bits)
    with tempfile.TemporaryFile() as file:
        spool, stop = Spool(os.dup(file.fileno())), Stop()
        spool.append(data)
        kind = find_format_of_coming(SpoolReader(spool, stop))
        spool.close()
    assert kind.demuxer == f"{codec}le"
    heard = sound(bytes(data), coming=True)
    assert level(heard, 1000, 8000) == pytest.approx(-12, abs=0.1)
    assert np.array_equal(heard, sound(bytes(data)))


@pytest.mark.parametrize("mask", [0x33, 0x107, 0])
def test_the_channels_of_a_wav_that_is_still_coming_are_mixed_alike(mask: int) -> None:
    """Four of them, each with a tone of its own; the header says where they stand, or it cannot."""
    tones = np.stack([tone(frequency, 2.0, 8000) for frequency in (300, 600, 1100, 1900)])
    told = bytearray(encoded(tones, 8000, layout="quad"))
    start = told.index(b"fmt ") + 8
    untold = told.copy()
    struct.pack_into("<I", told, start + 20, mask)
    struct.pack_into("<H", untold, start, 1)
    for data in (bytes(told), bytes(untold)):
        heard = sound(data, coming=True)
        assert np.array_equal(heard, sound(data))
        assert all(level(heard, frequency, 8000) > -40 for frequency in (300, 600, 1100, 1900))


@pytest.mark.parametrize(
    "how",
    [
        {"codec": "pcm_mulaw"},
        {"codec": "pcm_s16le"},
        {"codec": "pcm_s16le", "rf64": "always"},
        {"codec": "pcm_s24le"},
        {"codec": "pcm_f32le"},
        {"codec": "pcm_mulaw", "layout": "5.1"},
        {"codec": "pcm_s16le", "layout": "2.1"},
        {"codec": "adpcm_ms"},
        {"codec": "adpcm_ima_wav"},
        {"codec": "libmp3lame", "out_rate": 44100},
    ],
)
def test_a_wav_begins_with_its_first_half_second(how: dict[str, Any]) -> None:
    data = encoded(tone(1000, 20.0, 8000), 8000, **how)
    there = data[: data.index(b"data") + 8 + len(data) // 40]
    waited = False

    class Reader(SpoolReader):
        def read(self, count: int) -> bytes:
            nonlocal waited
            waited = waited or self.tell() + self._start >= len(there)
            return b"" if waited else super().read(count)

    with tempfile.TemporaryFile() as file:
        spool, stop = Spool(os.dup(file.fileno())), Stop()
        spool.append(there)
        parts = decoded(lambda: Reader(spool, stop), parse("audio/wav"), 8000, 1, 0)
        assert len(next(parts))
        assert not waited
        parts.close()
        spool.close()


RAW = {
    "audio/L16;rate=16000": ("s16be", "pcm_s16be", 16000, "mono"),
    "audio/L16;rate=44100;channels=2": ("s16be", "pcm_s16be", 44100, "stereo"),
    "audio/L24;rate=48000": ("s24be", "pcm_s24be", 48000, "mono"),
    "audio/L8;rate=8000": ("u8", "pcm_u8", 8000, "mono"),
    "audio/pcm;rate=24000": ("s16le", "pcm_s16le", 24000, "mono"),
    "audio/basic": ("mulaw", "pcm_mulaw", 8000, "mono"),
    "audio/PCMU": ("mulaw", "pcm_mulaw", 8000, "mono"),
    "audio/PCMA;rate=16000": ("alaw", "pcm_alaw", 16000, "mono"),
}


@pytest.mark.parametrize("mime", RAW)
def test_raw_samples(mime: str) -> None:
    container, codec, rate, layout = RAW[mime]
    data = encoded(tone(440, 2.0, rate), rate, container=container, codec=codec, layout=layout)
    for out in RATES:
        heard = sound(data, mime, rate=out)
        assert len(heard) == pytest.approx(2 * out, abs=2)
        assert level(heard, 440, out) == pytest.approx(-12, abs=0.2)


def test_channels_are_mixed_in_equal_parts() -> None:
    left, right = tone(500, 1.0, 8000), tone(900, 1.0, 8000)
    heard = sound(encoded(np.stack([left, right]), 8000, layout="stereo"))
    for frequency in (500, 900):
        assert level(heard, frequency, 8000) == pytest.approx(-18.02, abs=0.1)


def test_loud_channels_do_not_overflow() -> None:
    heard = sound(encoded(tone(440, 1.0, 48000, dbfs=-0.1), 48000, layout="5.1"), rate=48000)
    assert residue(heard, (440,), 48000).max() < -60


def test_nothing_above_half_the_rate_is_folded_down() -> None:
    heard = sound(wav(5000, 1.0, 48000))
    assert level(heard, 3000, 8000) < -70


@pytest.mark.parametrize("rate", [8000, 11025, 44100])
def test_the_seam_of_a_repeated_file_is_not_heard(rate: int) -> None:
    """Whole periods: a sine that goes through all passes, short ones (kept) and long ones."""
    for seconds in (0.2, 8.0):
        heard = sound(wav(450, seconds, rate), repeat=3)
        assert len(heard) == pytest.approx(3 * seconds * 8000, abs=2)
        assert residue(heard, (450,), 8000)[1:-1].max() < -75


def test_passes_of_lossless_files_last_exactly_as_long() -> None:
    data = encoded(tone(440, 1.0, 44100), 44100, container="flac", codec="flac")
    assert len(sound(data, rate=48000, repeat=10)) == 480_000


@pytest.mark.parametrize("skip", [0, 1, 799, 8000, 8001, 30_000, 39_999, 40_000, 50_000])
def test_what_was_played_is_skipped(skip: int) -> None:
    data = encoded(tone(440, 1.0, 44100), 44100)
    whole = sound(data, repeat=5)
    assert np.array_equal(sound(data, repeat=5, skip=skip), whole[skip:])


def test_skipping_years_of_a_short_file_is_quick() -> None:
    with tempfile.TemporaryFile() as file:
        file.write(wav(440, 0.5, 8000))
        file.flush()
        spool, stop = Spool(os.dup(file.fileno()), complete=True), Stop()
        parts = decoded(lambda: SpoolReader(spool, stop), parse(""), 8000, -1, 10**12)
        assert len(next(part for part in parts if len(part)))
        parts.close()
        spool.close()


def test_the_file_knows_better_than_its_mime_type() -> None:
    flac = encoded(tone(440, 1.0, 16000), 16000, container="flac", codec="flac")
    for mime in ("audio/wav", "audio/mpeg", "audio/L16;rate=8000", "text/plain", "nonsense/x"):
        assert level(sound(flac, mime), 440, 8000) == pytest.approx(-12, abs=0.2)


def test_a_wav_that_says_it_is_endless() -> None:
    """Written to a pipe: the sizes in its header are the largest there are."""
    data = bytearray(wav(440, 1.0))
    size = data.index(b"data") + 4
    data[4:8] = data[size : size + 4] = struct.pack("<I", 0xFFFFFFFF)
    assert len(sound(bytes(data))) >= 7800


@pytest.mark.parametrize("container", ["mp3", "adts", "flac"])
def test_a_picture_in_an_id3_tag(container: str) -> None:
    codec = {"mp3": "libmp3lame", "adts": "aac", "flac": "flac"}[container]
    picture = (
        b"APIC" + struct.pack(">I", 60_000)[:4] + b"\0\0" + b"\0image/png\0\3\0" + b"\xff" * 60_000
    )
    size = bytes(len(picture) >> shift & 0x7F for shift in (21, 14, 7, 0))
    data = encoded(tone(440, 2.0, 44100), 44100, container=container, codec=codec)
    heard = sound(b"ID3\3\0\0" + size + picture + data)
    assert level(heard[2000:-2000], 440, 8000) == pytest.approx(-12, abs=0.6)


def test_what_was_cut_off_is_played_as_far_as_it_goes() -> None:
    for kind in ("WAV 16", "MP3", "Ogg/Opus", "FLAC", "AAC in ADTS"):
        how = dict(FILES[kind])
        rate = how.pop("rate", 8000)
        data = encoded(tone(440, 4.0, rate), rate, **how)
        assert 1.0 < len(sound(data[: len(data) // 2])) / 8000 < 3.0, kind


def test_damage_in_the_middle_costs_only_that() -> None:
    data = bytearray(encoded(tone(440, 4.0, 44100), 44100, container="mp3", codec="libmp3lame"))
    middle = len(data) // 2
    data[middle : middle + 500] = b"\xaa" * 500
    assert len(sound(bytes(data))) / 8000 == pytest.approx(4.0, abs=0.3)


@pytest.mark.parametrize(
    ("data", "mime", "why"),
    [
        (b"", "audio/wav", "is empty"),
        (b"<!DOCTYPE html><html></html>" * 9, "audio/wav", "not to be decoded as wav"),
        (b"<!DOCTYPE html><html></html>" * 9, "text/html", "text/html is not played"),
        (b"#EXTM3U\nhttp://127.0.0.1/a.ts\n" * 9, "", "of no kind that is played"),
        (b"#EXTM3U\nhttp://127.0.0.1/a.ts\n" * 9, "audio/mpegurl", "is not played"),
        (b"x", "audio/L16;rate=8000", "no sound"),
        (b"RIFF\0\0\0\0WAVE", "", "not to be decoded as wav"),
        (wav()[: wav().index(b"data") + 8], "", "no sound"),
    ],
)
def test_what_cannot_be_played(data: bytes, mime: str, why: str) -> None:
    with pytest.raises(DecodeError, match=why):
        sound(data, mime)


def test_a_video_without_sound(tmp_path: Path) -> None:
    path = tmp_path / "mute.mp4"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("mpeg4", rate=25, width=32, height=32)
        stream.pix_fmt = "yuv420p"
        frame = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8))
        output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    with pytest.raises(DecodeError, match="no sound"):
        sound(path.read_bytes())


def test_a_rate_that_would_blow_up() -> None:
    data = bytearray(wav())
    data[24:28] = struct.pack("<I", 1)
    with pytest.raises(DecodeError, match="1 Hz are not played"):
        sound(bytes(data), rate=48000)


@pytest.mark.parametrize("coming", [False, True])
def test_more_channels_than_can_be_mixed(coming: bool) -> None:
    data = bytearray(wav())
    start = data.index(b"fmt ") + 8
    struct.pack_into("<HHIIH", data, start, 1, 60, 8000, 960_000, 120)
    with pytest.raises(DecodeError, match="60 channels at 8000 Hz are not played"):
        sound(bytes(data), coming=coming)


def test_a_codec_that_is_not_ours() -> None:
    """Only decoders we chose may run: a WAV can name any."""
    with pytest.raises(DecodeError):
        sound(encoded(tone(440, 1.0, 16000), 16000, codec="g722"))


def test_memory_stays_flat_over_an_hour(tmp_path: Path) -> None:
    path = tmp_path / "hour.wav"
    minute = wav(440, 60.0, 8000, codec="pcm_mulaw")
    header = minute[: minute.index(b"data") + 4]
    with path.open("wb") as file:
        file.write(header + struct.pack("<I", 480_000 * 60))
        for _ in range(60):
            file.write(minute[len(header) + 4 :][:480_000])
    spool, stop = Spool(os.open(path, os.O_RDONLY), complete=True), Stop()
    parts = decoded(lambda: SpoolReader(spool, stop), parse(""), 8000, 1, 0)
    next(parts)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert sum(len(part) for part in parts) > 8000 * 3598
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < before + 8 * 1024  # kilobytes
    spool.close()
