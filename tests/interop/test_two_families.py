"""Calls that are signalled over one family of addresses and speak over the other."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from .client import Api, Events
from .rtp_peer import RtpPeer
from .server import Server, serving
from .sipp import session, sipp
from .speakers import opened, speaking

LOOPBACK = {4: "127.0.0.1", 6: "::1"}
SIPP = {4: "127.0.0.1", 6: "[::1]"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("server"), SIP_BIND_IP6="::1") as running:
        yield running


def session_at(family: int, port: int) -> str:
    """A session of this family, whatever that of its SIP is."""
    text = session(port).replace("IP[media_ip_type]", f"IP{family}")
    return text.replace("[media_ip]", LOOPBACK[family])


async def answer(api: Api, events: Events, after: dict[str, object] | None) -> dict[str, object]:
    """Answer the next call into the room."""
    ringing = await events.wait("leg.ringing", after=after)
    await api.post(f"/legs/{ringing['leg_id']}/answer", 202)
    await events.wait("leg.connected", leg_id=ringing["leg_id"])
    await api.post("/rooms/families/legs", 200, leg_id=ringing["leg_id"])
    return ringing


async def test_media_goes_by_the_family_of_the_offer(
    server: Server, api: Api, events: Events, tmp_path: Path
) -> None:
    async with (
        opened(partial(RtpPeer, 440.0), LOOPBACK[4]) as four,
        opened(partial(RtpPeer, 1000.0), LOOPBACK[6]) as six,
        speaking([four, six]),
    ):
        calls = [
            sipp(
                "caller_waits_for_bye.xml",
                tmp_path,
                target=server.sip_port,
                host=SIPP[signalled],
                fields={"sdp": session_at(spoken, peer.port)},
            )
            for signalled, spoken, peer in ((6, 4, four), (4, 6, six))
        ]
        async with calls[0] as over_six:
            first = await answer(api, events, None)
            async with calls[1] as over_four:
                second = await answer(api, events, first)
                await four.hears(1000.0)
                await six.hears(440.0)
                for leg in (str(first["leg_id"]), str(second["leg_id"])):
                    await api.delete(f"/legs/{leg}", 202)
                    await events.ended(leg)
                await over_six.succeeded()
                await over_four.succeeded()
        assert f"c=IN IP4 {LOOPBACK[4]}" in over_six.messages.split("SIP/2.0 200")[1]
        assert f"c=IN IP6 {LOOPBACK[6]}" in over_four.messages.split("SIP/2.0 200")[1]
