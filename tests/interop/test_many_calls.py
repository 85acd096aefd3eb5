"""Five hundred calls, twenty a second, answered by an application over REST."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.sound import tone

from . import processes
from .client import Api, Event, Events
from .g711 import pack_ulaw
from .server import Server
from .sipp import sipp

CALLS, PER_SECOND = 500, 20


class Application:
    """Answers every call as soon as it rings."""

    def __init__(self, api: Api, events: Events) -> None:
        self._api = api
        self._answers: list[asyncio.Task[None]] = []
        events.watch(self._take)

    async def finished(self) -> int:
        """Calls answered; raises what went wrong with any."""
        return len(await asyncio.gather(*self._answers))

    def _take(self, event: Event) -> None:
        if event["type"] == "leg.ringing":
            work = self._api.post(f"/legs/{event['leg_id']}/answer", 202)
            self._answers.append(asyncio.create_task(work))


async def footprint(server: Server, api: Api) -> dict[str, object]:
    """What calls might leave behind."""
    pids = [server.pid, *server.workers]
    connections = processes.tcp_connections(server.http_port)
    """Those of this test: how many it needs at once is a matter of luck."""
    return {
        "legs": await api.metric("hookswitch_active_legs"),
        "ports in the mixer": await api.metric("hookswitch_media_ports"),
        "tasks": await api.metric("hookswitch_tasks"),
        "UDP ports": [processes.udp_ports(pid) for pid in pids],
        "descriptors": sum(len(processes.descriptors(pid)) for pid in pids) - connections,
        "threads": [processes.threads(pid) for pid in pids],
        "pids": pids,
    }


async def test_five_hundred_calls(server: Server, api: Api, events: Events, tmp_path: Path) -> None:
    (tmp_path / "tone.ulaw").write_bytes(pack_ulaw(tone(440.0, 1.0, 8000)))
    application = Application(api, events)
    fields = {"audio": str(tmp_path / "tone.ulaw")}
    async with sipp("caller_talks.xml", tmp_path, target=server.sip_port, fields=fields) as first:
        await first.succeeded()
    before = await footprint(server, api)
    async with sipp(
        "caller_talks.xml",
        tmp_path,
        *("-r", str(PER_SECOND)),
        target=server.sip_port,
        calls=CALLS,
        timeout_s=60,
        fields=fields,
    ) as callers:
        outcome = await callers.outcome()
    assert (outcome.successful, outcome.failed, outcome.unexpected) == (CALLS, 0, "")
    assert outcome.retransmissions <= CALLS // 5  # few, also where many share a core
    assert await application.finished() == CALLS + 1
    for leg in await api.get("/legs"):
        await events.ended(leg["id"])
    ends = [e for e in events.all if e["type"] == "leg.disconnected"]
    assert len({e["leg_id"] for e in ends}) == len(ends) == CALLS + 1
    assert {e["cdr"]["reason"] for e in ends} == {"remote_bye"}
    for end in ends:
        assert end["cdr"]["duration_answered"] > 1.9
        assert end["quality"]["rtp_packets_received"] >= 90
        assert end["quality"]["rtp_packets_lost"] == 0
    assert await footprint(server, api) == before
