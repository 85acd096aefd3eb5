"""What plugins offer to a switch; what does not fit is left out and the rest runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from fastapi import APIRouter

from hookswitch.operations.model import ApiModel
from hookswitch.operations.operation import Operation
from hookswitch.plugin import Leg, RegistrationAttempt, Route, Transport, hookimpl
from hookswitch.plugins.manager import Plugins
from hookswitch.testing.fake_transport import FakeTransport
from hookswitch.testing.server import run_switch


class Park(ApiModel):
    slot: int


async def park(switch: Any, ids: Mapping[str, str], request: Park) -> dict[str, Any]:
    return {"status": "parked", "slot": request.slot, "leg": ids["id"]}


class Parking:
    """Offers an operation and a route."""

    @hookimpl
    def register_operations(self, switch: Any) -> list[Operation]:
        return [Operation("leg_park", "POST", "/legs/{id}/park", park, "Park a leg", Park)]

    @hookimpl
    def register_routes(self, switch: Any) -> APIRouter:
        router = APIRouter()

        @router.get("/legs/lot")
        async def lot() -> dict[str, str]:
            return {"instance_id": switch.instance_id, "lot": "empty"}

        return router


async def test_an_operation_is_a_route_a_command_and_documented(tmp_path: Path) -> None:
    async with run_switch(tmp_path, Parking()) as server:
        for prefix in ("", "/v1"):
            answer = await server.ask("POST", f"{prefix}/legs/x/park", {"slot": 3}, status=200)
            assert answer == {
                "instance_id": "test-instance",
                "status": "parked",
                "slot": 3,
                "leg": "x",
            }
        assert (await server.problem(400, "POST", "/legs/x/park", {"slot": "3"})).startswith("slot")
        async with server.vsi() as stream:
            assert (await stream.command("leg_park", id="x", slot=4))["slot"] == 4
        document = await server.ask("GET", "/openapi.json")
        assert "post" in document["paths"]["/v1/legs/{id}/park"]
        assert "Park" in document["components"]["schemas"]


async def test_a_plugins_route_comes_before_the_kernels(tmp_path: Path) -> None:
    async with run_switch(tmp_path, Parking()) as server:
        for prefix in ("", "/v1"):
            assert (await server.ask("GET", f"{prefix}/legs/lot"))["lot"] == "empty"


class Second:
    """Offers a transport of a name that is taken."""

    def __init__(self) -> None:
        self.transport: Transport

    @hookimpl
    def register_transports(self, switch: Any) -> list[Transport]:
        self.transport = FakeTransport(switch)
        return [self.transport]


async def test_of_two_transports_of_a_name_one_is_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    second = Second()
    async with run_switch(tmp_path, second) as server:
        assert server.switch.transports == {"fake": second.transport}
        leg = await server.ask("POST", "/v1/legs", {"type": "fake", "to": "answers"})
        await server.events.wait("leg.connected", leg_id=leg["id"])
        assert server.fake.calls == {}
    assert "a second transport for fake is left out" in caplog.text


class Nonsense:
    """Offers what is none of what was asked for."""

    @hookimpl
    def register_transports(self, switch: Any) -> Any:
        return [None, "sip", FakeTransport]

    @hookimpl
    def register_operations(self, switch: Any) -> Any:
        return "operations"

    @hookimpl
    def register_routes(self, switch: Any) -> Any:
        return 5

    @hookimpl
    def register_codecs(self) -> Any:
        return {"PCMU"}

    @hookimpl
    def register_banks(self) -> Any:
        return 7

    @hookimpl
    def register_settings(self) -> Any:
        return "PORT=5060"


class Failing:
    """Fails whenever it can."""

    @hookimpl
    def register_transports(self, switch: Any) -> Any:
        raise RuntimeError

    register_operations = register_transports
    register_routes = register_transports
    server_started = register_transports
    server_stopping = register_transports

    @hookimpl
    def mixer_pulsed(self, worker: int, pulse: Any) -> None:
        raise RuntimeError

    @hookimpl
    def leg_created(self, leg: Any) -> None:
        raise RuntimeError

    @hookimpl
    def leg_ended(self, leg: Any, reason: str) -> None:
        raise RuntimeError

    @hookimpl
    def event_emitted(self, record: Any) -> None:
        raise RuntimeError

    @hookimpl
    def refusal_from_leg(self, leg: Any) -> None:
        raise SystemExit(3)


@pytest.mark.parametrize("plugin", [Nonsense(), Failing()], ids=["nonsense", "failing"])
async def test_the_server_runs_whatever_a_plugin_does(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, plugin: object
) -> None:
    async with run_switch(tmp_path, plugin) as server:
        call = await server.dial(room_id="r")
        server.fake.receive()
        await server.ask("DELETE", f"/v1/legs/{call.leg.id}")
        await server.events.wait("leg.disconnected")
        await server.ask("GET", "/openapi.json")
    assert "plugin-2" in caplog.text


class Muddled:
    """Decides, but not what it was asked."""

    def __init__(self, answer: object) -> None:
        self.answer = answer

    @hookimpl
    def refusal_from_leg(self, leg: Any) -> Any:
        return self.answer

    route_from_leg = refusal_from_leg

    @hookimpl
    def processor_from_leg(self, leg: Any) -> Any:
        return 42

    @hookimpl
    def speech_detector_from_settings(self, settings: Any) -> Any:
        return 42

    @hookimpl
    def decision_from_registration(self, attempt: Any) -> Any:
        return self.answer


@pytest.mark.parametrize("answer", ["busy", 42, Route])
async def test_a_decision_of_the_wrong_type_is_none(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, answer: object
) -> None:
    async with run_switch(tmp_path, Muddled(answer), speech_detection_enabled=True) as server:
        waiting = server.fake.receive()
        assert waiting.asked == []  # neither refused nor answered
        await server.dial(room_id="r")
        attempt = RegistrationAttempt("a", "sip:a@b", None, 60, "", "udp", None, "c", None)
        assert server.switch.decide(attempt) is None
    for hook in (
        "refusal_from_leg",
        "route_from_leg",
        "processor_from_leg",
        "speech_detector_from_settings",
        "decision_from_registration",
    ):
        assert f"plugin plugin-2: {hook} answers " in caplog.text
    assert "Traceback" not in caplog.text


async def test_two_operations_of_one_name_are_one(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with run_switch(tmp_path, Parking(), Parking()) as server:
        commands = [operation.command for operation in server.switch.operations]
        assert len(commands) == len(set(commands))
    assert "leg_park" in caplog.text


def test_what_is_collected_is_of_the_kind_that_was_asked_for(
    caplog: pytest.LogCaptureFixture,
) -> None:
    plugins = Plugins()
    plugins.register(Nonsense(), "nonsense")
    assert plugins.collect("register_banks", str) == []
    assert "plugin nonsense: register_banks offers 7, which is no str" in caplog.text


class Greeter:
    """Looks at legs that were answered."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str | None]] = []

    @hookimpl
    def leg_connected(self, leg: Leg) -> None:
        self.seen.append((leg.id, leg.room_id))


async def test_a_leg_is_told_of_once_when_it_is_answered_and_in_its_room(tmp_path: Path) -> None:
    greeter = Greeter()
    async with run_switch(tmp_path, greeter) as server:
        rings = await server.ask("POST", "/v1/legs", {"type": "fake", "to": "rings"})
        call = await server.dial(room_id="lobby")
        call.leg.held()
        call.leg.unheld()
        assert greeter.seen == [(call.leg.id, "lobby")]
        await server.ask("DELETE", f"/v1/legs/{rings['id']}")
        await server.events.wait("leg.disconnected", leg_id=rings["id"])
        assert greeter.seen == [(call.leg.id, "lobby")]
