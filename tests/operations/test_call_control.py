"""Hold and transfer over HTTP and the event stream: statuses, words, preconditions."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from hookswitch.legs.call import Call
from hookswitch.testing.server import RunningSwitch, run_switch
from tests.sound import level, tone

NOBODY = "00000000-0000-0000-0000-000000000000"


async def test_a_leg_is_held_and_resumed(running_switch: RunningSwitch) -> None:
    call = await running_switch.dial()
    path = f"/v1/legs/{call.leg.id}"
    answer = await running_switch.ask("POST", f"{path}/hold", status=202)
    assert answer == {"instance_id": "test-instance", "status": "holding"}
    shown = await running_switch.ask("GET", path)
    assert (shown["state"], shown["held"]) == ("held", True)
    answer = await running_switch.ask("DELETE", f"{path}/hold", status=202)
    assert answer["status"] == "unholding"
    shown = await running_switch.ask("GET", path)
    assert (shown["state"], shown["held"]) == ("connected", False)
    assert running_switch.events.types(leg_id=call.leg.id)[-2:] == ["leg.hold", "leg.unhold"]


async def test_the_commands_are_on_the_event_stream(running_switch: RunningSwitch) -> None:
    call = await running_switch.dial()
    async with running_switch.vsi() as stream:
        held = await stream.command("hold_leg", id=call.leg.id)
        assert held["status"] == "holding"
        resumed = await stream.command("unhold_leg", id=call.leg.id)
        assert resumed["status"] == "unholding"
        begun = await stream.command("leg_transfer", id=call.leg.id, target="sip:bob@h")
        assert begun["status"] == "transfer_initiated"


async def test_both_sides_hold_and_each_takes_back_its_own(running_switch: RunningSwitch) -> None:
    call = await running_switch.dial()
    leg = call.leg
    leg.held("us")
    leg.held("us")
    leg.held("peer")
    leg.unheld("us")
    assert leg.state == "held"
    leg.unheld("us")
    leg.unheld("peer")
    assert leg.state == "connected"
    await running_switch.switch.events.written()
    told = running_switch.events.types(leg_id=leg.id)
    assert told[-4:] == ["leg.hold", "leg.hold", "leg.unhold", "leg.unhold"]


async def test_a_leg_apart_and_its_room_do_not_hear_each_other(
    running_switch: RunningSwitch,
) -> None:
    alice = await running_switch.dial(room_id="r")
    bob = await running_switch.dial(room_id="r")
    for call, frequency in ((alice, 440.0), (bob, 1000.0)):
        sound = tone(frequency, 1.0, call.rate)
        call.says(lambda n, size, s=sound: s[n * size % len(s) :][:size])
    await asyncio.gather(alice.hears(0.2), bob.hears(0.2))
    await bob.leg.stand_apart(True)
    await asyncio.gather(alice.hears(0.1), bob.hears(0.1))
    heard = await asyncio.gather(alice.hears(0.2), bob.hears(0.2))
    assert [float(abs(audio).max()) for audio in heard] == [0.0, 0.0]
    await bob.leg.stand_apart(False)
    await asyncio.gather(alice.hears(0.1), bob.hears(0.1))
    by_alice, by_bob = await asyncio.gather(alice.hears(0.2), bob.hears(0.2))
    assert level(by_alice, 1000.0, alice.rate) > -14
    assert level(by_bob, 440.0, bob.rate) > -14


async def test_what_cannot_be_held(running_switch: RunningSwitch) -> None:
    call = await running_switch.dial()
    call.leg.call = Call()  # of a transport that knows nothing of hold
    for method in ("POST", "DELETE"):
        problem = await running_switch.problem(400, method, f"/v1/legs/{call.leg.id}/hold")
        assert "not a SIP leg" in problem
    call.leg.call = call


async def test_a_leg_is_transferred(running_switch: RunningSwitch) -> None:
    call, other = await running_switch.dial(), await running_switch.dial()
    path = f"/v1/legs/{call.leg.id}/transfer"
    body: dict[str, Any] = {"target": "sip:bob@example.com"}
    answer = await running_switch.ask("POST", path, body, status=202)
    assert answer["status"] == "transfer_initiated"
    body["replaces_leg_id"] = other.leg.id
    await running_switch.ask("POST", path, body, status=202)
    assert call.asked == [
        ("transfer", ("sip:bob@example.com", None)),
        ("transfer", ("sip:bob@example.com", other.leg.id)),
    ]


async def test_transfers_that_cannot_be(running_switch: RunningSwitch) -> None:
    call = await running_switch.dial()
    ringing = running_switch.fake.receive()
    path, target = f"/v1/legs/{call.leg.id}/transfer", "sip:bob@example.com"
    assert "target" in await running_switch.problem(400, "POST", path, {})
    assert "target" in await running_switch.problem(400, "POST", path, {"target": ""})
    for replaced in (NOBODY, call.leg.id, ringing.leg.id):
        body = {"target": target, "replaces_leg_id": replaced}
        assert "replaces_leg_id" in await running_switch.problem(409, "POST", path, body)
    other = f"/v1/legs/{ringing.leg.id}/transfer"
    assert "ringing" in await running_switch.problem(409, "POST", other, {"target": target})
    call.leg.call = Call()
    assert "SIP" in await running_switch.problem(409, "POST", path, {"target": target})
    call.leg.call = call


async def test_a_transfer_of_the_peer_is_decided(running_switch: RunningSwitch) -> None:
    call = await running_switch.dial()
    path = f"/v1/legs/{call.leg.id}/transfer"
    for what, body, word in (
        ("accept", None, "transfer_accepted"),
        ("progress", {"status_code": 180, "reason": "Ringing"}, "transfer_progress"),
        ("complete", {"success": True}, "transfer_completed"),
        ("complete", {"success": False}, "transfer_failed"),
        ("complete", {"success": False, "status_code": 486}, "transfer_failed"),
        ("decline", None, "transfer_declined"),
        ("decline", {"code": 480, "reason": "Not now"}, "transfer_declined"),
    ):
        answer = await running_switch.ask("POST", f"{path}/{what}", body, status=202)
        assert answer["status"] == word
    assert call.asked == [
        ("accept_transfer", None),
        ("report_transfer", (180, "Ringing")),
        ("report_transfer", (200, None)),
        ("report_transfer", (503, None)),
        ("report_transfer", (486, None)),
        ("decline_transfer", (603, None)),
        ("decline_transfer", (480, "Not now")),
    ]


@pytest.mark.parametrize(
    ("what", "body", "field"),
    [
        ("progress", {}, "status_code"),
        ("progress", {"status_code": 200}, "status_code"),
        ("progress", {"status_code": 180, "reason": "a\r\nb"}, "reason"),
        ("complete", {}, "success"),
        ("complete", {"success": True, "status_code": 486}, "status_code"),
        ("complete", {"success": False, "status_code": 200}, "status_code"),
        ("complete", {"success": "yes"}, "success"),
        ("decline", {"code": 200}, "code"),
        ("decline", {"code": "603"}, "code"),
    ],
)
async def test_decisions_that_make_no_sense(
    running_switch: RunningSwitch, what: str, body: dict[str, Any], field: str
) -> None:
    call = await running_switch.dial()
    path = f"/v1/legs/{call.leg.id}/transfer/{what}"
    assert field in await running_switch.problem(400, "POST", path, body)
    assert call.asked == []


async def test_no_transfer_to_decide_about(running_switch: RunningSwitch) -> None:
    call = await running_switch.dial()
    call.leg.call = Call()
    path = f"/v1/legs/{call.leg.id}/transfer"
    for what, body in (
        ("accept", None),
        ("progress", {"status_code": 180}),
        ("complete", {"success": True}),
        ("decline", None),
    ):
        await running_switch.problem(409, "POST", f"{path}/{what}", body)
    call.leg.call = call


class JumpingLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock can be put forward."""

    ahead = 0.0

    def time(self) -> float:
        return super().time() + self.ahead


@pytest.mark.parametrize("resumed", [False, True])
def test_a_call_on_hold_for_two_hours_is_hung_up(tmp_path: Path, resumed: bool) -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, JumpingLoop)
        async with run_switch(tmp_path) as server:
            call = await server.dial()
            call.leg.held()
            if resumed:
                call.leg.unheld()
            loop.ahead += 2 * 3600 - 5
            await call.hears(0.04)
            assert call.asked == []
            loop.ahead += 10
            if resumed:
                await call.hears(0.04)
            else:
                await call.leg.ended.wait()
            assert call.asked == ([] if resumed else [("hang_up", "hold_timeout")])

    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        runner.run(scenario())
