"""The bank end to end over loopback: what a phone says is heard, what it hears was said."""

from __future__ import annotations

import math
import os
import random
import struct
from dataclasses import replace

import numpy as np
import pytest

from hookswitch.mixer.bank import BankError, PortSpec
from hookswitch_transport_sip.rtp.params import RtpParams

from .conftest import MU_LAW, Rig, rtp, tone


def decode(packet: bytes) -> np.ndarray:
    payload = np.frombuffer(packet, np.uint8)[12:]
    return MU_LAW.decode(np.zeros(1, np.intp), payload[None, :])[0]


def header(packet: bytes) -> tuple[int, int, int, int, int]:
    return struct.unpack_from("!BBHII", packet)


def test_what_the_phone_says_is_heard(rig: Rig) -> None:
    phone = rig.phone(sequence=65530)
    rig.open(phone, row=3)
    heard = []
    for _ in range(50):
        phone.send(phone.tone_packet())
        heard.append(rig.tick()[3])
    audio, sent = np.concatenate(heard), tone(500, 0, 8000)
    assert np.abs(audio[160:] - sent[160:]).max() < 300
    assert rig.kinds()[:2] == ["rtp_locked", "media_started"]


def test_what_the_phone_hears_was_said(rig: Rig) -> None:
    phone = rig.phone()
    rig.open(phone)
    for i in range(10):
        output = np.zeros((16, 160), np.float32)
        output[0] = tone(500, i * 160, 160) + 0.3
        rig.tick(output)
    packets = phone.received()
    assert len(packets) == 10
    first = header(packets[0])
    assert first == (0x80, 0x80, 65530, 2**32 - 320, 0xABCD)
    assert [header(p)[2] for p in packets] == [(65530 + i) % 65536 for i in range(10)]
    assert [header(p)[3] for p in packets] == [(2**32 - 320 + 160 * i) % 2**32 for i in range(10)]
    assert all(header(p)[1] == 0 for p in packets[1:])
    audio = np.concatenate([decode(p) for p in packets]).astype(int)
    assert np.abs(audio - tone(500, 0, 1600)).max() < 300


@pytest.mark.parametrize("ptime", [10, 20, 30, 40, 60])
def test_every_packet_time_both_ways(rig: Rig, ptime: int) -> None:
    phone = rig.phone()
    rig.open(phone, ptime_ms=ptime, jitter_ms=ptime)
    size, due, heard = ptime * 8, 0, []
    for i in range(60):
        due += 160
        while due >= size:
            phone.send(phone.tone_packet(size))
            due -= size
        output = np.zeros((16, 160), np.float32)
        output[0] = tone(500, i * 160, 160)
        heard.append(rig.tick(output)[0])
    packets = phone.received()
    assert len(packets) == 1200 // ptime
    assert {len(p) for p in packets} == {12 + size}
    steps = np.diff([header(p)[3] for p in packets]) % 2**32
    assert set(steps.tolist()) == {size}
    said = np.concatenate([decode(p) for p in packets]).astype(int)
    assert np.abs(said - tone(500, 0, len(said))).max() < 300
    audio = np.concatenate(heard)
    start = int(np.argmax(audio != 0)) + 80
    assert np.abs(audio[start : start + 6400].astype(int)).reshape(-1, 160).max(axis=1).min() > 7000
    assert rig.bank._media.lanes[8000].playout.concealed[0] == 0


def test_direction(rig: Rig) -> None:
    phone = rig.phone()
    port = rig.open(phone, send=False)
    for _ in range(3):
        phone.send(phone.tone_packet())
        assert rig.tick(np.full((16, 160), 1000.0))[0].any() or not rig.kinds()
    assert phone.received() == []
    rig.bank.update(port, {"send": True, "receive": False})
    for _ in range(6):
        phone.send(phone.tone_packet())
        rows = rig.tick()
    packets = phone.received()
    assert len(packets) == 6
    assert header(packets[0])[1] == 0x80
    assert header(packets[0])[2:4] == (65530, (2**32 - 320 + 480) % 2**32)
    assert not rows[0].any()


def test_a_restarted_bank_continues_the_numbers(rig: Rig) -> None:
    phone = rig.phone()
    port = rig.open(phone)
    started = rig.now
    for _ in range(25):
        phone.send(phone.tone_packet())
        rig.tick()
    before = [header(p) for p in phone.received()]
    second = Rig()
    second.now, second.kept, second.phones = rig.now + 0.5, rig.kept, []
    try:
        second.open(phone, port=port, started_at=started)
        for _ in range(5):
            phone.send(phone.tone_packet())
            second.tick()
        after = [header(p) for p in phone.received()]
    finally:
        second.bank.shutdown()
    gap = (after[0][2] - before[-1][2]) % 65536
    assert 26 <= gap <= 28
    assert (after[0][3] - before[-1][3]) % 2**32 in range(4000, 4400)
    assert after[0][4] == before[0][4]


def test_ports_of_a_group_come_and_go(rig: Rig) -> None:
    phones = [rig.phone(ssrc=i + 1) for i in range(3)]
    ports = [rig.open(phone, row=i, ptime_ms=40) for i, phone in enumerate(phones)]
    rig.tick()
    rig.bank.close(ports[1])
    rig.tick()
    assert [len(phone.received()) for phone in phones] == [1, 0, 1]
    rig.open(phones[1], row=1, ptime_ms=40)
    for _ in range(2):
        rig.tick()
    assert [len(phone.received()) for phone in phones] == [1, 1, 1]


