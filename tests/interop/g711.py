"""G.711 mu-law from the text of the recommendation, sharing nothing with the server."""

from __future__ import annotations

import numpy as np

_BIAS = 0x84


def _decoded(code: int) -> int:
    code = ~code & 0xFF
    magnitude = ((((code & 0x0F) << 3) + _BIAS) << (code >> 4 & 7)) - _BIAS
    return -magnitude if code & 0x80 else magnitude


_LINEAR = np.array([_decoded(code) for code in range(256)], np.int16)


def unpack_ulaw(data: bytes) -> np.ndarray:
    """Samples as int16."""
    return _LINEAR[np.frombuffer(data, np.uint8)]


def pack_ulaw(samples: np.ndarray) -> bytes:
    """The nearest codes."""
    order = np.argsort(_LINEAR, kind="stable")
    levels = _LINEAR[order].astype(np.int32)
    middles = (levels[1:] + levels[:-1]) / 2
    return order[np.searchsorted(middles, np.asarray(samples))].astype(np.uint8).tobytes()
