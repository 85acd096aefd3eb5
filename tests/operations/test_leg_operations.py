"""Each operation on legs over HTTP: statuses, words, preconditions."""

from __future__ import annotations

import uuid
from typing import get_args

import pytest

from hookswitch.events.record import WebhookTarget
from hookswitch.legs.leg import LegOptions
from hookswitch.operations.legs import HangupReason
from hookswitch.testing.server import RunningSwitch

NOBODY = "00000000-0000-0000-0000-000000000000"
PREFIXES = pytest.mark.parametrize("prefix", ["", "/v1"])
ON_A_LEG = [
    ("GET", "/legs/{id}", None),
    ("DELETE", "/legs/{id}", None),
    ("DELETE", "/legs/{id}", {"reason": "busy"}),
    ("POST", "/legs/{id}/answer", None),
    ("POST", "/legs/{id}/ring", None),
    ("POST", "/legs/{id}/early-media", {"codec": ""}),
    ("POST", "/legs/{id}/mute", None),
    ("DELETE", "/legs/{id}/mute", None),
    ("POST", "/legs/{id}/deaf", None),
    ("DELETE", "/legs/{id}/deaf", None),
    ("POST", "/legs/{id}/dtmf", {"digits": "1"}),
    ("POST", "/legs/{id}/dtmf/accept", None),
    ("POST", "/legs/{id}/dtmf/reject", None),
    ("POST", "/legs/{id}/rtt", {"text": "hello"}),
    ("POST", "/legs/{id}/rtt/accept", None),
    ("POST", "/legs/{id}/rtt/reject", None),
    ("PATCH", "/legs/{id}/role", {"role": "agent"}),
    ("POST", "/legs/{id}/hold", None),
    ("DELETE", "/legs/{id}/hold", None),
    ("POST", "/legs/{id}/transfer", {"target": "sip:bob@example.com"}),
    ("POST", "/legs/{id}/transfer/accept", None),
    ("POST", "/legs/{id}/transfer/progress", {"status_code": 180}),
    ("POST", "/legs/{id}/transfer/complete", {"success": True}),
    ("POST", "/legs/{id}/transfer/decline", None),
]


@PREFIXES
async def test_a_new_leg_is_shown_in_full(running_switch: RunningSwitch, prefix: str) -> None:
    body = {"type": "fake", "to": "bob", "headers": {"X-Id": "7"}, "app_id": "shop"}
    leg = await running_switch.ask("POST", f"{prefix}/legs", body, status=201)
    assert uuid.UUID(leg["id"])
    assert leg == {
        "instance_id": "test-instance",
        "id": leg["id"],
        "type": "fake_out",
        "state": "ringing",
        "room_id": "",
        "muted": False,
        "deaf": False,
        "accept_dtmf": True,
        "held": False,
        "role": "",
        "gain_db": 0.0,
        "app_id": "shop",
        "headers": {"X-Id": "7"},
    }
    assert await running_switch.ask("GET", f"{prefix}/legs/{leg['id']}", status=200) == leg
    assert await running_switch.ask("GET", f"{prefix}/legs", status=200) == [leg]


async def test_sip_headers_are_the_x_headers_of_inbound_sip_legs_only(
    running_switch: RunningSwitch,
) -> None:
    options = LegOptions(headers={"X-Id": "7", "P-Asserted-Identity": "<sip:a@b>"})
    sip = running_switch.fake.receive("sip_inbound", options).leg
    shown = await running_switch.ask("GET", f"/v1/legs/{sip.id}")
    assert shown["headers"] == options.headers
    assert shown["sip_headers"] == {"X-Id": "7"}
    other = running_switch.fake.receive("fake_in", options).leg
    assert "sip_headers" not in await running_switch.ask("GET", f"/v1/legs/{other.id}")


async def test_an_unknown_leg_is_not_found(
    running_switch: RunningSwitch, subtests: pytest.Subtests
) -> None:
    for prefix in ("", "/v1"):
        for method, path, body in ON_A_LEG:
            with subtests.test(f"{method} {prefix}{path}"):
                where = prefix + path.format(id=NOBODY)
                assert NOBODY in await running_switch.problem(404, method, where, body)


