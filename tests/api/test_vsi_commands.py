"""Commands over the event stream: the same operations, the same words, the same errors."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from hookswitch.api import vsi
from hookswitch.testing.server import RunningSwitch, run_switch
from hookswitch.testing.vsi import VsiClient, VsiError, open_vsi

NOBODY = "00000000-0000-0000-0000-000000000000"


async def refusal(stream: VsiClient, command: str, **payload: Any) -> tuple[int, str]:
    with pytest.raises(VsiError) as refused:
        await stream.command(command, **payload)
    return refused.value.code, refused.value.message


async def test_a_call_can_be_led_by_commands_alone(running_switch: RunningSwitch) -> None:
    async with running_switch.vsi() as stream:
        do = stream.command
        leg = await do("create_leg", type="fake", to="answers")
        assert (leg["instance_id"], leg["type"]) == ("test-instance", "fake_out")
        await stream.event("leg.connected")
        ids = {"id": leg["id"]}
        room = await do("create_room", id="r", sample_rate=8000)
        assert (room["id"], room["sample_rate"]) == ("r", 8000)
        stamp = {"instance_id": "test-instance"}
        for command, payload, status in (
            ("add_leg_to_room", {"room_id": "r", "leg_id": leg["id"]}, "added"),
            ("mute_leg", ids, "muted"),
            ("unmute_leg", {"leg_id": leg["id"]}, "unmuted"),
            ("deaf_leg", ids, "deaf"),
            ("undeaf_leg", ids, "undeaf"),
            ("send_leg_dtmf", {**ids, "digits": "12"}, "sent"),
            ("reject_leg_dtmf", ids, "dtmf_rejecting"),
            ("accept_leg_dtmf", ids, "dtmf_accepting"),
            ("send_leg_rtt", {**ids, "text": "hi"}, "sent"),
            ("reject_leg_rtt", ids, "rtt_rejecting"),
            ("accept_leg_rtt", ids, "rtt_accepting"),
            ("remove_leg_from_room", {"room_id": "r", "leg_id": leg["id"]}, "removed"),
        ):
            assert await do(command, **payload) == {**stamp, "status": status}
        call = running_switch.fake.calls[leg["id"]]
        assert (call.digits, call.text) == ("12", "hi")
        answer = await do("add_leg_to_room", id="r", leg_id=leg["id"], role="agent")
        assert answer["status"] == "added"
        shown = await do("get_leg", **ids)
        assert (shown["room_id"], shown["role"]) == ("r", "agent")
        assert await do("list_legs") == [shown]
        shown = await do("get_room", room_id="r")
        assert await do("get_room", id="r") == shown
        assert await do("list_rooms") == [shown]
        assert (await do("delete_room", id="r"))["status"] == "deleted"
        ended = await stream.event("leg.disconnected")
        assert ended["cdr"]["reason"] == "room_deleted"


async def test_an_inbound_call_by_commands(running_switch: RunningSwitch) -> None:
    async with running_switch.vsi() as stream:
        call = running_switch.fake.receive("sip_inbound")
        ids = {"id": call.leg.id}
        for command, status, event_type in (
            ("leg_ring", "ringing", None),
            ("leg_early_media", "early_media", "leg.early_media"),
            ("answer_leg", "answering", "leg.connected"),
        ):
            assert (await stream.command(command, **ids))["status"] == status
            if event_type:
                await stream.event(event_type)
        assert (await stream.command("delete_leg", **ids))["status"] == "hanging_up"
        await stream.event("leg.disconnected")
        other = running_switch.fake.receive("sip_inbound")
        await stream.command("delete_leg", id=other.leg.id, reason="busy")
        ended = await stream.event("leg.disconnected", leg_id=other.leg.id)
        assert ended["cdr"]["reason"] == "busy"


async def test_every_operation_is_a_command(running_switch: RunningSwitch) -> None:
    commands = {operation.command for operation in running_switch.switch.operations}
    assert commands >= {
        *("list_legs", "get_leg", "create_leg", "delete_leg", "answer_leg", "mute_leg"),
        *("unmute_leg", "deaf_leg", "undeaf_leg", "send_leg_dtmf", "accept_leg_dtmf"),
        *(
            "reject_leg_dtmf",
            "send_leg_rtt",
            "accept_leg_rtt",
            "reject_leg_rtt",
            "list_rooms",
            "get_room",
            "create_room",
            "delete_room",
        ),
        *("add_leg_to_room", "remove_leg_from_room", "leg_ring", "leg_early_media"),
    }
    async with running_switch.vsi() as stream:
        for command in commands - {"list_legs", "list_rooms", "create_room"}:
            code, _ = await refusal(stream, command)
            assert code == 400, command  # an id or a body is lacking, but it is known


async def test_errors_name_their_request(running_switch: RunningSwitch) -> None:
    async with running_switch.vsi() as stream:
        assert await refusal(stream, "fly") == (404, "type: 'fly' is no command")
        code, message = await refusal(stream, "get_leg", id=NOBODY)
        assert (code, NOBODY in message) == (404, True)
        for payload in ({}, {"id": ""}, {"id": 7}, {"id": None}):
            assert await refusal(stream, "get_leg", **payload) == (400, "id: required, a string")
        code, message = await refusal(stream, "send_leg_dtmf", id=NOBODY)
        assert (code, message.startswith("digits: ")) == (400, True)
        code, message = await refusal(stream, "leg_amd_start", id=NOBODY)
        assert (code, "hookswitch[amd]" in message) == (501, True)
        await stream.command("create_room", id="r")
        assert (await refusal(stream, "create_room", id="r"))[0] == 409


async def test_what_is_no_command_is_told(running_switch: RunningSwitch) -> None:
    async with running_switch.vsi() as stream:
        for number, (message, code) in enumerate(
            [
                ("{", 400),
                ("[]", 400),
                ('"list_legs"', 400),
                ("{}", 400),
                ({"type": 5}, 400),
                ({"type": ["list_legs"]}, 400),
                ({"type": "list_legs", "payload": [1]}, 400),
                ({"type": "list_legs", "payload": "x"}, 400),
            ]
        ):
            await stream.send(message)
            await stream.message(lambda _, n=number: len(stream.messages) == n + 2)
            reply = stream.messages[-1]
            assert reply["type"] == "error"
            assert reply["request_id"] is None
            assert reply["data"].keys() == {"code", "message"}
            assert reply["data"]["code"] == code, message
        await stream.command("list_legs")


async def test_a_slow_command_holds_up_no_other(running_switch: RunningSwitch) -> None:
    call = running_switch.fake.receive("sip_inbound")
    call.no_media = "not yet"
    async with running_switch.vsi() as stream:
        slow = asyncio.create_task(
            stream.command("add_leg_to_room", room_id="r", leg_id=call.leg.id)
        )
        await stream.event("leg.command_failed")
        assert len(await stream.command("list_legs")) == 1
        call.no_media = None
        await call.answers()
        assert (await slow)["status"] == "added"


async def test_a_reader_that_leaves_while_a_command_runs_leaves_nothing(
    running_switch: RunningSwitch,
) -> None:
    call = running_switch.fake.receive("sip_inbound")
    call.no_media = "not yet"
    async with running_switch.vsi() as stream:
        body = {"room_id": "r", "leg_id": call.leg.id}
        await stream.send({"type": "add_leg_to_room", "payload": body})
        await stream.event("leg.command_failed")
    call.no_media = None
    await call.answers()
    await running_switch.events.wait("leg.joined_room")


async def test_many_commands_at_once(running_switch: RunningSwitch) -> None:
    async with running_switch.vsi() as stream:
        rooms = [f"room-{n}" for n in range(2 * vsi.MAX_COMMANDS)]
        await asyncio.gather(*(stream.command("create_room", id=room) for room in rooms))
        assert [room["id"] for room in await stream.command("list_rooms")] == rooms


async def test_a_read_key_only_reads(tmp_path: Path) -> None:
    async with (
        run_switch(tmp_path, api_keys="eye:look:read,hand:touch") as server,
        server.vsi(api_key="look") as eye,
        open_vsi(
            f"ws://{server.address}/vsi", {}, additional_headers={"Authorization": "Bearer touch"}
        ) as hand,
    ):
        assert await eye.command("list_rooms") == []
        assert await refusal(eye, "create_room", id="r") == (403, "your key may only read")
        await hand.command("create_room", id="r")
        assert len(await eye.command("list_rooms")) == 1
        await eye.event("room.created")
