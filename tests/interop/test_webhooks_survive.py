"""No event is lost: the receiver is down for a while, the server is killed and started again."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from . import processes
from .client import Api, Event, Events, api_of, events_of
from .receiver import SECRET, Receiver
from .server import Server
from .sipp import sipp

CALLS = 15
"""In each part of the run."""

ONCE_PER_LEG = ("leg.ringing", "leg.connected", "leg.disconnected")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    running = Receiver()
    running.open()
    yield running
    running.close()


@pytest.fixture
def server(tmp_path: Path, receiver: Receiver) -> Iterator[Server]:
    """A server that has not been started."""
    prepared = Server(tmp_path, WEBHOOK_URL=receiver.url, WEBHOOK_SECRET=SECRET)
    yield prepared
    prepared.close()


class Witness:
    """What any event stream showed and any answer of the API promised."""

    def __init__(self) -> None:
        self.shown: dict[str, Event] = {}
        self.promised: set[tuple[str, str]] = set()

    def see(self, event: Event) -> None:
        self.shown[event["event_id"]] = event

    def is_told(self, receiver: Receiver) -> bool:
        """Whether all that was shown has arrived, and the end of every leg that was begun: those of
        a server that was killed end before anybody can watch its successor."""
        cut_short = [s for s in _stories(receiver.first) if s[-1][1] != "leg.disconnected"]
        return receiver.has(set(self.shown)) and not cut_short

    def check(self, receiver: Receiver) -> None:
        """Everything has arrived, once by id, in order per leg."""
        arrived = receiver.first
        assert receiver.problems == []
        by_id = {e["event_id"]: e for e in arrived}
        assert self.shown.keys() <= by_id.keys()
        assert all(by_id[event_id] == event for event_id, event in self.shown.items())
        assert self.promised <= {(e["leg_id"], e["type"]) for e in arrived if "leg_id" in e}
        kinds = Counter((e["leg_id"], e["type"]) for e in arrived if e["type"] in ONCE_PER_LEG)
        assert set(kinds.values()) == {1}
        for story in _stories(arrived):
            assert story == sorted(story)
            assert (story[0][1], story[-1][1]) == ("leg.ringing", "leg.disconnected")


def _stories(events: list[Event]) -> list[list[tuple[int, str]]]:
    """Of each leg the cursors and types of its events, as they came."""
    stories: dict[str, list[tuple[int, str]]] = {}
    for event in events:
        if "leg_id" in event:
            stories.setdefault(event["leg_id"], []).append((event["cursor"], event["type"]))
    return list(stories.values())


@asynccontextmanager
async def life(server: Server, witness: Witness) -> AsyncIterator[tuple[Api, Events]]:
    """One run of the server, and an application."""
    server.start()
    async with events_of(server.url) as events, api_of(server.url) as api:
        events.watch(witness.see)
        yield api, events


async def serve_calls(
    server: Server, api: Api, events: Events, witness: Witness, folder: Path, *, kill: bool
) -> None:
    """Answer calls, mute them, hang them up; kill the server under the last."""
    latest = events.all[-1] if events.all else None
    async with sipp(
        "caller_waits_for_bye.xml", folder, "-r", "20", target=server.sip_port, calls=CALLS
    ) as callers:
        for number in range(CALLS):
            latest = await events.wait("leg.ringing", after=latest)
            leg = latest["leg_id"]
            await api.post(f"/legs/{leg}/answer", 202)
            await events.wait("leg.connected", leg_id=leg)
            await api.post(f"/legs/{leg}/mute", 200)
            witness.promised.add((leg, "leg.muted"))
            if kill and number == CALLS - 1:
                server.kill()  # nothing awaited since the answer
                return
            await api.delete(f"/legs/{leg}", 202)
            await events.ended(leg)
        await callers.succeeded(CALLS)


async def test_every_event_arrives(server: Server, receiver: Receiver, tmp_path: Path) -> None:
    witness = Witness()
    async with life(server, witness) as (api, events):
        await serve_calls(server, api, events, witness, tmp_path, kill=False)
        receiver.close()
        await serve_calls(server, api, events, witness, tmp_path, kill=True)
    async with life(server, witness) as (api, events):
        await serve_calls(server, api, events, witness, tmp_path, kill=True)
    assert len(receiver.first) < len(witness.shown)
    receiver.open()
    async with life(server, witness) as (api, events):
        await serve_calls(server, api, events, witness, tmp_path, kill=True)
    async with life(server, witness) as (api, events):
        await serve_calls(server, api, events, witness, tmp_path, kill=False)
        with suppress(TimeoutError):  # then the check tells what is missing
            await processes.until(lambda: witness.is_told(receiver), 30)
    server.stop()
    witness.check(receiver)
    # twice only what was answered and not yet noted when the server was killed
    assert len(receiver.deliveries) - len(receiver.first) <= 16


async def test_a_dead_receiver_delays_nobody_else(
    server: Server, receiver: Receiver, tmp_path: Path
) -> None:
    receiver.close()
    own = Receiver()
    own.open()
    try:
        async with (
            life(server, Witness()) as (api, events),
            sipp("callee_answers.xml", tmp_path) as callee,
        ):
            leg = await api.call(callee.uri, webhook_url=own.url, webhook_secret=SECRET)
            await events.wait("leg.connected", leg_id=leg)
            await api.delete(f"/legs/{leg}", 202)
            await events.ended(leg)
            await callee.succeeded()
            await processes.until(lambda: len(own.deliveries) == 3, 2.0)
        server.stop()
    finally:
        own.close()
    assert own.problems == []
    assert [e["type"] for e in own.deliveries] == list(ONCE_PER_LEG)
    assert receiver.deliveries == []
