"""An application under load: answers every call that comes, or places calls and hangs up.

    python -m bench.application <host:port> answer
    python -m bench.application <host:port> call <uri> <calls per second> <calls>

It speaks over the event stream. Ends when its standard input does; says what it timed.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

import websockets

from .processes import say


class Application:
    """One event stream."""

    def __init__(self, socket: websockets.ClientConnection) -> None:
        self._socket = socket
        self._begun: dict[str, float] = {}
        self._set_up: list[float] = []
        self._ended = 0

    async def answer(self) -> None:
        """Answer whatever rings."""
        async for event in self._events():
            if event["type"] == "leg.ringing":
                await self._ask("answer_leg", id=event["leg_id"])

    async def call(self, uri: str, rate: float, calls: int) -> None:
        """Place calls at an even pace; each is hung up when it is answered."""
        placing = asyncio.create_task(self._place(uri, rate, calls))
        async for event in self._events():
            if event["type"] == "leg.ringing":
                self._begun[event["leg_id"]] = time.monotonic()
            elif event["type"] == "leg.connected":
                self._set_up.append(time.monotonic() - self._begun[event["leg_id"]])
                await self._ask("delete_leg", id=event["leg_id"])
            elif event["type"] == "leg.disconnected":
                self._ended += 1
                if self._ended == calls:
                    break
        await placing

    def report(self) -> None:
        """Say what was timed."""
        say(ended=self._ended, set_up_ms=[1000 * seconds for seconds in self._set_up])

    async def _place(self, uri: str, rate: float, calls: int) -> None:
        begun = time.monotonic()
        for number in range(calls):
            await asyncio.sleep(max(begun + number / rate - time.monotonic(), 0))
            await self._ask("create_leg", type="sip", to=uri)

    async def _events(self) -> Any:
        async for message in self._socket:
            event = json.loads(message)
            assert event["type"] not in ("error", "events_dropped"), event
            yield event

    async def _ask(self, command: str, **payload: Any) -> None:
        await self._socket.send(json.dumps({"type": command, "payload": payload}))


async def main(address: str, task: str, *arguments: str) -> None:
    """Run until the work is done, or nobody wants more of it."""
    async with websockets.connect(f"ws://{address}/v1/vsi", proxy=None) as socket:
        await socket.recv()
        application = Application(socket)
        say(ready=True)
        if task == "answer":
            work = asyncio.create_task(application.answer())
            await asyncio.to_thread(sys.stdin.read)
            work.cancel()
        else:
            uri, rate, calls = arguments
            await application.call(uri, float(rate), int(calls))
            application.report()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
