"""TLS: who is believed to be who, in both directions."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import trustme

from hookswitch.settings import SettingsError
from hookswitch_transport_sip.settings import SipSettings
from hookswitch_transport_sip.signalling.tls import TlsContexts, tls_contexts
from hookswitch_transport_sip.sip.address import NameAddr
from hookswitch_transport_sip.sip.events import Failed, InviteReceived
from hookswitch_transport_sip.sip.uri import Uri

from .conftest import PATIENCE, Station, station
from .test_connections import options

US = NameAddr(Uri.parse("sip:us@127.0.0.1"))


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def papers(authority: trustme.CA, tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """Settings with a certificate for these names."""

    def issue(*names: str, by: trustme.CA = authority, **more: Any) -> dict[str, Any]:
        certificate, trusted = tmp_path / f"{names[0]}.pem", tmp_path / "ca.pem"
        by.issue_cert(*names).private_key_and_cert_chain_pem.write_to_path(str(certificate))
        authority.cert_pem.write_to_path(str(trusted))
        return {"sip_tls_cert": certificate, "sip_tls_ca": trusted, **more}

    return issue


def call(caller: Station, uri: str) -> None:
    caller.agent.invite(Uri.parse(uri), US, b"v=0\r\n", caller.signalling.now())
    caller.signalling.settle()


async def test_a_sips_call_to_a_name(papers: Callable[..., dict[str, Any]]) -> None:
    async with station(**papers("localhost")) as callee, station(**papers("a.test")) as caller:
        call(caller, f"sips:bob@localhost:{callee.port('TLS')}")
        event = await callee.event(InviteReceived)
        assert event.source.transport == "TLS"
        contact = event.request.contacts[0].uri
        assert str(contact) == f"sips:127.0.0.1:{caller.port('TLS')};transport=tls"


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
async def test_a_certificate_for_another_name_is_no_use(
    papers: Callable[..., dict[str, Any]], host: str
) -> None:
    async with station(**papers("b.test")) as callee, station(**papers("a.test")) as caller:
        call(caller, f"sip:bob@{host}:{callee.port('TLS')};transport=tls")
        failed = await caller.event(Failed)
        assert (failed.status, failed.local) == (503, True)
        assert callee.events == []


async def test_a_certificate_of_a_stranger_is_no_use(
    papers: Callable[..., dict[str, Any]],
) -> None:
    strange = papers("localhost", by=trustme.CA())
    async with station(**strange) as callee, station(**papers("a.test")) as caller:
        call(caller, f"sips:bob@localhost:{callee.port('TLS')}")
        await caller.event(Failed)


async def test_verification_can_be_turned_off(papers: Callable[..., dict[str, Any]]) -> None:
    strange = papers("b.test", by=trustme.CA())
    careless = papers("a.test", sip_tls_verify=False)
    async with station(**strange) as callee, station(**careless) as caller:
        call(caller, f"sips:bob@localhost:{callee.port('TLS')}")
        await callee.event(InviteReceived)


async def test_callers_may_have_to_show_a_certificate(
    papers: Callable[..., dict[str, Any]], authority: trustme.CA, tmp_path: Path
) -> None:
    strict = papers("localhost", sip_tls_verify_client=True)
    own = tmp_path / "client.pem"
    authority.issue_cert("client.test").private_key_and_cert_chain_pem.write_to_path(str(own))
    showing = papers("a.test", by=trustme.CA(), sip_tls_client_cert=own)
    hiding = papers("c.test", by=trustme.CA())
    async with (
        station(**strict) as callee,
        station(**showing) as known,
        station(**hiding) as unknown,
    ):
        call(unknown, f"sips:eve@localhost:{callee.port('TLS')}")
        await unknown.event(Failed)
        call(known, f"sips:bob@localhost:{callee.port('TLS')}")
        event = await callee.event(InviteReceived)
        assert event.request.uri.username == "bob"


async def test_a_ping_is_answered(
    papers: Callable[..., dict[str, Any]], authority: trustme.CA
) -> None:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    async with station(**papers("localhost")) as callee:
        reader, writer = await asyncio.open_connection("localhost", callee.port("TLS"), ssl=context)
        writer.write(b"\r\n\r\n")
        async with asyncio.timeout(PATIENCE):
            assert await reader.readexactly(2) == b"\r\n"
            writer.write(options(1) + b"\r\n\r\n")
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"SIP/2.0 200")
            assert await reader.readexactly(2) == b"\r\n"
        writer.close()
        await writer.wait_closed()


async def test_who_speaks_no_tls_is_let_go(papers: Callable[..., dict[str, Any]]) -> None:
    async with station(**papers("localhost")) as callee:
        reader, writer = await asyncio.open_connection("127.0.0.1", callee.port("TLS"))
        writer.write(options(1))
        async with asyncio.timeout(PATIENCE):
            assert b"SIP/2.0" not in await reader.read()
        writer.close()
        await writer.wait_closed()


async def test_who_begins_no_handshake_counts_as_a_connection_and_is_let_go(
    papers: Callable[..., dict[str, Any]],
) -> None:
    limits = {"sip_max_connections": 1, "sip_connect_timeout": 0.2}
    async with station(**papers("localhost", **limits)) as callee:
        silent, writer = await asyncio.open_connection("127.0.0.1", callee.port("TLS"))
        other, second = await asyncio.open_connection("127.0.0.1", callee.port("TLS"))
        async with asyncio.timeout(PATIENCE):
            assert await other.read() == b""
            assert await silent.read() == b""
        assert callee.signalling.counters["connections_refused"] == 1
        await callee.counted("handshakes_failed")
        for one in (writer, second):
            one.close()
            await one.wait_closed()


async def test_the_end_ends_handshakes(papers: Callable[..., dict[str, Any]]) -> None:
    async with station(**papers("localhost")) as callee:
        reader, writer = await asyncio.open_connection("127.0.0.1", callee.port("TLS"))
        await asyncio.sleep(0)
    async with asyncio.timeout(PATIENCE):
        with suppress(ConnectionResetError):
            assert await reader.read() == b""
    writer.close()
    await asyncio.gather(writer.wait_closed(), return_exceptions=True)


async def test_old_tls_is_not_spoken(
    papers: Callable[..., dict[str, Any]], authority: trustme.CA
) -> None:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    async with station(**papers("localhost")) as callee:
        _, writer = await asyncio.open_connection(
            "127.0.0.1", callee.port("TLS"), ssl=context, server_hostname="localhost"
        )
        assert writer.get_extra_info("ssl_object").version() in ("TLSv1.2", "TLSv1.3")
        writer.close()
        await writer.wait_closed()


async def shown_name(contexts: TlsContexts, authority: trustme.CA) -> str:
    """The name in the certificate of a server with these contexts."""
    trusting = ssl.create_default_context()
    trusting.check_hostname = False
    authority.configure_trust(trusting)
    server = await asyncio.start_server(lambda r, w: w.close(), "127.0.0.1", 0, ssl=contexts.server)
    async with server:
        port = server.sockets[0].getsockname()[1]
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trusting)
        ((_, name),) = writer.get_extra_info("peercert")["subjectAltName"]
        writer.close()
        await writer.wait_closed()
    return str(name)


def test_a_renewed_certificate_is_taken_over(
    papers: Callable[..., dict[str, Any]],
    authority: trustme.CA,
    caplog: pytest.LogCaptureFixture,
) -> None:
    settings = papers("old.test")
    contexts = TlsContexts(SipSettings(**settings))
    path: Path = settings["sip_tls_cert"]
    renewed = authority.issue_cert("new.test").private_key_and_cert_chain_pem
    renewed.write_to_path(str(path))
    os.utime(path, ns=(1, 1))
    contexts.refresh()
    assert asyncio.run(shown_name(contexts, authority)) == "new.test"
    path.write_text("half a certif")
    contexts.refresh()
    assert "the old one stays in use" in caplog.text
    assert asyncio.run(shown_name(contexts, authority)) == "new.test"
    path.unlink()
    contexts.refresh()


@pytest.mark.parametrize("setting", ["sip_tls_cert", "sip_tls_ca", "sip_tls_client_cert"])
def test_files_that_cannot_be_used_are_named(
    papers: Callable[..., dict[str, Any]], tmp_path: Path, setting: str
) -> None:
    bad = tmp_path / "bad.pem"
    bad.write_text("no certificate")
    with pytest.raises(SettingsError, match=f"{setting.upper()}: cannot use .*bad.pem"):
        tls_contexts(SipSettings(**{**papers("localhost"), setting: bad}))
