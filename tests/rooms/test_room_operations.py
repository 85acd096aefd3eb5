"""Rooms over HTTP: opened, listed, joined, left, deleted."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from hookswitch.legs.leg import LegOptions
from hookswitch.testing.server import RunningSwitch

STAMP = {"instance_id": "test-instance"}
NOBODY = "00000000-0000-0000-0000-000000000000"


@pytest.mark.parametrize("prefix", ["", "/v1"])
async def test_a_room_is_opened_shown_and_deleted(
    running_switch: RunningSwitch, prefix: str
) -> None:
    ask = running_switch.ask
    body = {"id": "lobby", "sample_rate": 8000, "app_id": "shop"}
    room = await ask("POST", f"{prefix}/rooms", body, status=201)
    assert room == {
        **STAMP,
        "id": "lobby",
        "sample_rate": 8000,
        "participants": [],
        "app_id": "shop",
    }
    assert await ask("GET", f"{prefix}/rooms/lobby", status=200) == room
    assert await ask("GET", f"{prefix}/rooms", status=200) == [room]
    answer = await ask("DELETE", f"{prefix}/rooms/lobby", {}, status=200)
    assert answer == {**STAMP, "status": "deleted"}
    assert await ask("GET", f"{prefix}/rooms") == []
    for event_type in ("room.created", "room.deleted"):
        event = await running_switch.events.wait(event_type)
        assert (event["room_id"], event["app_id"]) == ("lobby", "shop")
        assert "leg_id" not in event


async def test_what_is_unset_gets_a_default(running_switch: RunningSwitch) -> None:
    unset = {"id": "", "sample_rate": 0, "app_id": "", "webhook_url": "", "webhook_secret": ""}
    for body in (None, {}, unset, {"invented": True}):
        room = await running_switch.ask("POST", "/v1/rooms", body, status=201)
        assert room["id"]
        assert room["sample_rate"] == 16000
        assert "app_id" not in room


async def test_what_does_not_fit_is_named(
    running_switch: RunningSwitch, subtests: pytest.Subtests
) -> None:
    await running_switch.ask("POST", "/v1/rooms", {"id": "r"})
    wrong: list[tuple[str, str, Any, str]] = [
        ("POST", "/rooms", {"sample_rate": 24000}, "sample_rate"),
        ("POST", "/rooms", {"sample_rate": "16000"}, "sample_rate"),
        ("POST", "/rooms", {"id": 5}, "id"),
        ("POST", "/rooms", {"id": "x" * 201}, "id"),
        ("POST", "/rooms", {"webhook_url": "nowhere"}, "webhook_url"),
        ("POST", "/rooms", {"app_id": []}, "app_id"),
        ("POST", "/rooms/r/legs", {}, "leg_id"),
        ("POST", "/rooms/r/legs", {"leg_id": ""}, "leg_id"),
        ("POST", "/rooms/r/legs", {"leg_id": 7}, "leg_id"),
        ("POST", "/rooms/r/legs", {"leg_id": NOBODY}, "leg_id"),
        ("POST", "/rooms/r/legs", {"leg_id": NOBODY, "mute": "yes"}, "mute"),
        ("POST", "/rooms/r/legs", {"leg_id": NOBODY, "deaf": 1}, "deaf"),
        ("POST", "/rooms/r/legs", {"leg_id": NOBODY, "accept_dtmf": "no"}, "accept_dtmf"),
        ("POST", "/rooms/r/legs", {"leg_id": NOBODY, "role": 3}, "role"),
        ("PUT", "/rooms/r/routing", {}, "matrix"),
        ("PUT", "/rooms/r/routing", {"matrix": []}, "matrix"),
        ("PUT", "/rooms/r/routing", {"matrix": {"a": "b"}}, "matrix.a"),
        ("PUT", "/rooms/r/routing", {"matrix": {"a": [1]}}, "matrix.a.0"),
        ("PATCH", "/rooms/r/routing", {}, "updates"),
        ("PATCH", "/rooms/r/routing", {"updates": [{"sources": []}]}, "updates.0.listener_role"),
        ("PATCH", "/rooms/r/routing", {"updates": [{"listener_role": "a", "sources": "b"}]},
         "updates.0.sources"),
        ("PUT", "/rooms/r/gains", {}, "gains"),
        ("PUT", "/rooms/r/gains", {"gains": [{"listener": "a", "db": 1}]}, "gains.0.source"),
        ("PUT", "/rooms/r/gains", {"gains": [{"listener": "a", "source": "a", "db": 1}]},
         "gains.0.source"),
        ("PUT", "/rooms/r/gains", {"gains": [{"listener": "a", "source": "b", "db": 25}]},
         "gains.0.db"),
        ("PUT", "/rooms/r/gains", {"gains": [{"listener": "a", "source": "b", "db": 1}]},
         "gains"),
    ]  # fmt: skip
    for method, path, body, named in wrong:
        with subtests.test(f"{method} {path} {body}"):
            message = await running_switch.problem(400, method, f"/v1{path}", body)
            assert message.startswith(f"{named}: ")


async def test_an_unknown_room_is_not_found(
    running_switch: RunningSwitch, subtests: pytest.Subtests
) -> None:
    leg = (await running_switch.dial()).leg
    requests: list[tuple[str, str, Any]] = [
        ("GET", "/rooms/x", None),
        ("DELETE", "/rooms/x", None),
        ("DELETE", f"/rooms/x/legs/{leg.id}", None),
        ("GET", "/rooms/x/routing", None),
        ("PUT", "/rooms/x/routing", {"matrix": {}}),
        ("PATCH", "/rooms/x/routing", {"updates": []}),
        ("GET", "/rooms/x/gains", None),
        ("PUT", "/rooms/x/gains", {"gains": []}),
    ]
    for method, path, body in requests:
        with subtests.test(f"{method} {path}"):
            assert "x" in await running_switch.problem(404, method, f"/v1{path}", body)


async def test_an_id_is_taken_once(running_switch: RunningSwitch) -> None:
    answers = await asyncio.gather(
        *(running_switch.http.post("/v1/rooms", json={"id": "r"}) for _ in range(5))
    )
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409, 409]
    assert "r" in await running_switch.problem(409, "POST", "/v1/rooms", {"id": "r"})


async def test_a_leg_is_added_moved_and_removed(running_switch: RunningSwitch) -> None:
    ask, leg = running_switch.ask, (await running_switch.dial(app_id="shop")).leg
    body = {"leg_id": leg.id}
    assert await ask("POST", "/v1/rooms/a/legs", body, status=200) == {**STAMP, "status": "added"}
    shown = await ask("GET", "/v1/rooms/a")
    assert shown["app_id"] == "shop"
    assert shown["participants"] == [await ask("GET", f"/v1/legs/{leg.id}")]
    assert shown["participants"][0]["room_id"] == "a"

    await running_switch.problem(400, "POST", "/v1/rooms/a/legs", body)
    moved = await ask("POST", "/v1/rooms/b/legs", body, status=200)
    assert moved == {**STAMP, "status": "moved", "from": "a", "to": "b"}
    assert (await ask("GET", "/v1/rooms/a"))["participants"] == []

    await running_switch.problem(404, "DELETE", f"/v1/rooms/a/legs/{leg.id}")
    removed = await ask("DELETE", f"/v1/rooms/b/legs/{leg.id}", status=200)
    assert removed == {**STAMP, "status": "removed"}
    await running_switch.problem(404, "DELETE", f"/v1/rooms/b/legs/{leg.id}")
    await running_switch.problem(404, "DELETE", f"/v1/rooms/b/legs/{NOBODY}")
    shown = await ask("GET", f"/v1/legs/{leg.id}")
    assert (shown["state"], shown["room_id"]) == ("connected", "")

    await running_switch.events.wait("leg.left_room", room_id="b")
    happened = [
        (event["type"], event["room_id"])
        for event in running_switch.events.events
        if "room_id" in event
    ]
    assert happened == [
        ("room.created", "a"),
        ("leg.joined_room", "a"),
        ("room.created", "b"),
        ("leg.left_room", "a"),
        ("leg.joined_room", "b"),
        ("leg.left_room", "b"),
    ]


async def test_a_leg_without_media_is_not_added(running_switch: RunningSwitch) -> None:
    out = await running_switch.ask("POST", "/v1/legs", {"type": "fake", "to": "x"})
    inbound = running_switch.fake.receive("fake_in").leg
    for leg_id in (out["id"], inbound.id):
        body = {"leg_id": leg_id}
        message = await running_switch.problem(400, "POST", "/v1/rooms/r/legs", body)
        assert "not connected" in message
    assert await running_switch.ask("GET", "/v1/rooms") == []


async def test_a_ringing_sip_call_is_answered_first(running_switch: RunningSwitch) -> None:
    call = running_switch.fake.receive("sip_inbound")
    body = {"leg_id": call.leg.id, "mute": True}
    answer = await running_switch.ask("POST", "/v1/rooms/r/legs", body, status=200)
    assert answer == {**STAMP, "status": "added"}
    assert call.asked == [("answer", None)]
    await running_switch.events.wait("leg.joined_room")
    assert running_switch.events.types(leg_id=call.leg.id) == [
        "leg.ringing",
        "leg.connected",
        "leg.muted",
        "leg.joined_room",
    ]


async def test_early_media_is_media(running_switch: RunningSwitch) -> None:
    call = running_switch.fake.receive("sip_inbound")
    await call.starts_early_media()
    await running_switch.ask("POST", "/v1/rooms/r/legs", {"leg_id": call.leg.id}, status=200)
    assert call.asked == []


async def test_a_call_that_ends_while_it_is_answered_is_not_added(
    running_switch: RunningSwitch,
) -> None:
    call = running_switch.fake.receive("sip_inbound")
    call.no_media = "no port is free"
    adding = asyncio.create_task(
        running_switch.problem(400, "POST", "/v1/rooms/r/legs", {"leg_id": call.leg.id})
    )
    await running_switch.events.wait("leg.command_failed", leg_id=call.leg.id)
    await call.hangs_up()
    await adding
    assert await running_switch.ask("GET", "/v1/rooms") == []


async def test_deleting_a_room_hangs_up_all_that_are_in_it(running_switch: RunningSwitch) -> None:
    inside = [await running_switch.dial(room_id="r") for _ in range(3)]
    outside = await running_switch.dial(room_id="other")
    await running_switch.ask("DELETE", "/v1/rooms/r", status=200)
    for call in inside:
        ended = await running_switch.events.wait("leg.disconnected", leg_id=call.leg.id)
        assert ended["cdr"]["reason"] == "room_deleted"
        assert running_switch.events.types(leg_id=call.leg.id)[-2:] == [
            "leg.left_room",
            "leg.disconnected",
        ]
    assert running_switch.open_ports == [outside.leg.id]


async def test_a_room_is_created_for_the_legs_it_is_named_by(
    running_switch: RunningSwitch,
) -> None:
    calls = [running_switch.fake.receive("fake_in", LegOptions(room_id="r")) for _ in range(4)]
    assert await running_switch.ask("GET", "/v1/rooms") == []
    await asyncio.gather(*(call.answers() for call in calls))
    room = await running_switch.ask("GET", "/v1/rooms/r")
    assert {leg["id"] for leg in room["participants"]} == {call.leg.id for call in calls}
    for call in calls:
        await running_switch.events.wait("leg.joined_room", leg_id=call.leg.id)
    assert running_switch.events.types(room_id="r").count("room.created") == 1


async def test_a_leg_joins_its_room_with_early_media_already(
    running_switch: RunningSwitch,
) -> None:
    call = running_switch.fake.receive("sip_inbound", LegOptions(room_id="r"))
    await call.starts_early_media()
    await call.answers()
    await running_switch.events.wait("leg.connected")
    assert running_switch.events.types(leg_id=call.leg.id) == [
        "leg.ringing",
        "leg.early_media",
        "leg.joined_room",
        "leg.connected",
    ]


async def test_an_empty_role_is_absent_when_a_leg_is_added(running_switch: RunningSwitch) -> None:
    leg = (await running_switch.dial()).leg
    await running_switch.ask("PATCH", f"/v1/legs/{leg.id}/role", {"role": "agent"})
    await running_switch.ask("POST", "/v1/rooms/r/legs", {"leg_id": leg.id, "role": ""})
    assert leg.role == "agent"
