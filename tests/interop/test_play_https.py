"""Prompts from servers that speak HTTPS: heard by a phone, if the certificate is good."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trustme
from aiohttp import web

from tests.sound import level, tone
from tests.waves import write_wav

from .baresip import RATE, baresip, call_in
from .client import Api, Events
from .server import Server, serving

PROMPT = 1000.0


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, authority: trustme.CA) -> Iterator[Server]:
    """A server whose system trusts one authority."""
    folder = tmp_path_factory.mktemp("server")
    trusted = folder / "authorities.pem"
    authority.cert_pem.write_to_path(str(trusted))
    with serving(folder, SSL_CERT_FILE=str(trusted)) as running:
        yield running


@asynccontextmanager
async def https(folder: Path, issuer: trustme.CA) -> AsyncIterator[str]:
    """A server of files under a certificate for localhost; answers its address."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    issuer.issue_cert("localhost").configure_cert(context)
    app = web.Application()
    app.router.add_static("/", folder)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
        await site.start()
        yield f"https://localhost:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def test_a_prompt_from_a_trusted_server(
    server: Server, api: Api, events: Events, authority: trustme.CA, tmp_path: Path
) -> None:
    write_wav(tmp_path / "prompt.wav", tone(PROMPT, 2.0, RATE), RATE)
    async with (
        https(tmp_path, authority) as url,
        baresip(tmp_path / "alice", 425.0) as alice,
    ):
        leg = await call_in(alice, server.sip_port, api, events, "solo")
        body = {"url": f"{url}/prompt.wav", "mime_type": "audio/wav", "repeat": -1}
        playback = (await api.post(f"/legs/{leg}/play", 200, **body))["playback_id"]
        await events.wait("playback.started", leg_id=leg, playback_id=playback)
        await alice.listen(0.5)
        assert level(await alice.listen(1.0), PROMPT, RATE) == pytest.approx(-12, abs=1)
        await alice.hang_up()
        await events.ended(leg)


async def test_a_server_with_a_certificate_of_somebody_else(
    server: Server, api: Api, events: Events, tmp_path: Path
) -> None:
    write_wav(tmp_path / "prompt.wav", tone(PROMPT, 2.0, RATE), RATE)
    async with (
        https(tmp_path, trustme.CA()) as url,
        baresip(tmp_path / "alice", 425.0) as alice,
    ):
        leg = await call_in(alice, server.sip_port, api, events, "solo")
        body = {"url": f"{url}/prompt.wav", "mime_type": "audio/wav"}
        playback = (await api.post(f"/legs/{leg}/play", 200, **body))["playback_id"]
        failed = await events.wait("playback.error", leg_id=leg, playback_id=playback)
        assert "certificate" in failed["error"]
        await alice.hang_up()
        await events.ended(leg)
