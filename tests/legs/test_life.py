"""A leg from its first event to its last."""

from __future__ import annotations

import asyncio
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from hookswitch.errors import Unavailable
from hookswitch.legs import leg as leg_module
from hookswitch.legs.leg import Leg, LegOptions
from hookswitch.mixer.bank import PortReport
from hookswitch.plugin import Refusal, Route, hookimpl
from hookswitch.testing.server import RunningSwitch, run_switch

ENVELOPE = ["type", "timestamp", "event_id", "cursor", "instance_id"]


async def test_the_events_of_an_outbound_call(running_switch: RunningSwitch) -> None:
    call = await running_switch.dial(**{"from": "carol", "app_id": "shop"})
    await running_switch.ask("DELETE", f"/v1/legs/{call.leg.id}")
    await running_switch.events.wait("leg.disconnected")
    events = running_switch.events.events
    ringing, connected, ended = [without_envelope(event) for event in events]
    leg = {"leg_id": call.leg.id, "leg_type": "fake_out", "app_id": "shop"}
    assert ringing == {**leg, "uri": "answers", "from": "carol"}
    assert connected == leg
    cdr = ended.pop("cdr")
    assert ended == leg
    assert cdr.keys() == {"reason", "duration_total", "duration_answered"}
    assert 0 < cdr["duration_answered"] <= cdr["duration_total"] < 10
    assert [event["type"] for event in events] == [
        "leg.ringing",
        "leg.connected",
        "leg.disconnected",
    ]
    cursors = [event["cursor"] for event in events]
    assert cursors == sorted(set(cursors))
    assert len({UUID(event["event_id"]) for event in events}) == 3
    for event in events:
        assert event["instance_id"] == "test-instance"
        assert event["timestamp"].endswith("Z")
        assert len(event["timestamp"]) == len("2026-05-26T12:00:00.000Z")
        assert datetime.fromisoformat(event["timestamp"]).utcoffset() is not None


def without_envelope(event: dict[str, Any]) -> dict[str, Any]:
    assert list(event)[:5] == ENVELOPE
    return {name: value for name, value in event.items() if name not in ENVELOPE}


async def test_the_events_of_an_inbound_sip_call(running_switch: RunningSwitch) -> None:
    options = LegOptions(headers={"X-Id": "7", "P-Charge": "8"})
    call = running_switch.fake.receive("sip_inbound", options, codecs=["PCMU", "G722"])
    ringing = await running_switch.events.wait("leg.ringing")
    assert without_envelope(ringing) == {
        "leg_id": call.leg.id,
        "leg_type": "sip_inbound",
        "from": "alice",
        "to": "bob",
        "headers": {"X-Id": "7", "P-Charge": "8"},
        "sip_headers": {"X-Id": "7"},
        "offered_codecs": [
            {"name": "PCMU", "payload_type": 0, "clock_rate": 8000, "priority": 0},
            {"name": "G722", "payload_type": 1, "clock_rate": 8000, "priority": 1},
        ],
        "source_address": "192.0.2.1:5060",
    }
    for path, event_type in (("early-media", "leg.early_media"), ("answer", "leg.connected")):
        await running_switch.ask("POST", f"/v1/legs/{call.leg.id}/{path}")
        event = await running_switch.events.wait(event_type)
        assert without_envelope(event) == {"leg_id": call.leg.id, "leg_type": "sip_inbound"}
    await call.hangs_up()
    ended = await running_switch.events.wait("leg.disconnected")
    assert ended["cdr"]["reason"] == "remote_bye"


async def test_a_call_that_is_never_answered_was_answered_for_no_time(
    running_switch: RunningSwitch,
) -> None:
    call = running_switch.fake.receive("sip_inbound")
    await call.hangs_up("caller_cancel")
    ended = await running_switch.events.wait("leg.disconnected")
    assert ended["cdr"]["duration_answered"] == 0
    assert "quality" not in ended


async def test_what_was_accepted_and_fails_is_an_event(running_switch: RunningSwitch) -> None:
    call = running_switch.fake.receive("sip_inbound")
    call.no_media = "no port is free"
    for path, command in (("early-media", "early_media"), ("answer", "answer")):
        await running_switch.ask("POST", f"/v1/legs/{call.leg.id}/{path}", status=202)
        event = await running_switch.events.wait("leg.command_failed", command=command)
        assert without_envelope(event) == {
            "leg_id": call.leg.id,
            "command": command,
            "error": "no port is free",
        }
    assert call.leg.is_unanswered


async def test_hold_is_seen(running_switch: RunningSwitch) -> None:
    leg = (await running_switch.dial()).leg
    leg.held()
    shown = await running_switch.ask("GET", f"/v1/legs/{leg.id}")
    assert (shown["state"], shown["held"]) == ("held", True)
    leg.unheld()
    shown = await running_switch.ask("GET", f"/v1/legs/{leg.id}")
    assert (shown["state"], shown["held"]) == ("connected", False)
    await running_switch.events.wait("leg.unhold")
    assert running_switch.events.types(leg_type="fake_out")[2:] == ["leg.hold", "leg.unhold"]


