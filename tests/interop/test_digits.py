"""Digits, in and out, once each: as events (RFC 4733) and by INFO."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from . import capture
from .baresip import baresip, call_in
from .client import Api, Events
from .linphone import RUNNING, linphone
from .server import Server
from .sipp import Sipp, sipp


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


async def test_digits_by_info_and_by_events_in_one_room(
    server: Server, api: Api, events: Events, tmp_path: Path
) -> None:
    async with (
        baresip(tmp_path / "alice", 425.0, account="dtmfmode=info") as alice,
        baresip(tmp_path / "bob", 1030.0) as bob,
        linphone(tmp_path / "carol", "use_info=1", "use_rfc2833=0") as carol,
    ):
        legs = [
            await call_in(phone, server.sip_port, api, events, "digits") for phone in (alice, bob)
        ]
        legs.append(await api.call(carol.uri, room_id="digits"))
        await events.wait("leg.joined_room", leg_id=legs[2])
        await carol.reaches(RUNNING)
        await alice.press("15*#")
        await events.wait("dtmf.received", leg_id=legs[0], digit="#")
        assert told(events, legs[0]) == numbered("15*#")
        assert await bob.wait("CALL_DTMF_START", 4) == list("15*#")
        await carol.is_sent("15*#")
        await carol.do(press="09A")
        await events.wait("dtmf.received", leg_id=legs[2], digit="A")
        assert told(events, legs[2]) == numbered("09A")
        assert (await bob.wait("CALL_DTMF_START", 7))[4:] == list("09A")
        for leg in legs:
            await api.delete(f"/legs/{leg}", 202)
            await events.ended(leg)


async def test_a_phone_on_hold_takes_no_digits(
    server: Server, api: Api, events: Events, tmp_path: Path
) -> None:
    async with baresip(tmp_path / "alice", 425.0) as alice:
        leg = await call_in(alice, server.sip_port, api, events, "digits")
        await alice.hold()
        await events.wait("leg.hold", leg_id=leg)
        refused = await api.post(f"/legs/{leg}/dtmf", 409, digits="1")
        assert "on hold" in refused["error"]
        await alice.resume()
        await events.wait("leg.unhold", leg_id=leg)
        await api.post(f"/legs/{leg}/dtmf", 200, digits="2")
        assert await alice.wait("CALL_DTMF_START") == ["2"]
        await api.delete(f"/legs/{leg}", 202)
        await events.ended(leg)


async def dial_by_info(api: Api, events: Events, callee: Sipp, *digits: str, last: str) -> str:
    """Call, send digits until the last one was seen, and hang up; answers the leg."""
    leg = await api.call(callee.uri)
    await events.wait("leg.connected", leg_id=leg)
    for some in digits:
        await api.post(f"/legs/{leg}/dtmf", 200, digits=some)
    await callee.saw(last)
    await api.delete(f"/legs/{leg}", 202)
    await events.ended(leg)
    await callee.succeeded()
    return leg


async def test_digits_go_by_info_where_events_were_not_negotiated(
    api: Api, events: Events, tmp_path: Path
) -> None:
    fields = {"status": "200", "phrase": "OK"}
    async with sipp("callee_takes_info.xml", tmp_path, fields=fields) as callee:
        await dial_by_info(api, events, callee, "12,3", "*#D", last="Signal=D")
        sent = re.findall(
            r"^-+ \S+ \d+:(\d+):([\d.]+)\n(?:(?!^---).*\n)*?"
            r"Signal=(.)\r?\nDuration=100\r?$",
            callee.messages,
            re.M,
        )
        assert [digit for _, _, digit in sent] == list("123*#D")
        at = [60 * int(minute) + float(second) for minute, second, _ in sent]
        pauses = [(after - before) % 3600 for before, after in pairwise(at)]
        assert min(pauses) > 0.15, "each digit lasts"
        assert pauses[1] > 0.65, "a comma is half a second"
        assert "Content-Type: application/dtmf-relay" in callee.messages


async def test_digits_go_the_other_way_where_the_first_is_not_known(
    api: Api, events: Events, tmp_path: Path
) -> None:
    async with sipp("callee_takes_plain_info.xml", tmp_path) as callee:
        leg = await dial_by_info(api, events, callee, "12", "#", last="\n#")
        bodies = re.findall(
            r"Content-Type: (application/dtmf\S*)\r?\n(?:\S.*\r?\n)*\r?\n(\S+)",
            callee.messages,
        )
        first, *others = bodies
        assert first == ("application/dtmf-relay", "Signal=1")
        assert others == [("application/dtmf", digit) for digit in "12#"]
    assert not events.of(leg, "leg.command_failed")


async def test_a_peer_that_takes_no_info_is_sent_none(
    api: Api, events: Events, tmp_path: Path
) -> None:
    async with sipp("callee_takes_no_info.xml", tmp_path) as callee:
        leg = await api.call(callee.uri)
        await events.wait("leg.connected", leg_id=leg)
        refused = await api.post(f"/legs/{leg}/dtmf", 409, digits="1")
        assert "nor INFO" in refused["error"]
        await api.delete(f"/legs/{leg}", 202)
        await events.ended(leg)
        await callee.succeeded()
        assert "INFO sip:" not in callee.messages


async def test_a_peer_that_refuses_info_is_told_of_once(
    api: Api, events: Events, tmp_path: Path
) -> None:
    fields = {"status": "415", "phrase": "Unsupported Media Type"}
    async with sipp("callee_takes_info.xml", tmp_path, fields=fields) as callee:
        leg = await api.call(callee.uri)
        await events.wait("leg.connected", leg_id=leg)
        await api.post(f"/legs/{leg}/dtmf", 200, digits="123")
        failed = await events.wait("leg.command_failed", leg_id=leg)
        assert failed["command"] == "dtmf"
        assert "415" in failed["error"]
        refused = await api.post(f"/legs/{leg}/dtmf", 500, digits="4")
        assert refused["error"].startswith("DTMF writer unavailable")
        await api.delete(f"/legs/{leg}", 202)
        await events.ended(leg)
        await callee.succeeded()
        assert callee.messages.count("\nSignal=") == 1


@pytest.mark.parametrize(
    ("content_type", "body", "digit"),
    [
        ("application/dtmf-relay", "Signal= 5\nDuration= 160", "5"),
        ("application/dtmf-relay", "duration=160\nsignal=#", "#"),
        ("application/dtmf", "b", "B"),
        ("application/dtmf", "10", "*"),
    ],
)
async def test_a_digit_by_info(
    server: Server,
    api: Api,
    events: Events,
    tmp_path: Path,
    content_type: str,
    body: str,
    digit: str,
) -> None:
    fields = {"type": content_type, "body": body, "status": "200"}
    async with sipp(
        "caller_sends_info.xml", tmp_path, target=server.sip_port, fields=fields
    ) as caller:
        leg = (await events.wait("leg.ringing"))["leg_id"]
        refused = await api.post(f"/legs/{leg}/dtmf", 409, digits="1")
        assert "no media yet" in refused["error"]
        await api.post(f"/legs/{leg}/answer", 202)
        await events.ended(leg)
        await caller.succeeded()
    assert told(events, leg) == [(digit, 1)]
