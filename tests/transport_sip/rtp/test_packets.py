"""Headers of RTP, many at once, against RFC 3550 section 5.1 read one by one."""

from __future__ import annotations

import runpy
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookswitch_transport_sip.rtp import rtcp
from hookswitch_transport_sip.rtp.packets import PLAIN_MASK, Words, parse, plain_word
from hookswitch_transport_sip.rtp.telephone_events import (
    DIGITS,
    DigitEnded,
    DigitStarted,
    EventPayload,
    EventReceiver,
)

FUZZER = Path(__file__).parents[2] / "fuzz" / "fuzz_rtp.py"
WIDTH = 2112

uint16, uint32 = st.integers(0, 2**16 - 1), st.integers(0, 2**32 - 1)


@st.composite
def packets(draw: st.DrawFn) -> bytes:
    """Sound packets, and such whose flags promise what is not there."""
    sources = draw(st.integers(0, 15))
    extended, padded = draw(st.booleans()), draw(st.booleans())
    version = draw(st.sampled_from([2, 2, 2, 2, 0, 1, 3]))
    first = version << 6 | padded << 5 | extended << 4 | sources
    head = struct.pack(
        "!BBHII", first, draw(st.integers(0, 255)), draw(uint16), draw(uint32), draw(uint32)
    )
    body = bytes(4 * sources)
    if extended:
        words = draw(st.integers(0, 20))
        body += struct.pack("!HH", draw(uint16), words) + bytes(4 * words)
    body += draw(st.binary(max_size=40))
    if padded:
        # none at all, sound ones, more than there is
        body += bytes(draw(st.integers(0, 8))) + bytes([draw(st.sampled_from([0, 1, 4, 9, 255]))])
    whole = head + body
    return whole[: draw(st.just(len(whole)) | st.integers(0, len(whole)))]


def read(data: bytes) -> tuple[int, ...] | bytes | None:
    """RTP: payload type, marker, sequence, timestamp, SSRC, and its payload; None for none."""
    if len(data) < 12 or data[0] >> 6 != 2 or 192 <= data[1] <= 223:
        return None
    start = 12 + 4 * (data[0] & 15)
    if data[0] & 0x10:
        if len(data) < start + 4:
            return None
        start += 4 + 4 * int.from_bytes(data[start + 2 : start + 4], "big")
    end = len(data)
    if data[0] & 0x20:
        if data[-1] == 0:
            return None
        end -= data[-1]
    if end < start:
        return None
    return (data[1] & 127, data[1] >> 7, *struct.unpack_from("!HII", data, 2), data[start:end])


def rows(datagrams: list[bytes], filler: int) -> tuple[np.ndarray, np.ndarray]:
    """As they are received: behind each there is what was received before."""
    matrix = np.full((len(datagrams), WIDTH), filler, np.uint8)
    for row, data in zip(matrix, datagrams, strict=True):
        row[: len(data)] = np.frombuffer(data, np.uint8)
    return matrix, np.array([len(data) for data in datagrams], np.int64)


@given(st.lists(st.one_of(packets(), st.binary(max_size=60)), min_size=1, max_size=12), uint16)
def test_any_datagrams_are_read_as_one_by_one(datagrams: list[bytes], filler: int) -> None:
    matrix, lengths = rows(datagrams, filler & 0xFF)
    words = Words.read(matrix)
    headers = parse(matrix, lengths, words)
    for i, data in enumerate(datagrams):
        expected = read(data)
        assert headers.valid[i] == (expected is not None)
        is_rtcp = len(data) >= 8 and data[0] >> 6 == 2 and 192 <= data[1] <= 223
        assert headers.rtcp[i] == is_rtcp
        if expected is not None:
            start, size = int(headers.offset[i]), int(headers.size[i])
            fields = (
                headers.payload_type, headers.marker, headers.sequence, headers.timestamp,
                headers.ssrc,
            )  # fmt: skip
            assert (*(int(field[i]) for field in fields), data[start : start + size]) == expected
            assert start + size <= len(data)


@given(st.integers(0, 127), packets())
def test_a_plain_packet_is_a_header_and_a_payload(payload_type: int, data: bytes) -> None:
    matrix, _ = rows([data], 0)
    if len(data) >= 12:
        plain = int(Words.read(matrix).first[0]) & PLAIN_MASK == plain_word(payload_type)
        assert plain == (data[0] == 0x80 and data[1] & 127 == payload_type)


@given(st.lists(st.binary(max_size=60) | packets(), max_size=3))
def test_reports_are_read_or_refused(parts: list[bytes]) -> None:
    sound = rtcp.build(1, "a@b", None, [rtcp.ReportBlock(2, 3, 4, 5, 6, 7, 8)], bye=True)
    for data in (b"".join(parts), sound + b"".join(parts), b"".join([*parts, sound])):
        for item in rtcp.parse(data) or ():
            if isinstance(item, rtcp.Report):
                assert len(item.blocks) <= 31
                assert all(0 <= block.ssrc < 2**32 for block in item.blocks)


@given(st.lists(st.tuples(st.binary(max_size=8), uint32, st.booleans()), max_size=20))
def test_any_events_are_digits_that_begin_before_they_end(
    received: list[tuple[bytes, int, bool]],
) -> None:
    receiver, pressed = EventReceiver(), None
    for payload, timestamp, marker in received:
        for event in receiver.receive(payload, timestamp, marker, 8000):
            assert event.digit in DIGITS
            if isinstance(event, DigitStarted):
                pressed = event.digit
            else:
                assert isinstance(event, DigitEnded)
                assert event.digit == pressed
                assert event.duration_ms >= 0


@given(st.binary(max_size=12))
def test_an_event_is_what_its_four_bytes_say(payload: bytes) -> None:
    event = EventPayload.unpack(payload)
    assert (event is None) == (len(payload) < 4)
    if event is not None:
        assert event.pack() == bytes([payload[0], payload[1] & 0xBF]) + payload[2:4]


@pytest.mark.parametrize("seed", [3, 4])
def test_a_short_run_of_the_fuzz_target(seed: int) -> None:
    reports = runpy.run_path(str(FUZZER))["main"](100, seed)
    assert reports["media_started"] == reports["rtp_locked"] == 1
    assert reports["digit"] > 0
