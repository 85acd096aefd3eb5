"""Who is registered, by whose decision, and what a registration is good for: in a real server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from hookswitch.codecs import builtin as codecs
from hookswitch.plugin import (
    AcceptRegistration,
    ChallengeRegistration,
    RegistrationAttempt,
    RegistrationDecision,
    RejectRegistration,
    hookimpl,
)
from hookswitch.testing.server import RunningSwitch, run_switch
from hookswitch_transport_sip import plugin as sip
from hookswitch_transport_sip.transport import SipTransport

from .phone import Phone, phone

AOR = "sip:alice@example.com"


class Decider:
    """A plugin that always decides the same."""

    def __init__(self, decision: RegistrationDecision | None) -> None:
        self.decision = decision
        self.asked: list[RegistrationAttempt] = []

    @hookimpl
    def decision_from_registration(
        self, attempt: RegistrationAttempt
    ) -> RegistrationDecision | None:
        self.asked.append(attempt)
        return self.decision


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    values = {
        "SIP_PORT": "0",
        "SIP_DOMAIN": "example.com",
        "SIP_REGISTRATION_MIN_EXPIRES_SECONDS": "1",
        "SIP_TRUST_HEADERS_FROM": "users",
    }
    for name, value in values.items():
        monkeypatch.setenv(name, value)


@asynccontextmanager
async def running(folder: Path, *plugins: object) -> AsyncIterator[tuple[RunningSwitch, Phone]]:
    """A server with SIP, and a phone."""
    async with run_switch(folder, codecs, sip, *plugins) as server:
        transport = server.switch.transports["sip"]
        assert isinstance(transport, SipTransport)
        async with phone(transport.port) as alice:
            yield server, alice


def told(server: RunningSwitch) -> list[str]:
    """Types of SIP's events, in order."""
    types = [event["type"] for event in server.events.events]
    return [t.removeprefix("sip.") for t in types if t.startswith("sip.")]


async def decide(server: RunningSwitch, word: str, count: int = 1, **body: Any) -> None:
    """Decide on the n-th attempt as a program does."""
    async with asyncio.timeout(10):
        while told(server).count("registration_attempt") < count:
            await server.events.wait("sip.registration_attempt")
            await asyncio.sleep(0)
    attempts = [e for e in server.events.events if e["type"] == "sip.registration_attempt"]
    path = f"/v1/sip/registrations/attempts/{attempts[count - 1]['attempt_id']}/{word}"
    await server.ask("POST", path, body, status=202)


async def test_a_plugin_accepts(tmp_path: Path) -> None:
    decider = Decider(AcceptRegistration(max_expires=120))
    async with running(tmp_path, decider) as (server, alice):
        response = await alice.register()
        assert response.status == 200
        assert response.contacts[0].params.get("expires") == "120"
        await server.events.wait("sip.registration_active")
        assert told(server) == ["registration_active"]
    (asked,) = decider.asked
    assert (asked.aor, asked.contact, asked.expires) == (AOR, alice.contact, 600)


async def test_a_plugin_rejects(tmp_path: Path) -> None:
    async with running(tmp_path, Decider(RejectRegistration(480, "Gone home"))) as (server, alice):
        response = await alice.register()
        assert (response.status, response.reason) == (480, "Gone home")
        rejected = await server.events.wait("sip.registration_rejected")
        assert rejected["status_code"] == 480


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
async def test_a_plugin_asks_for_a_password(tmp_path: Path, algorithm: str) -> None:
    decider = Decider(ChallengeRegistration(password="pw", username="alice", algorithm=algorithm))
    async with running(tmp_path, decider) as (server, alice):
        assert (await alice.register()).status == 401, "it has none"
        assert (await alice.register(password="no", call_id="c2")).status == 401
        assert (await alice.register(password="pw", call_id="c3")).status == 200
        active = await server.events.wait("sip.registration_active")
        assert active["username"] == "alice"


async def test_a_plugin_that_does_not_care_leaves_it_to_programs(tmp_path: Path) -> None:
    async with running(tmp_path, Decider(None)) as (server, alice):
        registering = asyncio.create_task(alice.register())
        await decide(server, "accept")
        assert (await registering).status == 200


