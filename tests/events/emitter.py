"""A server that does nothing but emit events, for tests that kill it.

Arguments: path of the store, webhook URL, first number. Prints each number before its event is
emitted.
"""

from __future__ import annotations

import asyncio
import sys

from hookswitch.events.backoff import BackOff
from hookswitch.events.bus import EventBus
from hookswitch.events.legs import DtmfReceived
from hookswitch.events.log import EventLog
from hookswitch.events.record import Record, WebhookTarget
from hookswitch.events.webhooks import Webhooks


async def main(path: str, url: str, first: int) -> None:
    log = EventLog(path)
    webhooks = Webhooks(log, backoff=BackOff(first=0.01, longest=0.05))
    bus = EventBus(log, instance_id="emitter", webhooks=webhooks)
    await bus.start()

    def committed(record: Record) -> None:
        assert isinstance(record.event, DtmfReceived)
        print(record.event.seq, record.event_id, flush=True)

    bus.observe(committed)
    for seq in range(first, first + 100_000):
        event = DtmfReceived(leg_id=f"leg{seq % 7}", digit="1", seq=seq)
        bus.emit(event, webhook=WebhookTarget(url, "s"))
        await asyncio.sleep(0.001)


asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
