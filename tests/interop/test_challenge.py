"""Callers that are asked for a password before they are let in."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .client import Api, Events
from .server import Server, serving
from .sipp import sipp

PASSWORD = "wonderland"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(
        tmp_path_factory.mktemp("server"),
        SIP_DOMAIN="example.com",
        SIP_TRUST_HEADERS_FROM="authenticated",
    ) as running:
        yield running


def ha1(function: Any) -> str:
    return str(function(f"alice:there:{PASSWORD}".encode()).hexdigest())


async def steps(api: Api, leg: str) -> list[str]:
    """The ladder of a leg without 100 and 180: methods and statuses with their CSeq."""
    found = []
    for message in (await api.get(f"/legs/{leg}/sip"))["messages"]:
        start = message["first_line"].removeprefix("SIP/2.0 ").split()[0]
        number = re.search(r"\r\nCSeq: (\d+)", message["text"])
        assert number is not None
        if start not in ("100", "180"):
            found.append(f"{number[1]} {start}")
        assert "response=" not in message["text"]
    return found


@pytest.mark.parametrize(
    "challenge",
    [
        {"password": PASSWORD},
        {"password": PASSWORD, "username": "alice", "realm": "there", "algorithm": "MD5"},
        {"ha1": ha1(hashlib.md5), "realm": "there"},
    ],
    ids=["password", "everything", "ha1"],
)
async def test_the_caller_proves_the_password(
    server: Server, api: Api, events: Events, tmp_path: Path, challenge: dict[str, str]
) -> None:
    fields = {"password": PASSWORD}
    async with sipp(
        "caller_knows_password.xml", tmp_path, target=server.sip_port, fields=fields
    ) as caller:
        first = await events.wait("leg.ringing")
        assert "authenticated" not in first
        assert "app_id" not in first, "a stranger chooses no application"
        answer = await api.post(f"/legs/{first['leg_id']}/challenge", 202, **challenge)
        assert answer["status"] == "challenging"
        end = await events.ended(first["leg_id"])
        assert end["cdr"]["reason"] == "challenged"
        second = await events.wait("leg.ringing", after=first)
        assert second["authenticated"] is True
        assert second["auth_username"] == "alice"
        assert second["app_id"] == "shop"
        shown = await api.get(f"/legs/{second['leg_id']}")
        assert (shown["authenticated"], shown["auth_username"]) == (True, "alice")
        await api.post(f"/legs/{second['leg_id']}/answer", 202)
        await events.ended(second["leg_id"])
        await caller.succeeded()
    assert await steps(api, first["leg_id"]) == ["1 INVITE", "1 401", "1 ACK"]
    made = await steps(api, second["leg_id"])
    assert made[:3] == ["2 INVITE", "2 200", "2 ACK"]
    assert [step.split()[1] for step in made[3:]] == ["BYE", "200"]


async def test_guesses_end_in_403_and_are_no_legs(
    server: Server, api: Api, events: Events, tmp_path: Path
) -> None:
    async with sipp("caller_guesses_password.xml", tmp_path, target=server.sip_port) as caller:
        leg = (await events.wait("leg.ringing"))["leg_id"]
        await api.post(f"/legs/{leg}/challenge", 202, password=PASSWORD)
        failed = await events.wait("sip.challenge_failed")
        await caller.succeeded()
    assert failed["username"] == "alice"
    assert failed["method"] == "INVITE"
    assert failed["source_address"] == f"127.0.0.1:{caller.port}"
    assert len([e for e in events.all if e["type"] == "leg.ringing"]) == 1
    assert await steps(api, leg) == [
        f"{number} {step}"
        for number, status in ((1, 401), (2, 401), (3, 401), (4, 403))
        for step in ("INVITE", status, "ACK")
    ]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "password"),
        ({"password": "a", "ha1": "b"}, "password"),
        ({"ha1": "0" * 32}, "realm"),
        ({"ha1": "xyz", "realm": "r"}, "ha1"),
        ({"ha1": "0" * 32, "realm": "r", "algorithm": "SHA-256"}, "ha1"),
        ({"password": "a", "algorithm": "SHA-1"}, "algorithm"),
        ({"password": "a", "qop": "auth-int"}, "qop"),
        ({"password": "a", "realm": "a\r\nb"}, "realm"),
    ],
)
async def test_a_challenge_that_makes_no_sense(
    server: Server, api: Api, events: Events, tmp_path: Path, body: dict[str, str], field: str
) -> None:
    async with sipp("caller_hangs_up.xml", tmp_path, target=server.sip_port) as caller:
        leg = (await events.wait("leg.ringing"))["leg_id"]
        answer = await api.post(f"/legs/{leg}/challenge", 400, **body)
        assert field in answer["error"]
        await api.post(f"/legs/{leg}/answer", 202)
        await events.wait("leg.connected", leg_id=leg)
        await events.ended(leg)
        await api.post(f"/legs/{leg}/challenge", 404, password=PASSWORD)
        await caller.succeeded()
