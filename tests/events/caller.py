"""A server with five calls at any time, for tests that kill it.

Arguments: path of the store, webhook URL, number of its first leg. Prints the leg's number and
the id of each event once it is committed.
"""

from __future__ import annotations

import asyncio
import sys

from hookswitch.events.backoff import BackOff
from hookswitch.events.bus import EventBus
from hookswitch.events.legs import Cdr, LegConnected, LegDisconnected, LegMuted, LegRinging
from hookswitch.events.log import EventLog
from hookswitch.events.model import Event
from hookswitch.events.record import Record, WebhookTarget
from hookswitch.events.webhooks import Webhooks


async def main(path: str, url: str, first: int) -> None:
    log = EventLog(path)
    webhooks = Webhooks(log, backoff=BackOff(first=0.01, longest=0.05))
    bus = EventBus(log, instance_id="caller", webhooks=webhooks)
    await bus.start()

    def committed(record: Record) -> None:
        print(record.lane, record.event_id, flush=True)

    def emit(event: Event) -> None:
        bus.emit(event, app_id="app", webhook=WebhookTarget(url, "s"))

    bus.observe(committed)
    for n in range(first, first + 100_000):
        emit(LegRinging(leg_id=str(n), leg_type="sip_inbound"))
        emit(LegConnected(leg_id=str(n), leg_type="sip_inbound"))
        emit(LegMuted(leg_id=str(n)))
        if n - first >= 5:
            cdr = Cdr("api_hangup", 1.0, 1.0)
            emit(LegDisconnected(leg_id=str(n - 5), leg_type="sip_inbound", cdr=cdr))
        await asyncio.sleep(0.001)


asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
