"""Sources that only ever fail are heard less and less: a bucket of failures per source.

A failure takes a token out of the source's bucket, time puts them back. While the bucket is empty,
what would begin something new is dropped; what belongs to a call that exists never is.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass


@dataclass(slots=True)
class _Bucket:
    tokens: float
    updated: float


class Throttle:
    """Token buckets of the sources that failed lately, the most recent `limit` of them."""

    def __init__(self, burst: int, per_second: float, limit: int = 10_000) -> None:
        """`burst` failures are free, then `per_second`; a burst of 0 drops nobody."""
        self._burst, self._rate, self._limit = burst, per_second, limit
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def failed(self, host: str, now: float, cost: float = 1.0) -> None:
        """Note a failure of a source."""
        if not self._burst:
            return
        bucket = self._filled(host, now) or _Bucket(float(self._burst), now)
        # below zero a source would be deaf for long after it stopped
        bucket.tokens = max(bucket.tokens - cost, 0.0)
        self._buckets[host] = bucket
        self._buckets.move_to_end(host)
        while len(self._buckets) > self._limit:
            self._buckets.popitem(last=False)

    def forgive(self, host: str) -> None:
        """The source turned out to be one of ours."""
        self._buckets.pop(host, None)

    def blocks(self, host: str, now: float) -> bool:
        """Whether a source has used up what it may do wrong."""
        bucket = self._filled(host, now)
        return bucket is not None and bucket.tokens < 1.0

    def _filled(self, host: str, now: float) -> _Bucket | None:
        bucket = self._buckets.get(host)
        if bucket is None:
            return None
        bucket.tokens = min(bucket.tokens + (now - bucket.updated) * self._rate, self._burst)
        bucket.updated = now
        if bucket.tokens >= self._burst:
            del self._buckets[host]
            return None
        return bucket
