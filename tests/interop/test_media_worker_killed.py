"""kill -9 of the media worker under live calls."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import numpy as np

from . import processes
from .client import Api, Events
from .rtp_peer import RtpPeer, rtp_peers
from .server import Server
from .sipp import sipp

CALLS = 20
FREQUENCIES = 400.0 + 140.0 * np.arange(CALLS)


async def answer_all(api: Api, events: Events) -> dict[int, str]:
    """Answer the calls; their legs by media port."""
    legs: dict[int, str] = {}
    latest = None
    for _ in range(CALLS):
        latest = await events.wait("leg.ringing", after=latest)
        legs[int(latest["headers"]["X-Media-Port"])] = latest["leg_id"]
        await api.post(f"/legs/{latest['leg_id']}/answer", 202)
    for leg in legs.values():
        await events.wait("leg.connected", leg_id=leg)
    return legs


async def hear_each_other(peers: list[RtpPeer], since: float, within: float) -> list[float]:
    """Wait until each hears its neighbour; answers after how many seconds each did."""
    others = [peers[number ^ 1] for number in range(CALLS)]
    pairs = list(zip(peers, others, strict=True))
    found: dict[int, float] = {}

    def complete() -> bool:
        for listener, speaker in pairs:
            if listener.port not in found:
                at = listener.heard_from(speaker.frequency, since)
                if at is not None:
                    found[listener.port] = at - since
        return len(found) == len(pairs)

    await processes.until(complete, within)
    return list(found.values())


async def test_the_media_worker_is_killed(
    server: Server, api: Api, events: Events, tmp_path: Path
) -> None:
    server.expected.append(r"worker media-0 died \(status -9\)")
    loop = asyncio.get_running_loop()
    async with rtp_peers(FREQUENCIES) as peers:
        (tmp_path / "ports.csv").write_text(
            "SEQUENTIAL\n" + "".join(f"{peer.port}\n" for peer in peers)
        )
        async with sipp(
            "caller_with_media_elsewhere.xml",
            tmp_path,
            *("-inf", str(tmp_path / "ports.csv"), "-r", "20"),
            target=server.sip_port,
            calls=CALLS,
            timeout_s=60,
        ) as callers:
            legs = await answer_all(api, events)
            for number, peer in enumerate(peers):
                room = f"pair-{number // 2}"
                await api.post(f"/rooms/{room}/legs", 200, leg_id=legs[peer.port])
            await hear_each_other(peers, loop.time(), within=5.0)
            before = {peer.port: peer.heard[-1].source for peer in peers}
            ports = processes.udp_ports(server.pid)

            (worker,) = server.media_workers
            killed = loop.time()
            os.kill(worker, signal.SIGKILL)
            # a packet or two of the dead worker may still be under way
            outages = await hear_each_other(peers, killed + 0.1, within=10.0)
            assert max(outages) < 0.9
            await hear_each_other(peers, killed + 1.0, within=2.0)

            assert server.media_workers != [worker]
            assert await api.metric("hookswitch_media_restarts_total") == 1
            assert {p.port: {h.source for h in p.heard} for p in peers} == {
                port: {source} for port, source in before.items()
            }
            assert processes.udp_ports(server.pid) == ports
            assert {leg["state"] for leg in await api.get("/legs")} == {"connected"}
            assert not [e for e in events.all if e["type"] == "leg.disconnected"]
            assert not [e for e in events.all if e["type"] == "leg.command_failed"]
            for leg in legs.values():
                await api.delete(f"/legs/{leg}", 202)
                end = await events.ended(leg)
                assert end["cdr"]["reason"] == "api_hangup"
            await callers.succeeded(CALLS)
