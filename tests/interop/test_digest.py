"""Calls that are answered only to who knows the password."""

from __future__ import annotations

import pytest

from .callee import PASSWORD, USER, callee
from .client import Api, Events

AUTH = {"username": USER, "password": PASSWORD}


def challenge(algorithm: str, nonce: str = "b7c9", more: str = ', qop="auth"') -> str:
    return f'realm="interop", nonce="{nonce}", algorithm={algorithm}{more}'


@pytest.mark.parametrize("status", [401, 407])
@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
@pytest.mark.parametrize("more", ["", ', qop="auth"', ', qop="auth,auth-int", opaque="x"'])
async def test_the_password_is_proven(
    api: Api, events: Events, status: int, algorithm: str, more: str
) -> None:
    async with callee(status, [challenge(algorithm, more=more)]) as peer:
        leg = await api.call(peer.uri, auth=AUTH)
        await events.wait("leg.connected", leg_id=leg)
        await api.delete(f"/legs/{leg}", 202)
        await events.ended(leg)
    assert len(peer.invites) == 2
    assert peer.requests[:4] == ["INVITE", "ACK", "INVITE", "ACK"]


async def test_the_stronger_of_two_is_used(api: Api, events: Events) -> None:
    async with callee(401, [challenge("MD5"), challenge("SHA-256")]) as peer:
        leg = await api.call(peer.uri, auth=AUTH)
        await events.wait("leg.connected", leg_id=leg)
        await api.delete(f"/legs/{leg}", 202)
        await events.ended(leg)
    assert peer.invites[1]["algorithm"] == "SHA-256"


async def test_a_stale_nonce_is_replaced(api: Api, events: Events) -> None:
    stale = challenge("SHA-256", "newer", ', qop="auth", stale=true')
    async with callee(407, [challenge("SHA-256", "older")], [stale]) as peer:
        leg = await api.call(peer.uri, auth=AUTH)
        await events.wait("leg.connected", leg_id=leg)
        await api.delete(f"/legs/{leg}", 202)
        await events.ended(leg)
    assert [c.get("nonce") for c in peer.invites] == [None, "older", "newer"]


@pytest.mark.parametrize("times", [2, 3])
async def test_it_does_not_try_a_refused_password_for_ever(
    api: Api, events: Events, times: int
) -> None:
    asked = [[challenge("SHA-256", f"nonce{n}")] for n in range(times)]
    async with callee(401, *asked) as peer:
        leg = await api.call(peer.uri, auth=AUTH)
        assert (await events.ended(leg))["cdr"]["reason"] == "unauthorized"
    assert len(peer.invites) == 2


async def test_a_wrong_password(api: Api, events: Events) -> None:
    async with callee(407, [challenge("SHA-256")]) as peer:
        leg = await api.call(peer.uri, auth={"username": USER, "password": "queen"})
        assert (await events.ended(leg))["cdr"]["reason"] == "forbidden"
    assert len(peer.invites) == 2
