"""Pauses of a recording, in samples of its first channel's ring."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


class Pauses:
    """Spans of silence: from a sample up to, not including, another; the last one may be open.

    Saying the same again changes nothing, so that the orders can be repeated to a new recorder.
    """

    def __init__(self, spans: Iterable[tuple[int, int | None]] = ()) -> None:
        self._spans: list[tuple[int, int | None]] = list(spans)

    @property
    def spans(self) -> Sequence[tuple[int, int | None]]:
        return self._spans

    def pause(self, at: int) -> bool:
        """Silence from sample ``at`` on; answers whether that is new."""
        if self._covers(at) or any(start >= at for start, _ in self._spans):
            return False
        self._spans.append((at, None))
        return True

    def resume(self, at: int) -> bool:
        """Sound from sample ``at`` on; answers whether that is new."""
        if not self._spans:
            return False
        start, end = self._spans[-1]
        if end is not None or at < start:
            return False
        self._spans[-1] = (start, at)
        return True

    def within(self, start: int, stop: int) -> list[slice]:
        """What of the samples from ``start`` to ``stop`` is silent, counted from ``start``."""
        found = []
        for first, end in self._spans:
            last = stop if end is None else min(end, stop)
            if max(first, start) < last:
                found.append(slice(max(first, start) - start, last - start))
        return found

    def _covers(self, at: int) -> bool:
        return any(start <= at and (end is None or at < end) for start, end in self._spans)
