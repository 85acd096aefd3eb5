"""Twice the sampling rate, for many tracks at once: what a telephone says in a wideband file.

A half-band filter (Kaiser window; flat to 0.9 of the old Nyquist frequency, images of that 60 dB
down): every other sample is one of those that came, the ones between are interpolated. Its delay is
taken off, so that all channels stand where they were heard.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hookswitch.media.rings import Pcm
from hookswitch.mixer.resample import STOPBAND_DB

Ints = NDArray[np.int64]
Rows = NDArray[np.intp]

PAST = 39
"""Samples a doubled one depends on, besides the newest. The delay, in doubled samples, is as long.
"""

ROOM = 40
"""Samples interpolated by one row of a matrix product; a frame is some of them. Also the room that
is kept for the past before what is doubled."""


def _interpolation() -> NDArray[np.float32]:
    """(past + room, room): the samples between, as a product with a window of those that came."""
    taps = 2 * PAST + 1
    n = np.arange(taps) - PAST
    beta = 0.1102 * (STOPBAND_DB - 8.7)
    half_band = np.sinc(n / 2) * np.kaiser(taps, beta)
    between = half_band[::2]
    between /= between.sum()
    matrix = np.zeros((PAST + ROOM, ROOM), np.float32)
    for column in range(ROOM):
        matrix[column : column + len(between), column] = between[::-1]
    return matrix


_OF_BEFORE, _OF_OWN = np.split(_interpolation(), [PAST])
"""What samples of the block before, and of the block itself, give to those between."""


class Doubler:
    """Remembers what each track gave last, by row, to go on from there without a seam."""

    def __init__(self, capacity: int) -> None:
        self._past = np.zeros((capacity, 2, PAST), np.int16)
        self._until = np.full(capacity, -1, np.int64)

    def grow(self, more: int) -> None:
        """Room for more tracks."""
        self._past = np.concatenate([self._past, np.zeros((more, 2, PAST), np.int16)])
        self._until = np.concatenate([self._until, np.full(more, -1, np.int64)])

    def forget(self, row: int) -> None:
        """What comes next has no past: it must not ring on."""
        self._until[row] = -1

    def double(self, rows: Rows, places: Ints, counts: Ints, pcm: Pcm) -> list[tuple[int, Pcm]]:
        """Per track, where in the doubled file what goes there, interleaved (frames, channels).

        ``pcm``, int16 (tracks, channels, ``ROOM`` and samples), holds ``counts`` of samples that
        stand at ``places``, behind room for their past, and silence for at least ``PAST`` more.
        The end is made as if that were all; what goes on from there makes it anew.
        """
        goes_on = self._until[rows] == places
        past = self._past[rows, : pcm.shape[1]] * goes_on[:, None, None]
        pcm[:, :, ROOM - PAST : ROOM] = past
        self._remember(rows, places, counts, pcm)
        skip = np.where(goes_on, 0, PAST)
        starts, stops = 2 * places + skip - PAST, 2 * counts + PAST
        each = zip(starts.tolist(), skip.tolist(), stops.tolist(), self._double(pcm), strict=True)
        return [(start, frames[skip:stop]) for start, skip, stop, frames in each]

    def _double(self, pcm: Pcm) -> Pcm:
        tracks, channels, samples = pcm.shape[0], pcm.shape[1], pcm.shape[2] - ROOM
        blocks = pcm.astype(np.float32).reshape(tracks * channels, -1, ROOM)
        # Two products of blocks as they lie cost less than one of overlapping windows, which would
        # have to be copied for it.
        between = blocks[:, :-1, ROOM - PAST :] @ _OF_BEFORE
        between += blocks[:, 1:] @ _OF_OWN
        np.clip(np.rint(between, out=between), -32768, 32767, out=between)
        rounded = between.astype(np.int16).reshape(tracks, channels, samples)
        made = np.empty((tracks, samples, 2, channels), np.int16)
        delayed = pcm[:, :, ROOM - PAST // 2 : ROOM - PAST // 2 + samples]
        for channel in range(channels):  # long runs are copied faster than pairs
            made[:, :, 0, channel] = rounded[:, channel]
            made[:, :, 1, channel] = delayed[:, channel]
        return made.reshape(tracks, 2 * samples, channels)

    def _remember(self, rows: Rows, places: Ints, counts: Ints, pcm: Pcm) -> None:
        channels = np.arange(pcm.shape[1])[:, None]
        newest = ROOM - PAST + counts[:, None, None] + np.arange(PAST)
        track = np.arange(len(rows))[:, None, None]
        self._past[rows, : pcm.shape[1]] = pcm[track, channels, newest]
        self._until[rows] = places + counts
