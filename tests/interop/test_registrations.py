"""Phones that register with the server, and those that may not."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from . import processes
from .baresip import Baresip, baresip
from .client import Api, Event, Events, api_of, events_of
from .server import Server, serving

PASSWORD = "wonderland"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(
        tmp_path_factory.mktemp("server"),
        SIP_DOMAIN="example.com",
        SIP_REGISTRATION_MIN_EXPIRES_SECONDS="1",
    ) as running:
        yield running


@asynccontextmanager
async def phone(
    folder: Path, server: Server, user: str = "alice", password: str = PASSWORD, regint: int = 600
) -> AsyncIterator[Baresip]:
    """A phone that registers as soon as it starts."""
    account = (
        f"<sip:{user}@example.com>;auth_pass={password};regint={regint}"
        f';outbound="sip:127.0.0.1:{server.sip_port}"'
    )
    async with baresip(folder, 440.0, registers=account) as running:
        yield running


async def test_a_phone_is_accepted_by_a_program(
    server: Server, api: Api, events: Events, tmp_path: Path
) -> None:
    async with phone(tmp_path / "alice", server) as alice:
        attempt = await events.wait("sip.registration_attempt")
        assert attempt["aor"] == "sip:alice@example.com"
        assert attempt["expires"] == 600
        assert attempt["contact"].startswith("sip:alice")
        assert "baresip" in attempt["user_agent"]
        assert attempt["transport"] == "udp"
        assert attempt["has_authorization"] is False
        path = f"/sip/registrations/attempts/{attempt['attempt_id']}"
        answer = await api.post(f"{path}/accept", 202, max_expires=300)
        assert answer["status"] == "accepted"
        active = await events.wait("sip.registration_active")
        await alice.wait("REGISTER_OK")
        assert active["granted_expires_seconds"] == 300
        assert active["refreshed"] is False
        await api.post(f"{path}/accept", 404)
        (binding,) = (await api.get("/sip/registrations"))["bindings"]
        assert binding["aor"] == "sip:alice@example.com"
        assert binding["socket"] == attempt["source_address"]
        one = await api.get("/sip/registrations/sip:alice@example.com")
        assert one["bindings"] == [binding]
        assert await api.metric("hookswitch_sip_registrations") == 1
        await api.delete(f"/sip/registrations/{binding['id']}", 200)
        expired = await events.wait("sip.registration_expired")
        assert expired["reason"] == "forced"
        assert expired["contact"] == active["contact"]
        await api.get("/sip/registrations/sip:alice@example.com", 404)


async def test_a_phone_that_knows_the_password_is_not_asked_about_again(
    server: Server, api: Api, events: Events, tmp_path: Path
) -> None:
    async with phone(tmp_path / "alice", server, regint=3) as alice:
        attempt = await events.wait("sip.registration_attempt")
        path = f"/sip/registrations/attempts/{attempt['attempt_id']}/challenge"
        answer = await api.post(path, 202, username="alice", password=PASSWORD)
        assert answer["status"] == "challenging"
        active = await events.wait("sip.registration_active")
        assert active["username"] == "alice"
        refreshed = await events.wait("sip.registration_active", after=active)
        assert refreshed["refreshed"] is True
        await alice.wait("REGISTER_OK", 2)
    # its end takes the registration away
    await api.delete("/sip/registrations/sip:alice@example.com?contact=sip:nobody@h", 404)
    await events.wait("sip.registration_expired", within=15)
    assert len([e for e in events.all if e["type"] == "sip.registration_attempt"]) == 1


async def test_a_phone_that_does_not_is_refused(
    server: Server, api: Api, events: Events, tmp_path: Path
) -> None:
    async with phone(tmp_path / "alice", server, password="guessed") as alice:
        attempt = await events.wait("sip.registration_attempt")
        path = f"/sip/registrations/attempts/{attempt['attempt_id']}/challenge"
        await api.post(path, 202, password=PASSWORD)
        await alice.wait("REGISTER_FAIL")
    assert (await api.get("/sip/registrations"))["bindings"] == []


async def test_nobody_decides(server: Server, api: Api, events: Events, tmp_path: Path) -> None:
    async with phone(tmp_path / "alice", server) as alice:
        rejected = await events.wait("sip.registration_rejected")
        assert (rejected["reason"], rejected["status_code"]) == ("timeout", 403)
        (failed,) = await alice.wait("REGISTER_FAIL")
        assert "403" in failed


async def test_a_program_refuses(server: Server, api: Api, events: Events, tmp_path: Path) -> None:
    async with phone(tmp_path / "alice", server) as alice:
        attempt = await events.wait("sip.registration_attempt")
        path = f"/sip/registrations/attempts/{attempt['attempt_id']}/reject"
        await api.post(path, 400, status_code=200)
        await api.post(path, 400, reason="one line\r\nand another")
        await api.post(path, 202, status_code=404, reason="Nobody of that name")
        (failed,) = await alice.wait("REGISTER_FAIL")
        assert "404 Nobody of that name" in failed
        rejected = await events.wait("sip.registration_rejected")
        assert rejected["reason"] == "rejected"


async def test_a_domain_that_is_not_ours(
    server: Server, api: Api, events: Events, tmp_path: Path
) -> None:
    account = f'<sip:alice@elsewhere.com>;regint=60;outbound="sip:127.0.0.1:{server.sip_port}"'
    async with baresip(tmp_path / "alice", 440.0, registers=account):
        await processes.until(lambda: "REGISTER from 127.0.0.1 refused: 404" in server.log, 5)
    assert events.all == []


async def test_a_phone_is_called_over_the_connection_it_registered_by(tmp_path: Path) -> None:
    server = Server(
        tmp_path, SIP_DOMAIN="example.com", SIP_INBOUND_REGISTER_DEFAULT="accept",
        SIP_INBOUND_AUTH_CONSULT_TIMEOUT_MS="0", SIP_TCP_ENABLED="true",
    )  # fmt: skip
    registers = (
        "<sip:alice@example.com;transport=tcp>;regint=600"
        ';outbound="sip:127.0.0.1:{port};transport=tcp"'
    )
    try:
        server.start()
        async with api_of(server.url) as api, events_of(server.url) as events:
            registers = registers.format(port=server.sip_port)
            async with baresip(tmp_path / "alice", 440.0, registers=registers) as alice:
                active = await events.wait("sip.registration_active")
                assert active["transport"] == "tcp"
                leg = await api.call("sip:alice@example.com")
                await alice.wait("CALL_INCOMING")
                ladder = await api.get(f"/legs/{leg}/sip")
                assert ladder["messages"][0]["remote"] == active["socket"]
                await api.delete(f"/legs/{leg}", 202)
                await events.ended(leg)
        server.stop()
    finally:
        server.close()


async def test_registrations_survive_a_restart(tmp_path: Path) -> None:
    server = Server(
        tmp_path, SIP_DOMAIN="example.com", SIP_INBOUND_REGISTER_DEFAULT="accept",
        SIP_INBOUND_AUTH_CONSULT_TIMEOUT_MS="0",
    )  # fmt: skip
    try:
        server.start()
        async with phone(tmp_path / "alice", server):
            await _registered(server)
            before = await _bindings(server)
            server.kill()
            server.start()
            after = await _bindings(server)
            assert [b["id"] for b in after] == [b["id"] for b in before]
            assert [b["expires_at"][:16] for b in after] == [b["expires_at"][:16] for b in before]
        assert (tmp_path / "data" / "sip.sqlite3").stat().st_mode & 0o777 == 0o600
        server.stop()
    finally:
        server.close()


async def _registered(server: Server) -> Event:
    async with events_of(server.url, "?after=0") as events:
        return await events.wait("sip.registration_active")


async def _bindings(server: Server) -> list[dict[str, Any]]:
    async with api_of(server.url) as api:
        return list((await api.get("/sip/registrations"))["bindings"])
