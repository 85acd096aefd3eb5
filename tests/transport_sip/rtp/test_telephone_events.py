"""Digits in and out: loss, repetition, reordering, long presses."""

from __future__ import annotations

import random
import struct
from itertools import pairwise

import numpy as np
import pytest

from hookswitch.mixer.bank import BankError
from hookswitch_transport_sip.rtp.telephone_events import (
    DIGITS,
    DigitEnded,
    DigitStarted,
    EventPayload,
    EventReceiver,
    EventSender,
)

from .conftest import Rig, rtp


def press(digit: str, stamp: int, packets: int = 5, step: int = 160) -> list[tuple]:
    """The packets of one key press: (payload, timestamp, marker), ends three times."""
    event = DIGITS.index(digit)
    made = []
    for i in range(1, packets + 1):
        payload = EventPayload(event, False, 10, i * step).pack()
        made.append((payload, stamp & 0xFFFFFFFF, i == 1))
    end = EventPayload(event, True, 10, packets * step).pack()
    return made + [(end, stamp & 0xFFFFFFFF, False)] * 3


def feed(packets: list[tuple], clock_rate: int = 8000) -> list:
    receiver = EventReceiver()
    return [e for p in packets for e in receiver.receive(p[0], p[1], p[2], clock_rate)]


@pytest.mark.parametrize("clock_rate", [8000, 16000, 48000])
def test_one_start_and_one_end(clock_rate: int) -> None:
    packets = press("5", 1000, 5, clock_rate // 50)
    assert feed(packets, clock_rate) == [DigitStarted("5"), DigitEnded("5", 100)]


def test_loss_reordering_and_repetition_neither_double_nor_lose() -> None:
    dice = random.Random(5)
    for _ in range(2000):
        digits = [dice.choice("0123456789*#ABCD") for _ in range(4)]
        stamp, sent = dice.randrange(2**32), []
        for digit in digits:
            packets = press(digit, stamp)
            kept = [p for p in packets if dice.random() < 0.5] or [packets[-1]]
            kept += [dice.choice(kept)]
            dice.shuffle(kept)
            sent += kept
            stamp += 2000
        late = dice.choice(sent[: len(sent) // 2])
        sent.append(late)
        started = [e.digit for e in feed(sent) if isinstance(e, DigitStarted)]
        assert started == digits


def test_only_the_end_arrives() -> None:
    assert feed(press("7", 5)[-1:]) == [DigitStarted("7"), DigitEnded("7", 100)]


def test_ends_lost_are_made_up_for_by_the_next_digit() -> None:
    packets = press("1", 0)[:4] + press("1", 4000)
    assert feed(packets) == [
        DigitStarted("1"),
        DigitEnded("1", 80),
        DigitStarted("1"),
        DigitEnded("1", 100),
    ]


def test_a_long_press_in_segments_is_one_digit() -> None:
    first = [(EventPayload(3, False, 10, d).pack(), 0, d == 160) for d in range(160, 65535, 160)]
    second = press("3", 65535, 10)
    second[0] = (second[0][0], second[0][1], False)
    events = feed(first + second)
    assert [type(e) for e in events] == [DigitStarted, DigitEnded]
    assert 8300 < events[1].duration_ms < 8500


def test_what_is_no_digit_is_ignored() -> None:
    assert feed([(b"", 1, True), (b"\1\2\3", 2, True), (bytes([200, 0, 0, 9]), 3, True)]) == []


def test_payload_round_trip() -> None:
    payload = EventPayload(15, True, 63, 65535)
    assert EventPayload.unpack(payload.pack()) == payload


def test_sending_one_digit() -> None:
    sender = EventSender(8000)
    sender.send("#", duration_ms=60, gap_ms=40)
    packets = [sender.next(5000 + i * 160, 20) for i in range(9)]
    sent = [p for p in packets if p]
    assert packets[5:] == [None] * 4
    assert {p.timestamp for p in sent} == {5000}
    assert [p.marker for p in sent] == [True, False, False, False, False]
    payloads = [EventPayload.unpack(p.payload) for p in sent]
    assert [p.duration for p in payloads] == [160, 320, 480, 480, 480]
    assert [p.end for p in payloads] == [False, False, True, True, True]
    assert {p.event for p in payloads} == {11}
    assert sender.idle


@pytest.mark.parametrize("clock_rate", [8000, 16000, 48000])
@pytest.mark.parametrize("ptime", [10, 20, 40, 60])
def test_any_clock_rate_and_packet_time(clock_rate: int, ptime: int) -> None:
    sender = EventSender(clock_rate)
    sender.send("0123456789*#ABCD,5", duration_ms=120, gap_ms=60)
    step, sent, stamp, spans = clock_rate * ptime // 1000, [], 77, []
    while not sender.idle:
        packet = sender.next(stamp, ptime)
        if packet is not None:
            sent.append((packet.payload, packet.timestamp, packet.marker))
            spans.append(stamp)
        stamp += step
    told = feed(sent, clock_rate)
    assert "".join(e.digit for e in told if isinstance(e, DigitStarted)) == "0123456789*#ABCD5"
    assert {e.duration_ms for e in told if isinstance(e, DigitEnded)} == {120}
    gaps = [b - a for a, b in pairwise(spans) if b - a > step]
    assert min(gaps) >= 60 * clock_rate // 1000
    assert max(gaps) >= 500 * clock_rate // 1000


@pytest.mark.parametrize("rate", [8000, 16000, 48000])
def test_events_need_not_have_the_clock_rate_of_the_codec(rig: Rig, rate: int) -> None:
    phone = rig.phone()
    port = rig.open(phone, telephone_event={101: rate})
    rig.tick()
    rig.bank.signal(port, {"dtmf": "59"})
    for _ in range(30):
        rig.tick()
    packets = [p for p in phone.received() if len(p) == 16]
    events = [(p[12:], struct.unpack_from("!I", p, 4)[0], p[1] >= 128) for p in packets]
    told = feed(events, rate)
    assert [e.digit for e in told if isinstance(e, DigitStarted)] == ["5", "9"]
    assert {e.duration_ms for e in told if isinstance(e, DigitEnded)} == {100}
    # and the same way in
    phone.send(phone.tone_packet())
    rig.tick()
    for payload, stamp, marker in press("#", phone.timestamp, 5, rate // 50):
        phone.send(rtp(payload, phone.sequence, stamp, phone.ssrc, 101, marker=marker))
        phone.sequence += 1
        rig.tick()
    assert rig.data("digit_ended") == [{"digit": "#", "duration_ms": 100}]


@pytest.mark.parametrize("ptime", [10, 20, 30, 60])
def test_digits_reach_the_phone_in_place_of_audio(rig: Rig, ptime: int) -> None:
    phone = rig.phone()
    port = rig.open(phone, ptime_ms=ptime)
    rig.tick()
    rig.bank.signal(port, {"dtmf": "1a,*", "duration_ms": 120, "gap_ms": 60})
    for _ in range(80):
        rig.tick(np.full((16, 160), 900.0))
    packets = phone.received()
    heads = [struct.unpack_from("!BBHII", p) for p in packets]
    assert [h[2] for h in heads] == [(65530 + i) % 65536 for i in range(len(heads))]
    both = list(zip(packets, heads, strict=True))
    events = [(p[12:], h[3], h[1] >= 128) for p, h in both if len(p) == 16]
    told = feed(events)
    assert [e.digit for e in told if isinstance(e, DigitStarted)] == ["1", "A", "*"]
    assert {e.duration_ms for e in told if isinstance(e, DigitEnded)} == {120}
    audio = [h for p, h in both if len(p) > 16]
    first = audio[0][3]
    assert all((h[3] - first) % 2**32 % (ptime * 8) == 0 for h in audio)


def test_digits_from_the_phone_are_reported_once(rig: Rig) -> None:
    phone = rig.phone()
    rig.open(phone)
    phone.send(phone.tone_packet())
    rig.tick()
    for digit in "19#":
        for payload, stamp, marker in press(digit, phone.timestamp):
            phone.send(rtp(payload, phone.sequence, stamp, phone.ssrc, 101, marker=marker))
            phone.sequence += 1
            rig.tick()
        phone.timestamp += 8 * 160
    phone.send(phone.tone_packet())
    rows = rig.tick()
    assert rig.data("digit") == [{"digit": d} for d in "19#"]
    assert rig.data("digit_ended") == [{"digit": d, "duration_ms": 100} for d in "19#"]
    assert rows[0].any()


def test_signals_that_cannot_be_sent(rig: Rig) -> None:
    port = rig.open(rig.phone())
    deaf = rig.open(rig.phone(), row=1, telephone_event_pt=None)
    for name, message in [(port, {"dtmf": "1x"}), (port, {"wave": 1}), (deaf, {"dtmf": "1"})]:
        with pytest.raises(BankError):
            rig.bank.signal(name, message)
    with pytest.raises(BankError):
        rig.bank.signal("nobody", {"dtmf": "1"})