async def test_switches_say_what_they_did(
    running_switch: RunningSwitch, subtests: pytest.Subtests
) -> None:
    call = await running_switch.dial()
    where = f"/v1/legs/{call.leg.id}"
    for method, path, status, field in (
        ("POST", "mute", "muted", {"muted": True}),
        ("DELETE", "mute", "unmuted", {"muted": False}),
        ("POST", "deaf", "deaf", {"deaf": True}),
        ("DELETE", "deaf", "undeaf", {"deaf": False}),
        ("POST", "dtmf/reject", "dtmf_rejecting", {"accept_dtmf": False}),
        ("POST", "dtmf/accept", "dtmf_accepting", {"accept_dtmf": True}),
        ("POST", "rtt/reject", "rtt_rejecting", {}),
        ("POST", "rtt/accept", "rtt_accepting", {}),
    ):
        with subtests.test(status):
            answer = await running_switch.ask(method, f"{where}/{path}", status=200)
            assert answer == {"instance_id": "test-instance", "status": status}
            assert field.items() <= (await running_switch.ask("GET", where)).items()


async def test_a_legs_gain_is_set_by_the_name_it_is_shown_by(running_switch: RunningSwitch) -> None:
    path = f"/v1/legs/{(await running_switch.dial()).leg.id}"
    assert (await running_switch.ask("PUT", f"{path}/gain", {"gain_db": -6}))["gain_db"] == -6
    assert (await running_switch.ask("GET", path))["gain_db"] == -6
    for fields in ({}, {"gain_db": 25}):
        problem = await running_switch.problem(400, "PUT", f"{path}/gain", fields)
        assert problem.startswith("gain_db: ")


async def test_a_switch_thrown_twice_is_one_event(running_switch: RunningSwitch) -> None:
    leg = (await running_switch.dial()).leg
    for method in ("POST", "POST", "DELETE", "DELETE"):
        for what in ("mute", "deaf"):
            await running_switch.ask(method, f"/v1/legs/{leg.id}/{what}", status=200)
    await running_switch.events.wait("leg.undeaf")
    assert running_switch.events.types(leg_id=leg.id)[2:] == [
        "leg.muted",
        "leg.deaf",
        "leg.unmuted",
        "leg.undeaf",
    ]


async def test_digits_are_sent(running_switch: RunningSwitch) -> None:
    call = await running_switch.dial()
    path = f"/v1/legs/{call.leg.id}/dtmf"
    answer = await running_switch.ask("POST", path, {"digits": "0123456789*#"}, status=200)
    assert answer == {"instance_id": "test-instance", "status": "sent"}
    assert call.digits == "0123456789*#"
    for wrong in ({}, {"digits": ""}, {"digits": None}, {"digits": 5}, {"digits": "1x"}):
        assert "digits" in await running_switch.problem(400, "POST", path, wrong)
    call.takes_digits = False
    assert "DTMF writer" in await running_switch.problem(500, "POST", path, {"digits": "1"})


async def test_pauses_between_digits(running_switch: RunningSwitch) -> None:
    call = await running_switch.dial()
    path = f"/v1/legs/{call.leg.id}/dtmf"
    await running_switch.ask("POST", path, {"digits": "1,2w3W4a"}, status=200)
    assert call.digits == "1,2,3,,4A"


async def test_text_is_sent(running_switch: RunningSwitch) -> None:
    call = await running_switch.dial()
    path = f"/v1/legs/{call.leg.id}/rtt"
    text = "H\u00e9llo\b\b\r\nn\u00e4chste \u2028 \U0001f600"
    answer = await running_switch.ask("POST", path, {"text": text}, status=200)
    assert answer == {"instance_id": "test-instance", "status": "sent"}
    assert call.text == text
    for wrong in ({}, {"text": ""}, {"text": 5}, {"text": "x" * 4001}):
        assert "text" in await running_switch.problem(400, "POST", path, wrong)
    call.takes_texts = False
    assert "not negotiated" in await running_switch.problem(409, "POST", path, {"text": "x"})


async def test_a_role_is_set_and_cleared(running_switch: RunningSwitch) -> None:
    leg = (await running_switch.dial()).leg
    path = f"/v1/legs/{leg.id}/role"
    shown = await running_switch.ask("PATCH", path, {"role": "agent"}, status=200)
    assert (shown["id"], shown["role"]) == (leg.id, "agent")
    assert (await running_switch.ask("PATCH", path, {"role": ""}, status=200))["role"] == ""
    for wrong in ({}, {"role": 1}, {"role": ["agent"]}):
        assert "role" in await running_switch.problem(400, "PATCH", path, wrong)
    event = await running_switch.events.wait("leg.role_changed", role="")
    assert event["leg_id"] == leg.id


