"""Digits and text from one leg: told as events, passed on to the room's others."""

from __future__ import annotations

from hookswitch.errors import OperationFailed
from hookswitch.testing.fake_transport import FakeCall
from hookswitch.testing.server import RunningSwitch


async def three_in_a_room(server: RunningSwitch) -> list[FakeCall]:
    return [await server.dial(room_id="r") for _ in range(3)]


async def test_digits_go_to_the_others_that_accept_them(running_switch: RunningSwitch) -> None:
    a, b, c = await three_in_a_room(running_switch)
    outside = await running_switch.dial(room_id="elsewhere")
    await running_switch.ask("POST", f"/v1/legs/{b.leg.id}/dtmf/reject")
    a.presses("12#")
    assert [call.digits for call in (a, b, c, outside)] == ["", "", "12#", ""]
    await running_switch.ask("POST", f"/v1/legs/{b.leg.id}/dtmf/accept")
    a.presses("9")
    assert [call.digits for call in (a, b, c, outside)] == ["", "9", "12#9", ""]


async def test_a_leg_that_rejects_digits_still_tells_its_own(
    running_switch: RunningSwitch,
) -> None:
    call = await running_switch.dial(accept_dtmf=False)
    call.presses("5")
    event = await running_switch.events.wait("dtmf.received", leg_id=call.leg.id)
    assert (event["digit"], event["seq"]) == ("5", 1)
    assert "room_id" not in event


async def test_digits_are_numbered_and_name_the_room(running_switch: RunningSwitch) -> None:
    call = await running_switch.dial(room_id="r")
    call.presses("1*")
    await running_switch.events.wait("dtmf.received", digit="*")
    told = [e for e in running_switch.events.events if e["type"] == "dtmf.received"]
    assert [(e["digit"], e["seq"], e["room_id"]) for e in told] == [("1", 1, "r"), ("*", 2, "r")]


async def test_accepting_is_decided_before_a_leg_enters(running_switch: RunningSwitch) -> None:
    a = await running_switch.dial(room_id="r")
    b = await running_switch.dial()
    body = {"leg_id": b.leg.id, "accept_dtmf": False}
    await running_switch.ask("POST", "/v1/rooms/r/legs", body)
    a.presses("1")
    assert b.digits == ""
    assert (await running_switch.ask("GET", f"/v1/legs/{b.leg.id}"))["accept_dtmf"] is False


async def test_a_transport_without_digits_is_passed_over(running_switch: RunningSwitch) -> None:
    a, b, c = await three_in_a_room(running_switch)
    b.takes_digits = False
    a.presses("1")
    assert (b.digits, c.digits) == ("", "1")


async def test_text_goes_to_the_others_that_accept_it(running_switch: RunningSwitch) -> None:
    a, b, c = await three_in_a_room(running_switch)
    await running_switch.ask("POST", f"/v1/legs/{c.leg.id}/rtt/reject")
    a.writes("hello")
    assert (a.text, b.text, c.text) == ("", "hello", "")
    event = await running_switch.events.wait("rtt.received")
    assert (event["leg_id"], event["text"], event["seq"]) == (a.leg.id, "hello", 1)
    assert (event["loss_marker"], event["room_id"]) == (False, "r")
    await running_switch.ask("POST", f"/v1/legs/{c.leg.id}/rtt/accept")
    a.writes("\b")
    assert (b.text, c.text) == ("hello\b", "\b")


async def test_a_leg_that_rejects_text_tells_none(running_switch: RunningSwitch) -> None:
    a, b, _ = await three_in_a_room(running_switch)
    await running_switch.ask("POST", f"/v1/legs/{a.leg.id}/rtt/reject")
    a.writes("hidden")
    await running_switch.ask("POST", f"/v1/legs/{a.leg.id}/rtt/accept")
    a.writes("seen")
    event = await running_switch.events.wait("rtt.received")
    assert (event["text"], event["seq"]) == ("seen", 1)
    assert b.text == "hiddenseen"


async def test_lost_text_is_marked_and_byte_order_marks_are_no_text(
    running_switch: RunningSwitch,
) -> None:
    a, b, _ = await three_in_a_room(running_switch)
    a.writes("\ufeff")
    a.writes("\ufeffab\ufffdcd")
    event = await running_switch.events.wait("rtt.received")
    assert (event["text"], event["seq"], event["loss_marker"]) == ("ab\ufffdcd", 1, True)
    assert b.text == "ab\ufffdcd"


async def test_one_that_cannot_take_it_leaves_the_others_alone(
    running_switch: RunningSwitch,
) -> None:
    a, b, c = await three_in_a_room(running_switch)

    def full(text: str) -> None:
        raise OperationFailed("too much text waits")

    b.send_text = full  # type: ignore[method-assign]
    a.writes("hello")
    assert c.text == "hello"