async def test_an_unanswered_call_ends_when_its_time_is_up(running_switch: RunningSwitch) -> None:
    body = {"type": "fake", "to": "x", "ring_timeout": 1}
    leg = await running_switch.ask("POST", "/v1/legs", body)
    ended = await running_switch.events.wait("leg.disconnected", leg_id=leg["id"])
    assert ended["cdr"]["reason"] == "ring_timeout"
    assert 0.9 < ended["cdr"]["duration_total"] < 3


async def test_an_answered_call_ends_when_its_time_is_up(running_switch: RunningSwitch) -> None:
    call = await running_switch.dial(ring_timeout=1, max_duration=1)
    ended = await running_switch.events.wait("leg.disconnected")
    assert ended["cdr"]["reason"] == "max_duration"
    assert call.asked == [("hang_up", "max_duration")]


async def test_a_call_that_does_not_end_is_ended(
    running_switch: RunningSwitch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leg_module, "HANGUP_GRACE", 0.05)
    call = await running_switch.dial(room_id="r")
    call.stubborn = True
    await running_switch.ask("DELETE", f"/v1/legs/{call.leg.id}", status=202)
    ended = await running_switch.events.wait("leg.disconnected")
    assert ended["cdr"]["reason"] == "api_hangup"
    await call.leg.ended.wait()
    assert call.released == 1
    assert running_switch.open_ports == []


async def test_only_the_first_end_counts(running_switch: RunningSwitch) -> None:
    call = await running_switch.dial()
    call.leg.hang_up("api_hangup")
    call.leg.hang_up("max_duration")
    await asyncio.gather(*(call.hangs_up(reason) for reason in ("remote_bye", "timeout")))
    await running_switch.events.wait("leg.disconnected")
    await running_switch.ask("GET", "/v1/legs")
    endings = [e for e in running_switch.events.events if e["type"] == "leg.disconnected"]
    assert [e["cdr"]["reason"] for e in endings] == ["api_hangup"]
    assert call.asked == [("hang_up", "api_hangup")]


async def test_the_media_tells_of_its_quality_and_of_its_end(
    running_switch: RunningSwitch,
) -> None:
    call = await running_switch.dial()
    stats = {"packets_received": 500, "packets_lost": 3, "jitter_ms": 1.5, "mos": 4.3}
    call.leg.on_report(PortReport(call.leg.id, "stats", stats))
    call.leg.on_report(PortReport(call.leg.id, "media_timeout"))
    ended = await running_switch.events.wait("leg.disconnected")
    assert ended["cdr"]["reason"] == "rtp_timeout"
    assert ended["quality"] == {
        "mos_score": 4.3,
        "rtp_packets_received": 500,
        "rtp_packets_lost": 3,
        "rtp_jitter_ms": 1.5,
    }


async def test_media_that_fails_ends_the_call(running_switch: RunningSwitch) -> None:
    call = await running_switch.dial(room_id="r")
    report = PortReport(call.leg.id, "closed", {"error": "the bank failed"})
    call.leg.on_report(report)
    ended = await running_switch.events.wait("leg.disconnected")
    assert ended["cdr"]["reason"] == "server_error"


class Doorkeeper:
    """Turns away some, routes some."""

    @hookimpl
    def refusal_from_leg(self, leg: Leg) -> Refusal | None:
        return Refusal("busy") if leg.headers.get("X-Mood") == "bad" else None

    @hookimpl
    def route_from_leg(self, leg: Leg) -> Route | None:
        return Route("lobby") if leg.headers.get("X-Mood") == "good" else None


async def test_plugins_turn_away_and_route(tmp_path: Path) -> None:
    async with run_switch(tmp_path, Doorkeeper()) as server:
        refused = server.fake.receive(options=LegOptions(headers={"X-Mood": "bad"}))
        assert refused.asked == [("hang_up", "busy")]
        await refused.leg.ended.wait()
        routed = server.fake.receive(options=LegOptions(headers={"X-Mood": "good"}))
        await server.events.wait("leg.joined_room", leg_id=routed.leg.id, room_id="lobby")
        waiting = server.fake.receive()
        assert waiting.asked == []
        assert server.events.types(leg_id=refused.leg.id) == []  # nobody hears of it


async def test_no_new_calls_while_draining(running_switch: RunningSwitch) -> None:
    call = await running_switch.dial()
    running_switch.switch.drain()
    body = {"type": "fake", "to": "answers"}
    assert "draining" in await running_switch.problem(503, "POST", "/v1/legs", body)
    with pytest.raises(Unavailable):
        running_switch.fake.receive()
    assert running_switch.fake.is_draining
    await running_switch.ask("POST", f"/v1/legs/{call.leg.id}/mute", status=200)


async def test_a_drain_waits_for_calls_but_not_for_ever(running_switch: RunningSwitch) -> None:
    call = await running_switch.dial()
    await running_switch.switch.drained(0.01)
    assert call.leg.is_answered
    waiting = asyncio.create_task(running_switch.switch.drained(60))
    await call.hangs_up()
    await waiting
