"""Audio that was not agreed on, or that no codec understands, is lost to whoever listens."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from hookswitch_codec_opus.plugin import OPUS

from .conftest import Phone, Rig, rtp, tone

SPOKEN, TOTAL = 20, 80


def said(rig: Rig, *types: int, payload: bool = True, **params: Any) -> dict[str, Any]:
    """The statistics of a call in which packets of these types come."""
    phone = rig.phone()
    port = rig.open(phone, **params)
    for number, payload_type in enumerate(types):
        samples = tone(500.0, number * 160, 160 if payload else 0)
        phone.send(phone.packet(samples, payload_type))
        rig.tick()
    rig.bank.close(port)
    rig.reported += rig.bank.reports()
    return rig.data("stats")[-1]


def test_a_payload_type_that_was_not_agreed_on(rig: Rig) -> None:
    stats = said(rig, *[0] * SPOKEN, *[18] * (TOTAL - SPOKEN))
    lost = TOTAL - SPOKEN
    assert (stats["packets_received"], stats["packets_lost"]) == (SPOKEN, lost)
    assert stats["packets_discarded"] == lost
    assert stats["mos"] < 2
    assert rig.data("unknown_payload_type") == [{"payload_type": 18}]


def test_nothing_else_is_discarded(rig: Rig) -> None:
    for types, params in (
        ([0] * SPOKEN, {}),
        ([13] * SPOKEN, {}),
        ([8] * SPOKEN, {"alternatives": (8,)}),
        ([18] * SPOKEN, {"receive": False}),
    ):
        stats = said(rig, 0, *types, **params)
        assert stats["packets_discarded"] == stats["packets_lost"] == 0
    assert said(rig, *[18] * SPOKEN, payload=False)["packets_lost"] == 0, "it keeps a NAT open"
    assert not rig.data("unknown_payload_type")


def test_network_and_discarded_add_up(rig: Rig) -> None:
    phone = rig.phone()
    port = rig.open(phone)
    for number in range(TOTAL):
        packet = phone.packet(tone(500.0, 0, 160), 18 if number % 4 == 1 else 0)
        if number % 8 != 6:
            phone.send(packet)
        rig.tick()
    rig.bank.close(port)
    rig.reported += rig.bank.reports()
    stats = rig.data("stats")[-1]
    assert stats["packets_discarded"] == TOTAL // 4
    assert stats["packets_lost"] == TOTAL // 4 + TOTAL // 8
    assert stats["packets_received"] == TOTAL - stats["packets_lost"]
    (reported,) = reports_of_loss(phone)
    assert reported == TOTAL // 8, "RTCP is about the network"


def reports_of_loss(phone: Phone) -> list[int]:
    """Packets lost in all, as the last RTCP packet says."""
    packet = phone.received_rtcp()[-1]
    count, kind = packet[0] & 31, packet[1]
    start = 28 if kind == 200 else 8
    blocks = [packet[start + 24 * n : start + 24 * (n + 1)] for n in range(count)]
    return [struct.unpack("!I", block[4:8])[0] & 0xFFFFFF for block in blocks]


@pytest.mark.parametrize("garbage", [b"\xff", b"\xfb" + bytes(3)])
def test_what_the_codec_cannot_decode(rig: Rig, garbage: bytes) -> None:
    phone = rig.phone()
    port = rig.open(phone, rate=48000, codec=OPUS.batch, clock_rate=48000, payload_type=96)
    for number in range(10):
        phone.send(rtp(garbage, number, number * 960, 7, pt=96))
        rig.tick(rate=48000)
    rig.bank.close(port)
    rig.reported += rig.bank.reports()
    stats = rig.data("stats")[-1]
    assert (stats["packets_received"], stats["packets_lost"]) == (0, 10)
