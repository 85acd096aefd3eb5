"""Where events are emitted, and from where they reach everybody who wants them."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence

from hookswitch.events.log import EventLog
from hookswitch.events.model import Event
from hookswitch.events.record import Record, WebhookTarget, stamp
from hookswitch.events.stream import EventStream
from hookswitch.events.webhooks import Webhooks

logger = logging.getLogger(__name__)

Observer = Callable[[Record], None]


class EventBus:
    """Emit on the event loop's thread. An event is first written down, then handed to observers,
    streams and webhooks, in the order of emission."""

    def __init__(
        self,
        log: EventLog,
        *,
        instance_id: str,
        webhooks: Webhooks | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.counters = log.counters
        self._log = log
        self._instance_id = instance_id
        self._webhooks = webhooks or Webhooks(log)
        self._clock = clock
        self._observers: list[Observer] = []
        self._complained: set[Observer] = set()
        self._streams: set[EventStream] = set()
        self._running = False

    async def start(self) -> None:
        """Open the log, take up undelivered webhooks, end the legs of an earlier run that crashed.

        Raises EventStoreError.
        """
        left = self._log.open(self._committed)
        self._running = True
        self._webhooks.start(left.receivers)
        for leg in left.legs:
            self.emit(leg.cut_off(), app_id=leg.app_id, webhook=leg.target)
        if left.legs:
            logger.warning("%d legs were open when the server ended", len(left.legs))

    async def close(self) -> None:
        """Make visible what was emitted, end deliveries and streams, close the log."""
        if not self._running:
            return
        await self._log.flush()
        self._running = False
        await self._webhooks.close()
        for stream in list(self._streams):
            stream.close()
        self._streams.clear()
        await self._log.close()

    def emit(
        self, event: Event, *, app_id: str | None = None, webhook: WebhookTarget | None = None
    ) -> Record | None:
        """Tell that something happened; ``webhook`` is where it is posted to (`choose_target`).

        Never blocks and never fails; after `close` the event is dropped, with a log line.
        """
        if not self._running:
            logger.warning("event %s after the end: dropped", event.type)
            return None
        record = stamp(
            event,
            cursor=self._log.next_cursor(),
            instance_id=self._instance_id,
            now=self._clock(),
            app_id=app_id,
            target=webhook,
        )
        self._log.append(record)
        self.counters.emitted += 1
        return record

    async def written(self) -> None:
        """Return when all that was emitted so far is on disk (or cannot be written now)."""
        if self._running:
            await self._log.flush()

    def observe(self, observer: Observer) -> Callable[[], None]:
        """Call ``observer`` with each record; the function returned ends that."""
        self._observers.append(observer)

        def stop() -> None:
            if observer in self._observers:
                self._observers.remove(observer)
            self._complained.discard(observer)

        return stop

    def stream(
        self, *, app_id: str | None = None, after: int | None = None, buffer_size: int = 256
    ) -> EventStream:
        """A new subscriber; pass it to `unsubscribe` when it leaves."""
        stream = EventStream(self._log, app_id=app_id, after=after, buffer_size=buffer_size)
        self._streams.add(stream)
        return stream

    def unsubscribe(self, stream: EventStream) -> None:
        """Close a stream and forget it."""
        self._streams.discard(stream)
        stream.close()

    def _committed(self, records: Sequence[Record]) -> None:
        for record in records:
            for observer in tuple(self._observers):
                self._observed(observer, record)
            for stream in self._streams:
                stream.offer(record)
        self._webhooks.offer(records)

    def _observed(self, observer: Observer, record: Record) -> None:
        try:
            observer(record)
        except Exception:
            self.counters.observer_errors += 1
            if observer not in self._complained:
                self._complained.add(observer)
                logger.exception("event observer %r failed (told once)", observer)
