"""A server that is killed (-9) again and again while its webhook receiver comes and goes."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE
from collections import Counter
from pathlib import Path

from .conftest import HttpReceiver, eventually, running

HERE = Path(__file__).parent


async def run_and_kill(
    path: Path, url: str, first: int, lines: int, script: str = "emitter.py"
) -> dict[str, int]:
    """Let a server emit until ``lines`` events were committed, kill it; id and number of each."""
    arguments = (str(HERE / script), str(path), url, str(first))
    process = await asyncio.create_subprocess_exec(sys.executable, *arguments, stdout=PIPE)
    assert process.stdout
    output = b""
    async with asyncio.timeout(60):
        for _ in range(lines):
            output += await process.stdout.readline()
        process.kill()
        output += await process.stdout.read()
        await process.wait()
    rows = (line.split() for line in output.decode().splitlines(keepends=True) if line[-1] == "\n")
    return {event_id: int(seq) for seq, event_id in rows}


async def test_no_committed_event_is_lost(receiver: HttpReceiver, path: Path) -> None:
    committed: dict[str, int] = {}
    for life, (up, lines) in enumerate([(True, 200), (False, 300), (False, 50), (True, 200)]):
        if not up:
            await receiver.close()
        committed |= await run_and_kill(path, receiver.url, life * 100_000, lines)
        if not up:
            await receiver.open()
    async with running(path):
        await receiver.until(lambda: committed.keys() <= ids(receiver))
    by_id = {e["event_id"]: e for e in receiver.accepted}
    first_time = list(by_id.values())  # in order of first arrival
    for lane in range(7):
        of_lane = [e for e in first_time if e["leg_id"] == f"leg{lane}"]
        assert [e["seq"] for e in of_lane] == sorted(e["seq"] for e in of_lane)
        assert [e["cursor"] for e in of_lane] == sorted(e["cursor"] for e in of_lane)
    # Twice only what was answered and not yet noted when the process died.
    assert len(receiver.accepted) - len(by_id) <= 4 * 16
    assert len({body for _, body in receiver.seen}) == len(by_id)


async def test_legs_of_a_killed_server_are_ended_once(receiver: HttpReceiver, path: Path) -> None:
    """Killed with calls, and again at once, when it has hardly told of those it left."""
    committed: dict[str, int] = {}
    for life, lines in enumerate([300, 1, 200, 1, 2, 100]):
        events = await run_and_kill(path, receiver.url, life * 100_000, lines, "caller.py")
        committed |= events
    async with running(path) as bus:
        await receiver.until(lambda: committed.keys() <= ids(receiver))
        await bus._log.flush()
        await eventually(lambda: bus.counters.webhooks_pending == 0)
    by_id = {e["event_id"]: e for e in receiver.accepted}
    begun = {e["leg_id"]: e for e in by_id.values() if e["type"] == "leg.ringing"}
    ended = [e for e in by_id.values() if e["type"] == "leg.disconnected"]
    assert len(begun) > 100
    assert sorted(e["leg_id"] for e in ended) == sorted(begun)
    assert {e["app_id"] for e in ended} == {"app"}
    reasons = Counter(e["cdr"]["reason"] for e in ended)
    assert reasons["api_hangup"] > 50
    assert reasons["server_error"] >= 3 * 5  # three lives got to five calls at once


def ids(receiver: HttpReceiver) -> set[str]:
    return {e["event_id"] for e in receiver.accepted}
