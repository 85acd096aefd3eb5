"""How the ring of one who came later stands to the first channel's.

Both counters grow in the same tick, so their difference is constant; but a reader may look between
the two additions. What three looks agree on is no such accident.
"""

from __future__ import annotations

AGREE = 3


class Alignment:
    """Finds the constant difference of two counters, look by look."""

    def __init__(self) -> None:
        self.offset: int | None = None
        """First channel's counter less the other's, as far as is known."""
        self._agreed = 0

    def look(self, first: int, other: int) -> bool:
        """One consistent-looking reading of both; answers whether the offset is certain."""
        offset = first - other
        self._agreed = self._agreed + 1 if offset == self.offset else 1
        self.offset = offset
        return self._agreed >= AGREE