async def test_a_ringing_sip_call_does_as_it_is_told(running_switch: RunningSwitch) -> None:
    for path, status, asked in (
        ("answer", "answering", ("answer", "PCMA")),
        ("early-media", "early_media", ("early_media", "PCMA")),
        ("ring", "ringing", ("ring", None)),
    ):
        call = running_switch.fake.receive("sip_inbound")
        where = f"/v1/legs/{call.leg.id}/{path}"
        answer = await running_switch.ask("POST", where, {"codec": "PCMA"}, status=202)
        assert answer == {"instance_id": "test-instance", "status": status}
        assert call.asked == [asked]


async def test_a_call_rings_as_often_as_it_is_asked_to(running_switch: RunningSwitch) -> None:
    call = running_switch.fake.receive("sip_inbound")
    for _ in range(3):
        await running_switch.ask("POST", f"/v1/legs/{call.leg.id}/ring", status=202)
    assert call.asked == [("ring", None)] * 3


async def test_a_codec_that_was_not_offered_is_refused(
    running_switch: RunningSwitch, subtests: pytest.Subtests
) -> None:
    leg = running_switch.fake.receive("sip_inbound").leg
    for path in ("answer", "early-media"):
        for codec in ("G722", "opus", "nonsense", 8, ["PCMU"]):
            with subtests.test(f"{path} {codec}"):
                where = f"/v1/legs/{leg.id}/{path}"
                assert "codec" in await running_switch.problem(400, "POST", where, {"codec": codec})


async def test_only_inbound_sip_legs_are_answered(running_switch: RunningSwitch) -> None:
    out = await running_switch.ask("POST", "/v1/legs", {"type": "fake", "to": "x"})
    inbound = running_switch.fake.receive("fake_in").leg
    for leg_id in (out["id"], inbound.id):
        for path in ("answer", "ring", "early-media"):
            await running_switch.problem(400, "POST", f"/v1/legs/{leg_id}/{path}")


async def test_what_a_state_forbids_is_a_conflict(running_switch: RunningSwitch) -> None:
    call = running_switch.fake.receive("sip_inbound")
    where = f"/v1/legs/{call.leg.id}"
    await call.starts_early_media()
    await running_switch.problem(409, "POST", f"{where}/ring")
    await running_switch.problem(409, "POST", f"{where}/early-media")
    await running_switch.ask("POST", f"{where}/answer", status=202)
    await running_switch.events.wait("leg.connected")
    for path in ("answer", "ring", "early-media"):
        assert "connected" in await running_switch.problem(409, "POST", f"{where}/{path}")


@pytest.mark.parametrize("early", [False, True], ids=["ringing", "early media"])
async def test_an_unanswered_sip_call_is_turned_away_with_a_reason(
    running_switch: RunningSwitch, early: bool
) -> None:
    for reason in get_args(HangupReason):
        call = running_switch.fake.receive("sip_inbound")
        if early:
            await call.starts_early_media()
        answer = await running_switch.ask(
            "DELETE", f"/v1/legs/{call.leg.id}", {"reason": reason}, status=202
        )
        assert answer == {"instance_id": "test-instance", "status": "hanging_up"}
        ended = await running_switch.events.wait("leg.disconnected", leg_id=call.leg.id)
        assert ended["cdr"]["reason"] == reason
        assert call.asked == [("hang_up", reason)]


async def test_hanging_up_without_a_reason(running_switch: RunningSwitch) -> None:
    unanswered = running_switch.fake.receive("sip_inbound").leg
    connected = (await running_switch.dial()).leg
    await running_switch.ask("DELETE", f"/v1/legs/{unanswered.id}", status=202)
    await running_switch.ask("DELETE", f"/v1/legs/{connected.id}", {"reason": ""}, status=202)
    wait = running_switch.events.wait
    ended = await wait("leg.disconnected", leg_id=unanswered.id)
    assert ended["cdr"]["reason"] == "caller_cancel"
    ended = await wait("leg.disconnected", leg_id=connected.id)
    assert ended["cdr"]["reason"] == "api_hangup"


async def test_an_unknown_reason_is_refused(running_switch: RunningSwitch) -> None:
    leg = running_switch.fake.receive("sip_inbound").leg
    message = await running_switch.problem(400, "DELETE", f"/v1/legs/{leg.id}", {"reason": "tired"})
    assert message.startswith("reason")
    assert leg.is_unanswered


async def test_the_body_is_ignored_when_a_connected_leg_is_hung_up(
    running_switch: RunningSwitch, subtests: pytest.Subtests
) -> None:
    for reason in ("busy", "tired"):
        with subtests.test(reason):
            leg = (await running_switch.dial()).leg
            await running_switch.ask("DELETE", f"/v1/legs/{leg.id}", {"reason": reason}, status=202)
            ended = await running_switch.events.wait("leg.disconnected", leg_id=leg.id)
            assert ended["cdr"]["reason"] == "api_hangup"


