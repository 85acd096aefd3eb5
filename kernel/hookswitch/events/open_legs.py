"""Which legs are open, derived from their events and stored in the same transactions.

The calls of a server that crashed are gone; at its next start each leg found here still gets its
leg.disconnected.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from hookswitch.events.legs import Cdr, LegConnected, LegDisconnected, LegRinging
from hookswitch.events.record import Record, WebhookTarget, clean


@dataclass(slots=True)
class OpenLeg:
    """A leg that was announced and has not ended. The times are those of stored events:
    the first, the one telling of the answer, the last."""

    leg_id: str
    leg_type: str
    app_id: str | None
    target: WebhookTarget | None
    started: float
    answered: float | None
    last: float

    def cut_off(self) -> LegDisconnected:
        """How it ended, if the server did: when is not known better than by its last event."""
        total = max(0.0, self.last - self.started)
        answered = 0.0 if self.answered is None else max(0.0, self.last - self.answered)
        cdr = Cdr("server_error", round(total, 3), round(answered, 3))
        return LegDisconnected(leg_id=self.leg_id, leg_type=self.leg_type, cdr=cdr)


class OpenLegs:
    """All open legs, and which of them the store does not know as they are.

    Holds no more than the legs open now and those the store still has, however long it fails.
    """

    def __init__(self, stored: Iterable[OpenLeg] = ()) -> None:
        self._open = {leg.leg_id: leg for leg in stored}
        self._stored = set(self._open)
        self._changed: set[str] = set()

    def __iter__(self) -> Iterator[OpenLeg]:
        return iter(self._open.values())

    def note(self, record: Record) -> None:
        """Learn from an event that is about to be stored."""
        event = record.event
        if event is None or event.leg_id is None:
            return
        key = record.lane
        leg = self._open.get(key)
        if leg is None:
            if not isinstance(event, (LegRinging, LegConnected)):
                return
            leg = self._open[key] = _opened(key, clean(event.leg_type), record)
        self._changed.add(key)
        leg.last = record.created
        if isinstance(event, LegConnected) and leg.answered is None:
            leg.answered = record.created
        elif isinstance(event, LegDisconnected):
            del self._open[key]
            if key not in self._stored:
                self._changed.discard(key)

    def unsaved(self) -> tuple[list[OpenLeg], list[str]]:
        """Legs to write, and (by id) to delete."""
        kept = [self._open[key] for key in self._changed if key in self._open]
        return kept, [key for key in self._changed if key not in self._open]

    def saved(self) -> None:
        """All that was unsaved is in the store now."""
        for key in self._changed:
            if key in self._open:
                self._stored.add(key)
            else:
                self._stored.discard(key)
        self._changed.clear()

    def store_lost(self) -> None:
        """A new, empty store takes the place of the old one."""
        self._stored.clear()
        self._changed = set(self._open)


def _opened(leg_id: str, leg_type: str, by: Record) -> OpenLeg:
    return OpenLeg(leg_id, leg_type, by.app_id, by.target, by.created, None, by.created)
