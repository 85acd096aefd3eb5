"""Targets that cannot be called, and what is said of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from . import processes
from .client import Api, Events
from .name_server import name_server
from .server import Server, serving

DNS_PORT = processes.free_port()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(
        tmp_path_factory.mktemp("server"),
        SIP_DOMAIN="ours.test",
        SIP_DNS_SERVERS=f"127.0.0.1:{DNS_PORT}",
    ) as running:
        yield running


async def test_tcp_that_is_not_switched_on(api: Api) -> None:
    answer = await api.post("/legs", 400, type="sip", to="sip:a@127.0.0.1;transport=tcp")
    assert answer["error"] == "to: TCP is not switched on (SIP_TCP_ENABLED)"


async def test_a_proxy_by_tcp_that_is_not_switched_on(api: Api) -> None:
    proxy = "sip:127.0.0.1;transport=TCP"
    answer = await api.post("/legs", 400, type="sip", to="sip:a@b.test", outbound_proxy=proxy)
    assert answer["error"] == "outbound_proxy: TCP is not switched on (SIP_TCP_ENABLED)"


@pytest.mark.parametrize(
    ("to", "reason"),
    [("sip:bob@ours.test", "unavailable"), ("sip:bob@theirs.test", "connect_failed")],
)
async def test_a_user_of_ours_who_is_not_registered(
    api: Api, events: Events, tmp_path: Path, to: str, reason: str
) -> None:
    """DNS knows neither domain; of ours we know that the user is merely not there."""
    async with name_server(tmp_path / "dns.log", DNS_PORT, "local=/test/"):
        leg = await api.call(to)
        assert (await events.ended(leg))["cdr"]["reason"] == reason
