"""What the first bytes of opus packets tell (RFC 6716 section 3), many packets at once."""

from __future__ import annotations

import numpy as np

from hookswitch.codecs.base import Flags, Ints, Payloads

from .libopus import LONGEST_MS, RATE


def _frame_samples() -> Ints:
    """Samples per frame by configuration (RFC 6716 table 2)."""
    silk, hybrid, celt = (480, 960, 1920, 2880), (480, 960), (120, 240, 480, 960)
    return np.array(silk * 3 + hybrid * 2 + celt * 4, np.int64)


_SAMPLES = _frame_samples()
_LONGEST = RATE * LONGEST_MS // 1000
_FIRST_CELT_ONLY = 16
_STEREO = 0x04


def samples(payloads: Payloads, sizes: Ints) -> Ints:
    """Samples each packet holds; 0 for what breaks the rules."""
    toc, count = payloads[:, 0].astype(np.int64), np.ones(len(sizes), np.int64)
    code = toc & 3
    count[(code == 1) | (code == 2)] = 2
    if (many := np.flatnonzero(code == 3)).size:
        column = min(1, payloads.shape[1] - 1)
        count[many] = np.where(sizes[many] > 1, payloads[many, column] & 0x3F, 0)
    total: Ints = _SAMPLES[toc >> 3] * count
    total[(sizes < 1) | (total > _LONGEST)] = 0
    return total


def with_previous(payloads: Payloads, sizes: Ints) -> Flags:
    """Whether each packet carries the frame before it once more (RFC 6716 section 4.2.5).

    Only SILK frames do, and only those of packets with a single frame are looked at.
    """
    if payloads.shape[1] < 2:
        return np.zeros(len(sizes), np.bool_)
    toc, first = payloads[:, 0].astype(np.int64), payloads[:, 1].astype(np.int64)
    config = toc >> 3
    frames = np.maximum(_SAMPLES[config] // (RATE // 50), 1)
    flag = first >> (7 - frames) & 1
    # In stereo the flags of the second channel follow those of the first.
    side = np.where(toc & _STEREO, first >> np.maximum(6 - 2 * frames, 0) & 1, 0)
    plain = (config < _FIRST_CELT_ONLY) & (toc & 3 == 0) & (sizes > 1)
    return np.asarray(plain & (flag | side > 0))
