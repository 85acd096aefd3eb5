"""baresip over TLS, TCP and IPv6: calls in, is called, and is heard."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import trustme

from tests.sound import level

from .baresip import RATE, Baresip, Line, baresip, call_in
from .client import Api, Events
from .linphone import RELEASED, RUNNING, linphone
from .server import Server, serving

ALICE, BOB = 425.0, 1030.0
SENT = -12.0


@dataclass(frozen=True, slots=True)
class Papers:
    """Certificates: an authority, what it signed for all of us, what another signed."""

    authority: Path
    ours: Path
    strangers: Path


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    folder = tmp_path_factory.mktemp("papers")
    found = Papers(folder / "ca.pem", folder / "ours.pem", folder / "strangers.pem")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(found.authority))
    for path, issuer in ((found.ours, authority), (found.strangers, trustme.CA())):
        issuer.issue_cert("127.0.0.1", "localhost").private_key_and_cert_chain_pem.write_to_path(
            str(path)
        )
    return found


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, papers: Papers) -> Iterator[Server]:
    with serving(
        tmp_path_factory.mktemp("server"),
        SIP_TCP_ENABLED="true",
        SIP_BIND_IP6="::1",
        SIP_TLS_PORT="0",
        SIP_TLS_CERT=str(papers.ours),
        SIP_TLS_CA=str(papers.authority),
    ) as running:
        yield running


def line_of(kind: str, papers: Papers) -> Line:
    if kind == "tls":
        return Line("tls", tls=(papers.ours, papers.authority))
    return Line("udp", "[::1]") if kind == "udp6" else Line(kind)


def hears(audio: np.ndarray, frequency: float) -> bool:
    return abs(level(audio, frequency, RATE) - SENT) < 1.0


@pytest.mark.parametrize("kind", ["tcp", "tls", "udp6"])
async def test_a_phone_calls_and_another_is_called(
    server: Server, api: Api, events: Events, tmp_path: Path, papers: Papers, kind: str
) -> None:
    line = line_of(kind, papers)
    async with (
        baresip(tmp_path / "alice", ALICE, line=line) as alice,
        baresip(tmp_path / "bob", BOB, line=line) as bob,
    ):
        port = server.port_of("tls") if kind == "tls" else server.sip_port
        caller = await call_in(alice, port, api, events, "talk", line)
        callee = await api.call(bob.uri, room_id="talk")
        await bob.wait("CALL_INCOMING")
        await bob.accept()
        await events.wait("leg.joined_room", leg_id=callee, room_id="talk")
        await alice.listen(0.5)
        assert hears(await alice.listen(1.0), BOB)
        assert hears(await bob.listen(1.0), ALICE)
        await bob.hang_up()
        assert (await events.ended(callee))["cdr"]["reason"] == "remote_bye"
        await api.delete(f"/legs/{caller}", 202)
        await events.ended(caller)
        await alice.wait("CALL_CLOSED")
    for leg in (caller, callee):
        messages = (await api.get(f"/legs/{leg}/sip"))["messages"]
        assert {m["transport"] for m in messages} == {kind.removesuffix("6")}
        if kind == "udp6":
            assert all(m["remote"].startswith("[::1]:") for m in messages)
            assert "c=IN IP6 ::1" in "".join(
                m["text"] for m in messages if m["direction"] == "sent"
            )


async def test_a_phone_with_the_wrong_certificate_is_not_called(
    api: Api, events: Events, tmp_path: Path, papers: Papers
) -> None:
    line = Line("tls", tls=(papers.strangers, papers.authority))
    async with baresip(tmp_path / "eve", ALICE, line=line) as eve:
        leg = await api.call(eve.uri)
        assert (await events.ended(leg))["cdr"]["reason"] == "connect_failed"
        assert no_calls(eve)


async def test_a_second_stack_calls_over_tls(
    server: Server, api: Api, events: Events, tmp_path: Path, papers: Papers
) -> None:
    """Linphone checks our certificate and shows none; what we ask later goes its connection."""
    trusting = (f"root_ca={papers.authority}", "sip_tls_port=-1", "sip_port=-1")
    async with linphone(tmp_path / "alice", *trusting) as alice:
        await alice.do(dial=f"sip:room@localhost:{server.port_of('tls')};transport=tls")
        leg = (await events.wait("leg.ringing"))["leg_id"]
        await api.post(f"/legs/{leg}/answer", 202)
        await events.wait("leg.connected", leg_id=leg)
        await alice.reaches(RUNNING)
        await api.delete(f"/legs/{leg}", 202)
        await events.ended(leg)
        await alice.reaches(RELEASED)
    messages = (await api.get(f"/legs/{leg}/sip"))["messages"]
    assert {m["transport"] for m in messages} == {"tls"}
    assert len({m["remote"] for m in messages}) == 1
    assert messages[-1]["first_line"] == "SIP/2.0 200 Ok"


async def test_a_second_stack_does_not_call_who_has_no_certificate_of_its_authority(
    server: Server, api: Api, tmp_path: Path, papers: Papers
) -> None:
    suspicious = (f"root_ca={papers.strangers}", "sip_tls_port=-1", "sip_port=-1")
    before = await api.get("/legs")
    async with linphone(tmp_path / "alice", *suspicious) as alice:
        await alice.do(dial=f"sip:room@localhost:{server.port_of('tls')};transport=tls")
        await alice.reaches(RELEASED, within=20)
    assert await api.get("/legs") == before


def no_calls(phone: Baresip) -> bool:
    return not [event for event in phone.events if event["type"] == "CALL_INCOMING"]
