"""Opus: sound through it, what the peer's parameters change, loss, pauses, stereo, nonsense."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookswitch.codecs.base import StreamCodecBatch
from hookswitch_codec_opus import packets
from hookswitch_codec_opus.codec import Opus
from hookswitch_codec_opus.libopus import LibOpus, find_libopus
from hookswitch_codec_opus.parameters import encoder_options, parse
from hookswitch_codec_opus.settings import OpusSettings
from tests.sound import level, tone
from tests.speech import segmental_snr, speech

RATE, FRAME = 48000, 960


@pytest.fixture
def opus() -> Opus:
    return Opus(OpusSettings())


def frames(audio: np.ndarray, size: int = FRAME) -> np.ndarray:
    return audio[: len(audio) // size * size].reshape(-1, size)


def encoded(opus: Opus, audio: np.ndarray, fmtp: str = "", size: int = FRAME) -> list[bytes]:
    opus.open(7, fmtp)
    made = []
    for frame in frames(audio, size):
        payloads, sizes = opus.encode(np.array([7]), frame[None, :])
        made.append(payloads[0, : sizes[0]].tobytes())
    return made


def as_rows(payload: bytes) -> tuple[np.ndarray, np.ndarray]:
    return np.frombuffer(payload, np.uint8)[None, :], np.array([len(payload)])


def decoded(opus: Opus, payloads: list[bytes]) -> np.ndarray:
    heard = []
    for payload in payloads:
        pcm, counts = opus.decode(np.array([7]), *as_rows(payload))
        heard.append(pcm[0, : counts[0]])
    return np.concatenate(heard)


def bits_per_second(payloads: list[bytes]) -> float:
    return sum(map(len, payloads)) * 8 * 50 / len(payloads)


@pytest.mark.parametrize("milliseconds", [10, 20, 40, 60])
def test_sound_through_it(opus: Opus, milliseconds: int) -> None:
    assert isinstance(opus, StreamCodecBatch)
    payloads = encoded(opus, tone(1000, 1.2, RATE), size=RATE * milliseconds // 1000)
    heard = decoded(opus, payloads)
    assert len(heard) == 57600
    assert level(heard[9600:], 1000, RATE) == pytest.approx(-12, abs=1)


def test_many_streams_at_once_stay_apart(opus: Opus) -> None:
    rows = np.array([3, 900, 17, 44, 5, 2, 1, 0, 99, 1000])
    tones = 400.0 + 100 * np.arange(len(rows))
    for row in rows:
        opus.open(int(row), "useinbandfec=1")
    said = np.array([tone(f, 0.6, RATE) for f in tones])
    heard = []
    for start in range(0, said.shape[1], FRAME):
        payloads, sizes = opus.encode(rows, np.ascontiguousarray(said[:, start : start + FRAME]))
        pcm, counts = opus.decode(rows, payloads, sizes)
        assert set(counts) == {FRAME}
        heard.append(pcm)
    for audio, frequency in zip(np.concatenate(heard, axis=1), tones, strict=True):
        assert level(audio[9600:], frequency, RATE) == pytest.approx(-12, abs=1.5)
    for row in rows:
        opus.close(int(row))


def test_the_peers_parameters_are_honoured(opus: Opus) -> None:
    said = speech(RATE, 4.0)
    full = encoded(opus, said)
    assert 20000 < bits_per_second(full) < 40000
    assert bits_per_second(encoded(opus, said, "maxaveragebitrate=12000")) < 15000
    constant = encoded(opus, said, "cbr=1")
    assert len({len(payload) for payload in constant}) == 1
    narrow = decoded(opus, encoded(opus, said, "maxplaybackrate=8000"))
    spectrum = np.abs(np.fft.rfft(narrow.astype(float))) ** 2
    share = spectrum[: len(narrow) * 4500 // RATE].sum() / spectrum.sum()
    assert share > 0.9999, "nothing above the narrow band"


def test_parameters_as_options() -> None:
    plain = encoder_options("", 32000, 5)
    assert plain[4002] == 32000
    assert (plain[4006], plain[4012], plain[4016], plain[4014]) == (1, 0, 0, 0)
    asked = encoder_options(
        "maxaveragebitrate=20000; MaxPlaybackRate = 16000;cbr=1;useinbandfec=1;usedtx=1;stereo=1",
        32000,
        5,
    )
    assert (asked[4002], asked[4004], asked[4006]) == (20000, 1103, 0)
    assert (asked[4012], asked[4014], asked[4016]) == (1, 10, 1)
    assert encoder_options("maxaveragebitrate=1", 32000, 5)[4002] == 6000


@given(st.text(max_size=80))
def test_any_text_is_some_parameters(text: str) -> None:
    assert all(value >= 0 for value in parse(text).values())
    encoder_options(text, 32000, 5)


def test_what_is_lost_is_in_the_next_packet(opus: Opus) -> None:
    """One packet in five is lost: the redundancy makes good what concealment can only guess."""
    said = speech(RATE, 6.0)
    payloads = encoded(opus, said, "useinbandfec=1;maxaveragebitrate=24000")
    whole = decoded(opus, payloads)

    def heard(repair: bool) -> np.ndarray:
        opus.open(7)
        audio = []
        for number, payload in enumerate(payloads):
            if number % 5 == 3 and number + 1 < len(payloads):
                following = as_rows(payloads[number + 1])
                if repair and opus.repairs(*following)[0]:
                    audio.append(opus.recover(7, following[0][0], FRAME))
                else:
                    audio.append(opus.conceal(np.array([7]), FRAME)[0])
            else:
                pcm, _ = opus.decode(np.array([7]), *as_rows(payload))
                audio.append(pcm[0])
        return np.concatenate(audio)

    concealed, repaired = (segmental_snr(whole, heard(r), RATE) for r in (False, True))
    silence = whole.copy()
    frames(silence)[3::5] = 0
    assert segmental_snr(whole, silence, RATE) < 30
    assert repaired > concealed + 2


def test_pauses_of_the_speaker_are_not_sent(opus: Opus) -> None:
    quiet = np.zeros(RATE * 2, np.int16)
    payloads = encoded(opus, np.concatenate([speech(RATE, 2.0), quiet]), "usedtx=1")
    assert sum(not payload for payload in payloads[-50:]) > 40
    assert all(payloads[:20])
    assert all(encoded(opus, quiet))


def test_stereo_is_folded() -> None:
    opus = Opus(OpusSettings())
    library = LibOpus(find_libopus())
    native = ctypes.CDLL(find_libopus())
    native.opus_encoder_create.restype = ctypes.c_void_p
    state = ctypes.c_void_p(native.opus_encoder_create(RATE, 2, 2049, None))
    native.opus_encoder_ctl(state, 4002, ctypes.c_int32(96000))
    opus.open(7)
    left, right = tone(500, 0.6, RATE), tone(1500, 0.6, RATE)
    both = np.ascontiguousarray(np.column_stack([left, right]))
    packet = np.zeros(1275, np.uint8)
    heard = []
    for frame in both.reshape(-1, FRAME, 2):
        frame = np.ascontiguousarray(frame)
        size = library.encode(state, frame.ctypes.data, FRAME, packet.ctypes.data, 1275)
        pcm, counts = opus.decode(np.array([7]), packet[None, :], np.array([size]))
        heard.append(pcm[0, : counts[0]])
    native.opus_encoder_destroy(state)
    audio = np.concatenate(heard)[9600:]
    assert level(audio, 500, RATE) == pytest.approx(-18, abs=1.5)
    assert level(audio, 1500, RATE) == pytest.approx(-18, abs=1.5)


@given(st.lists(st.binary(min_size=1, max_size=120), min_size=1, max_size=6))
def test_nonsense_is_told_and_does_no_harm(bodies: list[bytes]) -> None:
    opus = Opus(OpusSettings())
    sizes = np.array([len(body) for body in bodies])
    payloads = np.zeros((len(bodies), int(sizes.max())), np.uint8)
    for row, body in zip(payloads, bodies, strict=True):
        row[: len(body)] = np.frombuffer(body, np.uint8)
    for row in range(len(bodies)):
        opus.open(row)
    expected = opus.samples(payloads, sizes)
    pcm, counts = opus.decode(np.arange(len(bodies)), payloads, sizes)
    assert pcm.shape[1] >= counts.max()
    assert ((counts == expected) | (counts == 0)).all()
    assert opus.repairs(payloads, sizes).shape == (len(bodies),)


def test_lengths_are_read_from_the_first_bytes(opus: Opus) -> None:
    for milliseconds, count in ((10, 480), (20, 960), (40, 1920), (60, 2880)):
        for payload in encoded(opus, speech(RATE, 0.6), size=RATE * milliseconds // 1000):
            assert packets.samples(*as_rows(payload))[0] == count
    too_long = np.array([[3 << 3 | 3, 3]], np.uint8)  # three frames of 60 ms
    assert packets.samples(too_long, np.array([2]))[0] == 0
    assert packets.samples(np.array([[3]], np.uint8), np.array([1]))[0] == 0
