"""UDP: nobody is there, and it is known at once; both families; ports that are taken."""

from __future__ import annotations

import asyncio
import socket

import pytest
import uvloop

from hookswitch.settings import SettingsError
from hookswitch_transport_sip.settings import SipSettings
from hookswitch_transport_sip.signalling.listening import listen
from hookswitch_transport_sip.sip.address import NameAddr
from hookswitch_transport_sip.sip.events import Failed, InviteReceived
from hookswitch_transport_sip.sip.uri import Uri

from .conftest import PATIENCE, Station, station
from .test_connections import options

US = NameAddr(Uri.parse("sip:us@127.0.0.1"))


def call(caller: Station, uri: str) -> None:
    caller.agent.invite(Uri.parse(uri), US, b"v=0\r\n", caller.signalling.now())
    caller.signalling.settle()


async def to_a_closed_port(host: str, bracketed: str) -> None:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind((host, 0))
        closed = s.getsockname()[1]
    async with station(sip_bind_ip6="::1") as caller, station(sip_bind_ip6="::1") as callee:
        call(caller, f"sip:nobody@{bracketed}:{closed}")
        failed = await caller.event(Failed)
        assert (failed.status, failed.local) == (503, True)
        call(caller, f"sip:bob@{bracketed}:{callee.port('UDP')}")
        event = await callee.event(InviteReceived)
        assert event.source.host == host


PLACES = [("127.0.0.1", "127.0.0.1"), ("::1", "[::1]")]


@pytest.mark.parametrize(("host", "bracketed"), PLACES)
async def test_a_closed_port_fails_at_once(host: str, bracketed: str) -> None:
    await to_a_closed_port(host, bracketed)


@pytest.mark.parametrize(("host", "bracketed"), PLACES)
def test_a_closed_port_fails_at_once_in_the_loop_of_the_server(host: str, bracketed: str) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(to_a_closed_port(host, bracketed))


async def test_our_addresses_depend_on_who_asks() -> None:
    async with station(sip_bind_ip6="::1") as caller, station(sip_bind_ip6="::1") as callee:
        call(caller, f"sip:bob@[::1]:{callee.port('UDP')}")
        event = await callee.event(InviteReceived)
        assert event.request.via.host == "::1"
        assert event.request.contacts[0].uri.host == "::1"
        assert event.request.via.port == caller.port("UDP") == caller.port("TCP")


async def test_without_a_socket_of_that_family_a_call_fails() -> None:
    async with station() as caller:
        call(caller, "sip:bob@[::1]")
        assert (await caller.event(Failed)).local


async def test_what_cannot_leave_is_not_told_as_sent(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG", "hookswitch_transport_sip.ladder")
    async with station() as caller, station() as callee:
        call(caller, "sip:all@255.255.255.255")  # nobody gave us leave to broadcast
        assert (await caller.event(Failed)).local
        assert caplog.messages == []
        call(caller, f"sip:bob@127.0.0.1:{callee.port('UDP')}")
        await callee.event(InviteReceived)
        assert caplog.messages[0].startswith(f"> udp:127.0.0.1:{callee.port('UDP')} INVITE sip:bob")


async def test_keep_alives_are_dropped_in_silence(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    loop = asyncio.get_running_loop()
    async with station() as callee:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
            phone.setblocking(False)
            phone.bind(("127.0.0.1", 0))
            await loop.sock_connect(phone, ("127.0.0.1", callee.port("UDP")))
            caplog.clear()
            for data in (b"\r\n\r\n", b"\r\n", b"\r\n" * 4, b"\0", b""):
                await loop.sock_sendall(phone, data)
            await callee.counted("keep_alives", 5)
            assert caplog.records == []
            via = f"127.0.0.1:{phone.getsockname()[1]}"
            await loop.sock_sendall(phone, options(1, via).replace(b"SIP/2.0/TCP", b"SIP/2.0/UDP"))
            async with asyncio.timeout(PATIENCE):
                first = await loop.sock_recv(phone, 4096)
        assert first.startswith(b"SIP/2.0 200")
        assert callee.signalling.counters == {"keep_alives": 5}


@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_STREAM])
def test_a_port_that_is_taken_is_named(kind: socket.SocketKind) -> None:
    with socket.socket(socket.AF_INET, kind) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        settings = SipSettings(sip_port=port, sip_tcp_enabled=True)
        if kind is socket.SOCK_STREAM:
            taken.listen()
        name = "udp" if kind is socket.SOCK_DGRAM else "tcp"
        with pytest.raises(SettingsError, match=f"SIP_PORT: cannot listen on {name}:127.0.0.1"):
            listen(settings)
