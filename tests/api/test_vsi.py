"""The event stream: what comes down it, and when it ends."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest
from websockets.exceptions import InvalidStatus

from hookswitch.api import vsi
from hookswitch.events.model import Event
from hookswitch.testing.server import RunningSwitch, run_switch
from hookswitch.testing.vsi import open_vsi


@dataclass(frozen=True, slots=True, kw_only=True)
class Happened(Event):
    type: ClassVar[str] = "test.happened"
    number: int
    padding: str = ""


def happen(server: RunningSwitch, *numbers: int, app_id: str | None = None) -> None:
    for number in numbers:
        server.switch.events.emit(Happened(number=number), app_id=app_id)


async def test_it_says_that_it_is_connected_then_every_event(
    running_switch: RunningSwitch,
) -> None:
    async with running_switch.vsi() as stream:
        assert stream.messages == [{"type": "connected"}]
        call = await running_switch.dial(room_id="r")
        await running_switch.ask("POST", f"/v1/legs/{call.leg.id}/mute")
        await stream.event("leg.muted")
        assert stream.messages[1:] == running_switch.events.events


async def test_both_paths_are_the_stream(running_switch: RunningSwitch) -> None:
    async with open_vsi(f"ws://{running_switch.address}/vsi", {}) as stream:
        happen(running_switch, 1)
        await stream.event("test.happened", number=1)


async def test_it_can_be_filtered_by_app(running_switch: RunningSwitch) -> None:
    async with running_switch.vsi(app_id="^shop-[0-9]$") as stream:
        for number, app_id in enumerate(["shop-1", "shop-22", None, "toyshop-1", "shop-3"]):
            happen(running_switch, number, app_id=app_id)
        await stream.event("test.happened", number=4)
        assert [m["number"] for m in stream.messages[1:]] == [0, 4]


@pytest.mark.parametrize(
    ("query", "named"),
    [({"app_id": "("}, "app_id"), ({"after": "soon"}, "after"), ({"after": "-1"}, "after")],
)
async def test_what_does_not_fit_is_refused(
    running_switch: RunningSwitch, query: dict[str, str], named: str
) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with running_switch.vsi(**query):
            pass
    assert refused.value.response.status_code == 400
    assert f'"error":"{named}: ' in refused.value.response.body.decode()


async def test_it_pings(running_switch: RunningSwitch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vsi, "PING_EVERY", 0.02)
    async with running_switch.vsi() as stream:
        assert await stream.event("ping", seq=1) == {"type": "ping", "seq": 1, "event_id": 1}
        await stream.send({"type": "pong", "event_id": 1})
        assert await stream.event("ping", seq=2) == {"type": "ping", "seq": 2, "event_id": 2}
        await stream.send({"type": "ping"})
        await stream.event("pong")
        assert all(m["type"] in ("connected", "ping", "pong") for m in stream.messages)


async def test_stop_ends_it(running_switch: RunningSwitch) -> None:
    async with running_switch.vsi() as stream:
        await stream.send({"type": "stop"})
        await stream.ended()
        assert stream.socket.close_code == 1000


async def test_it_ends_with_the_server(tmp_path: Path) -> None:
    async with run_switch(tmp_path) as server, server.vsi() as stream:
        await server.switch.stop()
        await stream.ended()


async def test_what_was_missed_is_replayed_even_after_a_restart(tmp_path: Path) -> None:
    async with run_switch(tmp_path) as server:
        happen(server, 1, 2, 3)
        seen = await server.events.wait("test.happened", number=1)
        happen(server, 4)
    async with run_switch(tmp_path) as server:
        happen(server, 5)
        async with server.vsi(after=str(seen["cursor"])) as stream:
            await stream.event("test.happened", number=5)
            happen(server, 6)
            await stream.event("test.happened", number=6)
            assert stream.messages[0] == {"type": "connected"}
            assert [m["number"] for m in stream.messages[1:]] == [2, 3, 4, 5, 6]
            cursors = [m["cursor"] for m in stream.messages[1:]]
            assert cursors == sorted(cursors)


async def test_a_replay_is_filtered_too(running_switch: RunningSwitch) -> None:
    happen(running_switch, 1, 2)
    happen(running_switch, 3, app_id="shop")
    await running_switch.events.wait("test.happened", number=3)
    async with running_switch.vsi(after="0", app_id="shop") as stream:
        await stream.event("test.happened")
        assert [m["number"] for m in stream.messages[1:]] == [3]


async def test_a_gap_is_announced(tmp_path: Path) -> None:
    async with run_switch(tmp_path, vsi_replay_events=0) as server:
        happen(server, *range(20))
        await server.events.wait("test.happened", number=19)
        async with server.vsi(after="1") as stream:
            gap = await stream.event("events_gap", after=1)
            assert gap["oldest"] > 2
            happen(server, 20)
            await stream.event("test.happened", number=20)


async def test_a_slow_reader_is_told_what_it_missed(tmp_path: Path) -> None:
    count, padding = 400, "x" * 100_000
    async with (
        run_switch(tmp_path, vsi_event_buffer_size=8) as server,
        open_vsi(f"ws://{server.address}/v1/vsi", {}, max_queue=1, max_size=None) as stream,
    ):
        stream.socket.transport.pause_reading()
        for number in range(count):
            server.switch.events.emit(Happened(number=number, padding=padding))
        await server.events.wait("test.happened", number=count - 1)
        assert server.switch.events.counters.stream_dropped > 0
        stream.socket.transport.resume_reading()
        dropped = await stream.event("events_dropped")
        happen(server, count)
        await stream.event("test.happened", number=count)
        numbers = [m["number"] for m in stream.messages if m["type"] == "test.happened"]
        told = sum(m["count"] for m in stream.messages if m["type"] == "events_dropped")
        assert dropped["count"] > 0
        assert len(numbers) + told == count + 1
        assert numbers == sorted(set(numbers))
        assert server.switch.events.counters.stream_dropped == told


async def test_a_reader_that_reads_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vsi, "WRITE_WITHIN", 0.05)
    async with (
        run_switch(tmp_path, vsi_event_buffer_size=300) as server,
        open_vsi(f"ws://{server.address}/v1/vsi", {}, max_queue=1) as stream,
    ):
        left = asyncio.Event()
        unsubscribe = server.switch.events.unsubscribe
        monkeypatch.setattr(
            server.switch.events, "unsubscribe", lambda it: (left.set(), unsubscribe(it))
        )
        stream.socket.transport.pause_reading()
        for number in range(200):
            server.switch.events.emit(Happened(number=number, padding="x" * 100_000))
        async with asyncio.timeout(10):
            await left.wait()
        stream.socket.transport.resume_reading()
        await stream.ended()
