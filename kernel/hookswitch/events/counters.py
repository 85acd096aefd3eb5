"""What the event machinery counts, for whoever exports metrics."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class EventCounters:
    """Plain totals since the start, and two gauges; one object per server."""

    emitted: int = 0
    observer_errors: int = 0
    webhooks_delivered: int = 0
    webhooks_retried: int = 0
    """Failed attempts that will be made again."""
    webhooks_gave_up: int = 0
    webhooks_pending: int = 0
    """Gauge: webhook deliveries not ended yet, on disk or in memory."""
    stream_dropped: int = 0
    """Events that full stream buffers dropped."""
    store_errors: int = 0
    """Times writing to the event store failed."""
    store_lost: int = 0
    """Events that could never be written, because the store failed for too long."""
    store_unwritten: int = 0
    """Gauge: events that live in memory only, because the store fails."""
