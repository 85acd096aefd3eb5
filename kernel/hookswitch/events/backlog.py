"""What is to be written to the event store next: one round's worth, or more while it fails."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from hookswitch.events.record import Record


@dataclass(slots=True)
class Backlog:
    """New events by cursor, and the cursors of stored deliveries that ended."""

    records: dict[int, Record] = field(default_factory=dict)
    ended: list[int] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.records or self.ended)

    def add(self, records: Sequence[Record], ended: Sequence[int]) -> None:
        self.records.update((record.cursor, record) for record in records)
        for cursor in ended:
            waiting = self.records.get(cursor)
            if waiting:
                self.records[cursor] = replace(waiting, target=None)
            else:
                self.ended.append(cursor)

    def trim(self, limit: int) -> list[Record]:
        """Drop and return the oldest events beyond ``limit``."""
        excess = list(self.records.values())[: max(0, len(self.records) - limit)]
        for record in excess:
            del self.records[record.cursor]
        return excess

    def clear(self) -> None:
        self.records.clear()
        self.ended.clear()

    def after(self, cursor: int) -> list[Record]:
        return [record for record in self.records.values() if record.cursor > cursor]

    def pending(self, url: str, after: int) -> list[Record]:
        """Events after a cursor that are to be posted to ``url``."""
        return [r for r in self.after(after) if r.target and r.target.url == url]

    def expire(self, url: str, before: float) -> int:
        """Forget deliveries of events created before then; how many."""
        old = [r for r in self.pending(url, 0) if r.created < before]
        self.records.update((r.cursor, replace(r, target=None)) for r in old)
        return len(old)