async def test_a_leg_that_was_hung_up_is_gone(running_switch: RunningSwitch) -> None:
    call = await running_switch.dial()
    await running_switch.ask("DELETE", f"/v1/legs/{call.leg.id}", status=202)
    await call.leg.ended.wait()
    assert await running_switch.ask("GET", "/v1/legs") == []
    await running_switch.problem(404, "GET", f"/v1/legs/{call.leg.id}")
    assert call.released == 1


MISFITS: list[tuple[dict[str, object], str]] = [
    ({}, "to"),
    ({"to": ""}, "to"),
    ({"to": 5}, "to"),
    ({"to": "x", "ring_timeout": -1}, "ring_timeout"),
    ({"to": "x", "ring_timeout": "5"}, "ring_timeout"),
    ({"to": "x", "ring_timeout": 1.5}, "ring_timeout"),
    ({"to": "x", "ring_timeout": 10**400}, "ring_timeout"),
    ({"to": "x", "max_duration": True}, "max_duration"),
    ({"to": "x", "max_duration": 10**20}, "max_duration"),
    ({"to": "x", "headers": ["a"]}, "headers"),
    ({"to": "x", "headers": {"X-A": 1}}, "headers.X-A"),
    ({"to": "x", "headers": {"X-A": "1\r\nX-B: 2"}}, "headers"),
    ({"to": "x", "webhook_url": "not a url"}, "webhook_url"),
    ({"to": "x", "webhook_url": "ftp://example.com"}, "webhook_url"),
    ({"to": "x", "accept_dtmf": "yes"}, "accept_dtmf"),
    ({"to": "x", "accept_dtmf": 1}, "accept_dtmf"),
    ({"to": "x", "speech_detection": 0}, "speech_detection"),
    ({"to": "x", "sample_rate": 44100}, "sample_rate"),
    ({"to": "x", "sample_rate": "16000"}, "sample_rate"),
    ({"to": "x", "amd": True}, "amd"),
    ({"to": "x", "amd": {}}, "amd"),
    ({"to": "x", "app_id": 1}, "app_id"),
    ({"to": "x", "room_id": ["r"]}, "room_id"),
    ({"type": "nonsense"}, "type"),
    ({"type": 5}, "type"),
    ({"type": ""}, "type"),
    ({"type": None}, "type"),
]


async def test_what_does_not_fit_is_named(
    running_switch: RunningSwitch, subtests: pytest.Subtests
) -> None:
    for fields, named in MISFITS:
        with subtests.test(str(fields)[:60]):
            body = {"type": "fake", **fields}
            message = await running_switch.problem(400, "POST", "/v1/legs", body)
            assert message.startswith(named)
    assert running_switch.fake.calls == {}


async def test_what_is_empty_or_zero_is_absent(running_switch: RunningSwitch) -> None:
    empty = dict.fromkeys(("from", "room_id", "webhook_url", "webhook_secret", "app_id"), "")
    zero = dict.fromkeys(("ring_timeout", "max_duration", "sample_rate"), 0)
    unset = {"amd": None, "speech_detection": None, "headers": None, "rtt": False, "privacy": ""}
    body = {"type": "fake", "to": "x", **empty, **zero, **unset}
    leg = await running_switch.ask("POST", "/v1/legs", body, status=201)
    assert leg["room_id"] == ""
    assert "app_id" not in leg
    call = running_switch.fake.calls[leg["id"]]
    assert call.rate == 16000
    assert call.leg.options == LegOptions()


async def test_unknown_fields_are_ignored(running_switch: RunningSwitch) -> None:
    body = {"type": "fake", "to": "x", "invented": {"tomorrow": [1]}, "sample_format": "s16le"}
    await running_switch.ask("POST", "/v1/legs", body, status=201)


async def test_what_a_leg_was_asked_to_be_it_is(running_switch: RunningSwitch) -> None:
    body = {
        "type": "fake",
        "to": "x",
        "accept_dtmf": False,
        "app_id": "shop",
        "speech_detection": True,
        "webhook_url": "http://127.0.0.1:9/hook",
        "webhook_secret": "s3cret",
        "ring_timeout": 30,
        "max_duration": 60,
    }
    leg = await running_switch.ask("POST", "/v1/legs", body, status=201)
    assert leg["accept_dtmf"] is False
    options = running_switch.fake.calls[leg["id"]].leg.options
    assert options.webhook == WebhookTarget("http://127.0.0.1:9/hook", "s3cret")
    assert (options.ring_timeout, options.max_duration) == (30, 60)
    assert options.speech_detection is True