async def test_refreshing_is_no_new_question_but_anything_else_is(tmp_path: Path) -> None:
    decider = Decider(AcceptRegistration())
    async with running(tmp_path, decider) as (server, alice):
        for expires in (600, 300, 0, 600):
            assert (await alice.register(expires=expires)).status == 200
        # it was taken away in between, and so was what had been decided
        assert len(decider.asked) == 2
        assert (await alice.register(alice.contact, "sip:alice@127.0.0.1:9")).status == 200
        assert len(decider.asked) == 3, "another contact"
        assert (await alice.register(call_id="c2")).status == 200
        assert len(decider.asked) == 4, "another row"
        async with phone(alice.server.port) as mallory:
            mallory._cseq = 100
            response = await mallory.register(alice.contact, expires=0)
            assert len(decider.asked) == 5, "from elsewhere"
            assert response.status == 200
    kinds = ["active", "active", "expired", "active", "active", "active", "active", "expired"]
    assert told(server) == [f"registration_{kind}" for kind in kinds]


async def test_a_password_is_proven_again_to_the_server_alone(tmp_path: Path) -> None:
    decider = Decider(ChallengeRegistration(password="pw"))
    async with running(tmp_path, decider) as (_, alice):
        assert (await alice.register(password="pw")).status == 200
        assert (await alice.register(password="pw")).status == 200
        assert (await alice.register()).status == 401, "nobody refreshes without it"
        assert (await alice.register(expires=0, password="pw")).status == 200
    assert len(decider.asked) == 1


async def test_one_users_password_makes_nobody_else(tmp_path: Path) -> None:
    decider = Decider(ChallengeRegistration(password="pw"))
    async with running(tmp_path, decider) as (_, alice):
        assert (await alice.register(password="pw")).status == 200
        assert (await alice.register(aor="sip:bob@example.com")).status == 401
    assert [asked.aor for asked in decider.asked] == [AOR, "sip:bob@example.com"]


@pytest.mark.parametrize(
    ("contacts", "expires", "aor", "status"),
    [
        (("*",), 0, AOR, 200),
        (("*",), 60, AOR, 400),
        (("mailto:alice@h",), 60, AOR, 400),
        (("sip:alice@h",), 60, "sip:alice@elsewhere.com", 404),
        (("sip:alice@h",), 60, "sip:example.com", 404),
    ],
)
async def test_what_can_be_asked(
    tmp_path: Path, contacts: tuple[str, ...], expires: int, aor: str, status: int
) -> None:
    async with running(tmp_path, Decider(AcceptRegistration())) as (_, alice):
        response = await alice.register(*contacts, expires=expires, aor=aor)
        assert response.status == status


async def test_too_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIP_REGISTRATION_MIN_EXPIRES_SECONDS", "90")
    async with running(tmp_path, Decider(AcceptRegistration())) as (_, alice):
        response = await alice.register(expires=60)
        assert (response.status, response.headers.get("Min-Expires")) == (423, "90")


async def test_required_extensions(tmp_path: Path) -> None:
    async with running(tmp_path, Decider(AcceptRegistration())) as (_, alice):
        path = ("Path", "<sip:127.0.0.1:9;lr>")
        response = await alice.register(headers=(("Require", "path"), path))
        assert (response.status, response.headers.get("Path")) == (200, path[1])
        refused = await alice.register(headers=(("Require", "gruu"),))
        assert (refused.status, refused.headers.get("Unsupported")) == (420, "gruu")


async def test_time_takes_it_away(tmp_path: Path) -> None:
    async with running(tmp_path, Decider(AcceptRegistration())) as (server, alice):
        await alice.register(expires=1)
        expired = await server.events.wait("sip.registration_expired")
        assert (expired["reason"], expired["contact"]) == ("ttl", alice.contact)
        assert await server.ask("GET", "/v1/sip/registrations") == {
            "instance_id": "test-instance",
            "bindings": [],
        }


