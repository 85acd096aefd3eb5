"""Digits (RFC 4733), in and out, once each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from . import capture
from .baresip import baresip, call_in
from .client import Api, Events
from .server import Server
from .sipp import sipp


def told(events: Events, leg: str) -> list[tuple[str, int]]:
    return [(e["digit"], e["seq"]) for e in events.of(leg, "dtmf.received")]


def numbered(digits: str) -> list[tuple[str, int]]:
    return [(digit, number) for number, digit in enumerate(digits, 1)]


async def test_phones_send_each_other_digits(
    server: Server, api: Api, events: Events, tmp_path: Path
) -> None:
    async with (
        baresip(tmp_path / "alice", 425.0) as alice,
        baresip(tmp_path / "bob", 1030.0) as bob,
        baresip(tmp_path / "carol", 1735.0) as carol,
    ):
        phones = (alice, bob, carol)
        legs = [await call_in(p, server.sip_port, api, events, "digits") for p in phones]
        await api.post(f"/legs/{legs[2]}/dtmf/reject", 200)
        await alice.press("1590*#")
        assert await bob.wait("CALL_DTMF_END", 6)
        assert await bob.wait("CALL_DTMF_START", 6) == list("1590*#")
        await events.wait("dtmf.received", leg_id=legs[0], digit="#")
        assert told(events, legs[0]) == numbered("1590*#")
        # from the application, to one only
        await api.post(f"/legs/{legs[2]}/dtmf", 200, digits="42")
        await carol.wait("CALL_DTMF_END", 2)
        assert await carol.wait("CALL_DTMF_START", 2) == ["4", "2"]
        assert await bob.wait("CALL_DTMF_START", 6) == list("1590*#")
        for phone, leg in zip(phones, legs, strict=True):
            await phone.hang_up()
            await events.ended(leg)
    assert told(events, legs[1]) == told(events, legs[2]) == []


@pytest.mark.parametrize(
    ("name", "digits", "kept"),
    [
        ("whole", "0123456789*#ABCD", lambda number: True),
        ("the same digit again", "5555", lambda number: True),
        ("only the last of three ends", "147", lambda number: number % 8 not in (5, 6)),
        ("no end at all", "147", lambda number: number % 8 < 5),
        ("ends only", "147", lambda number: number % 8 >= 5),
        ("every other packet", "147", lambda number: number % 2),
    ],
)
async def test_digits_from_a_capture(
    server: Server,
    api: Api,
    events: Events,
    tmp_path: Path,
    name: str,
    digits: str,
    kept: Callable[[int], object],
) -> None:
    packets = capture.digits(digits)
    capture.write(tmp_path / "digits.pcap", [p for number, p in enumerate(packets) if kept(number)])
    fields = {
        "capture": str(tmp_path / "digits.pcap"),
        "milliseconds": str(int(packets[-1].at * 1000) + 500),
    }
    async with sipp(
        "caller_sends_digits.xml", tmp_path, target=server.sip_port, fields=fields
    ) as caller:
        leg = (await events.wait("leg.ringing"))["leg_id"]
        await api.post(f"/legs/{leg}/answer", 202)
        await events.ended(leg)
        await caller.succeeded()
    assert told(events, leg) == numbered(digits)
