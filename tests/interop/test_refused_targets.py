"""Targets that cannot be called, and what is said of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .client import Api
from .server import Server, serving


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("server")) as running:
        yield running


async def test_tcp_that_is_not_switched_on(api: Api) -> None:
    answer = await api.post("/legs", 400, type="sip", to="sip:a@127.0.0.1;transport=tcp")
    assert answer["error"] == "to: TCP is not switched on (SIP_TCP_ENABLED)"


async def test_a_proxy_by_tcp_that_is_not_switched_on(api: Api) -> None:
    proxy = "sip:127.0.0.1;transport=TCP"
    answer = await api.post("/legs", 400, type="sip", to="sip:a@b.test", outbound_proxy=proxy)
    assert answer["error"] == "outbound_proxy: TCP is not switched on (SIP_TCP_ENABLED)"
