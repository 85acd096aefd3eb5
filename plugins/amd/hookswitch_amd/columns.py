"""Arrays with one line per ear: what is known of each, side by side."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Flags = NDArray[np.bool_]
Ticks = NDArray[np.int32]
Decibels = NDArray[np.float32]

_LEAST = 64


class Columns:
    """Subclasses annotate their columns, and say what a new ear begins with.

    A beginning that is an array gives every line a row of its own.
    """

    def __init__(self, **begin: np.generic | Decibels) -> None:
        self._begin = begin
        for name, value in begin.items():
            setattr(self, name, np.stack([value] * _LEAST))

    def begin(self, line: int) -> None:
        """Give a line to a new ear."""
        for name, value in self._begin.items():
            column = getattr(self, name)
            if line >= len(column):
                column = np.concatenate([column, np.stack([value] * len(column))])
                setattr(self, name, column)
            column[line] = value