def test_ipv6(rig: Rig) -> None:
    import socket

    phone = rig.phone(family=socket.AF_INET6)
    rig.open(phone)
    for _ in range(3):
        phone.send(phone.tone_packet())
        rows = rig.tick()
    assert rows[0].any()
    assert len(phone.received()) == 3


def test_a_flood_is_bounded_and_disturbs_nobody(rig: Rig) -> None:
    loud, calm = rig.phone(ssrc=1), rig.phone(ssrc=2)
    rig.open(loud, row=0)
    rig.open(calm, row=1)
    calm.send(calm.tone_packet())
    rig.tick()
    for _ in range(200):
        loud.send(loud.tone_packet())
    calm.send(calm.tone_packet())
    rows = rig.tick()
    assert np.abs(rows[1]).max() > 7000
    assert rig.bank._intake.sequences.received[0] == 16


def test_a_dead_peer_is_counted_not_raised(rig: Rig) -> None:
    phone = rig.phone()
    port = rig.open(phone)
    phone.send(phone.tone_packet())
    for _ in range(3):
        rig.tick()
    phone.rtp.close()
    for _ in range(10):
        rig.tick()
    rig.bank.close(port)
    rig.reported += rig.bank.reports()
    assert rig.data("stats")[-1]["send_errors"] > 0


def test_hostile_packets_never_raise(rig: Rig) -> None:
    phone = rig.phone()
    rig.open(phone)
    phone.send(phone.tone_packet())
    rig.tick()
    dice = random.Random(7)
    for _ in range(300):
        for _ in range(4):
            data = bytearray(
                dice.randbytes(dice.choice([0, 1, 7, 11, 12, 13, 40, 172, 1500, 2048]))
            )
            if data and dice.random() < 0.9:
                data[0] = 0x80 | dice.choice([0, 0, 0x10, 0x20, 0x30, 0x0F, 0x3F])
            if len(data) > 12 and dice.random() < 0.8:
                good = rtp(b"", phone.sequence, phone.timestamp, phone.ssrc)
                data[2:12] = good[2:12]
                data[1] = dice.choice([0, 0x80, 101, 13, 200, 201, 203, 77])
                phone.sequence += dice.choice([0, 1, 1, 1, -5, 30000])
                phone.timestamp += dice.choice([0, 160, 160, 160, -800, 2**31, 77])
            phone.send(bytes(data))
        rows = rig.tick()
        assert np.isfinite(rows).all()
    for _ in range(3):
        phone.send(phone.tone_packet())
        rig.tick()


def test_padding_extension_and_sources_are_stripped(rig: Rig) -> None:
    phone = rig.phone()
    rig.open(phone)
    samples = tone(500, 0, 160)
    payload = MU_LAW.encode(np.zeros(1, np.intp), samples[None])[0].tobytes()
    for i in range(4):
        data = bytearray(rtp(payload, i, 160 * i, 9))
        data[0] |= 0x20 | 0x10 | 2
        extra = b"\0" * 8 + b"\xbe\xde\0\1" + b"\1\2\3\4"
        phone.send(bytes(data[:12]) + extra + payload + b"\0\0\0\4")
        rows = rig.tick()
    assert np.abs(rows[0] - samples).max() < 300


def test_opening_what_cannot_work_leaves_nothing_open(rig: Rig) -> None:
    phone = rig.phone()
    port = rig.open(phone)
    good = {"codec": "hookswitch.codecs.g711:MuLaw", "payload_type": 0, "ssrc": 1}
    bad = [
        (port, good),
        ("new", {**good, "codec": "nowhere:Nothing"}),
        ("new", {**good, "ptime_ms": 25}),
        ("new", {**good, "colour": "red"}),
        ("new", {"codec": "x:y"}),
        ("new", {**good, "remote": ("example.com", 5004)}),
    ]
    for name, params in bad:
        read, write = os.pipe()
        with pytest.raises(BankError):
            rig.bank.open(PortSpec(name, 8000, "", params, (read, write)), 1)
        for fd in (read, write):
            with pytest.raises(OSError, match="Bad file descriptor"):
                os.fstat(fd)
    read, write = os.pipe()
    with pytest.raises(BankError):
        rig.bank.open(PortSpec("new", 8000, "", good, (read, write)), 1)
    for fd in (read, write):
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(fd)
    rig.tick()


def test_jitter_is_that_of_arrival_not_of_the_tick(rig: Rig) -> None:
    """Packets sent in even steps, read two at a time: the kernel knows when they came."""
    phones = [rig.phone(ssrc=i + 1) for i in range(3)]
    ports = [rig.open(phone, row=i) for i, phone in enumerate(phones)]
    for i in range(600):
        for phone in phones:
            for _ in range(2 * (i % 2) if i > 10 else 1):
                phone.send(phone.tone_packet())
        rig.tick()
    for port in ports:
        rig.bank.close(port)
    rig.reported += rig.bank.reports()
    finals = rig.data("stats")[-3:]
    # In virtual time both come at once, 20 ms apart by their stamps.
    assert all(17 < final["jitter_ms"] < 22 for final in finals)


def test_numbers_stand_still_while_nothing_is_sent() -> None:
    params = RtpParams("x:Y", 0, 1, sequence=70000, timestamp=99, started_at=math.inf)
    assert params.numbers_at(1e9) == (70000, 99)
    assert replace(params, started_at=100.0).numbers_at(100.5) == (70025, 99 + 4000)