async def test_it_is_called_where_it_registered_from(tmp_path: Path) -> None:
    """Its contact is an address of its own network."""
    async with running(tmp_path, Decider(AcceptRegistration())) as (server, alice):
        await alice.register("sip:alice@10.9.8.7:5060")
        leg = await server.ask("POST", "/v1/legs", {"type": "sip", "to": AOR}, status=201)
        invite = await alice.rings()
        assert str(invite.request.uri) == "sip:alice@10.9.8.7:5060"
        assert str(invite.request.to.uri) == AOR
        alice.refuse(invite, 486)
        ended = await server.events.wait("leg.disconnected", leg_id=leg["id"])
        assert ended["cdr"]["reason"] == "busy"


async def test_its_own_calls_are_known_and_trusted(tmp_path: Path) -> None:
    async with running(tmp_path, Decider(AcceptRegistration())) as (server, alice):
        await alice.register()
        for caller in (AOR, "sip:bob@example.com"):
            alice.call(caller, ("X-App-ID", "shop"))
            ringing = await server.events.wait("leg.ringing", **{"from": caller})
            is_alice = caller == AOR
            assert ringing.get("registered_user") == (AOR if is_alice else None)
            assert ringing.get("app_id") == ("shop" if is_alice else None)
            path = f"/v1/legs/{ringing['leg_id']}"
            await server.ask("DELETE", path, {"reason": "busy"}, status=202)
            await server.events.wait("leg.disconnected", leg_id=ringing["leg_id"])


async def test_no_event_shows_the_password_of_a_uri(tmp_path: Path) -> None:
    decider = Decider(AcceptRegistration())
    async with running(tmp_path, decider) as (server, alice):
        await alice.register("sip:alice:hush@127.0.0.1:9")
        active = await server.events.wait("sip.registration_active")
        assert active["contact"] == "sip:alice@127.0.0.1:9"
        assert decider.asked[0].contact == "sip:alice@127.0.0.1:9"
        alice.call("sip:carol:hush@example.com", ("X-Boss", "<sip:dave:hush@h>;x=1"))
        ringing = await server.events.wait("leg.ringing")
        assert ringing["from"] == "sip:carol@example.com"
        assert ringing["headers"]["X-Boss"] == "<sip:dave@h>;x=1"
        request = {"type": "sip", "to": f"sip:bob:hush@127.0.0.1:{alice.agent.contact.uri.port}"}
        leg = await server.ask("POST", "/v1/legs", request, status=201)
        invite = await alice.rings()
        assert invite.request.uri.password == "hush", "whom it is for is told"
        alice.refuse(invite, 486)
        for each in (leg["id"], ringing["leg_id"]):
            if each == ringing["leg_id"]:
                await server.ask("DELETE", f"/v1/legs/{each}", {"reason": "busy"}, status=202)
            await server.events.wait("leg.disconnected", leg_id=each)
        assert "hush" not in str(server.events.events)


async def test_what_a_caller_of_the_api_can_ask(tmp_path: Path) -> None:
    async with running(tmp_path, Decider(AcceptRegistration())) as (server, alice):
        await alice.register(alice.contact, "sip:alice@127.0.0.1:9")
        both = await server.ask("GET", f"/v1/sip/registrations/{AOR}")
        assert len(both["bindings"]) == 2
        for name in ("sip:bob@example.com", "nonsense", "sip:alice@elsewhere.com"):
            for method in ("GET", "DELETE"):
                await server.problem(404, method, f"/v1/sip/registrations/{name}")
        path = f"/v1/sip/registrations/{AOR}"
        await server.ask("DELETE", f"{path}?contact=sip:alice@127.0.0.1:9")
        (left,) = (await server.ask("GET", path))["bindings"]
        assert left["contact"] == alice.contact
        assert await server.ask("DELETE", path) == {
            "instance_id": "test-instance",
            "status": "unbound",
        }
        nobody = "/v1/sip/registrations/attempts/nobody"
        await server.problem(404, "POST", f"{nobody}/accept")
        await server.problem(404, "POST", f"{nobody}/challenge", {"password": "x"})
        await server.problem(400, "POST", f"{nobody}/challenge", {})
        await server.problem(400, "POST", f"{nobody}/reject", {"status_code": 200})
