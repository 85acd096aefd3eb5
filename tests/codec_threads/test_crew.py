"""The crew: work shared between threads comes back in its order."""

from __future__ import annotations

import operator
import threading

import numpy as np
import pytest

from hookswitch.codecs.crew import Crew, addresses


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("count", [0, 1, 7, 8, 100, 101])
def test_results_come_in_the_order_of_the_rows(threads: int, count: int) -> None:
    assert Crew(threads).map(operator.mul, range(count), [3] * count) == [
        3 * i for i in range(count)
    ]


def test_work_is_shared() -> None:
    both = threading.Barrier(2, timeout=5)
    turns = [both.wait] * 2 + [lambda: None] * 6
    order = [turns[0], *turns[2:5], turns[1], *turns[5:]]
    assert len(Crew(2).map(lambda call: call(), order)) == 8


def test_what_one_call_raises_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        Crew(2).map(operator.truediv, [1.0] * 10, [1.0] * 9 + [0.0])


def test_addresses_are_those_of_the_rows() -> None:
    matrix = np.arange(40, dtype=np.uint8).reshape(4, 10)
    part = matrix[:, 2:7]
    assert addresses(part) == [matrix.ctypes.data + 2 + 10 * row for row in range(4)]
    assert addresses(part[:0]) == []
