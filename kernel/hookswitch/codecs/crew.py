"""Threads for codecs that leave the interpreter lock: one call per stream, shared between cores."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from .base import Payloads, Pcm

FEWEST = 4
"""Calls that are worth waking a thread for."""

MOST_THREADS = 4


class Crew:
    """Calls a function for each stream of a batch, on the calling thread and a few others.

    The function should be foreign (ctypes, which releases the lock around each call).
    """

    def __init__(self, threads: int | None = None) -> None:
        """``threads`` in all; by default one per processor, at most `MOST_THREADS`."""
        self._threads = threads or min(len(os.sched_getaffinity(0)), MOST_THREADS)
        self._others: ThreadPoolExecutor | None = None

    def map(self, function: Callable[..., Any], *columns: Sequence[Any]) -> list[Any]:
        """``function(*row)`` for each row of the columns, which are as long as the first one."""
        count = len(columns[0])
        parts = min(self._threads, count // FEWEST)
        if parts < 2:
            return list(map(function, *columns))
        if self._others is None:
            self._others = ThreadPoolExecutor(self._threads - 1, "codec")
        size = -(-count // parts)
        rest = [
            self._others.submit(_map, function, [c[at : at + size] for c in columns])
            for at in range(size, count, size)
        ]
        results = _map(function, [column[:size] for column in columns])
        for each in rest:
            results += each.result()
        return results


def _map(function: Callable[..., Any], columns: Sequence[Sequence[Any]]) -> list[Any]:
    return list(map(function, *columns))


def addresses(matrix: Payloads | Pcm) -> list[int]:
    """Where each row of a matrix begins in memory."""
    first, step = matrix.ctypes.data, matrix.strides[0]
    return [first + step * row for row in range(len(matrix))]
