"""Digits in the bodies of INFO requests: what phones without telephone events send.

``application/dtmf-relay`` is lines such as ``Signal=5`` and ``Duration=160``, ``application/dtmf``
the digit alone. Neither was ever standardized. Digits are characters; some phones write ``*``,
``#`` and A to D as the numbers 10 to 15 of RFC 4733.
"""

from __future__ import annotations

from collections.abc import Sequence

RELAY, PLAIN = "application/dtmf-relay", "application/dtmf"

_DIGITS = "0123456789*#ABCD"


def pack_digit(digit: str, duration_ms: int, content_type: str = RELAY) -> bytes:
    """The body of an INFO, of either type."""
    if content_type == PLAIN:
        return digit.encode()
    return f"Signal={digit}\r\nDuration={duration_ms}\r\n".encode()


def unpack_digit(content_type: str, body: bytes) -> str | None:
    """The digit of an INFO; None when there is none."""
    text = body.decode("utf-8", "replace")
    if content_type == RELAY:
        fields = (line.partition("=") for line in text.splitlines())
        named = (value for name, _, value in fields if name.strip().lower() == "signal")
        text = next(named, "")
    elif content_type != PLAIN:
        return None
    return _digit(text.strip().upper())


def may_take_plain(accept: Sequence[str]) -> bool:
    """Whether a peer that refused `RELAY` may take `PLAIN`, by the Accept of its 415.

    One without Accept does not say (RFC 3261 section 21.4.13 wants it to).
    """
    ranges = [each.partition(";")[0].strip().lower() for each in accept]
    return not ranges or not {PLAIN, "application/*", "*/*"}.isdisjoint(ranges)


def _digit(text: str) -> str | None:
    if text.isascii() and text.isdigit() and len(text) == 2:
        return _DIGITS[int(text)] if 10 <= int(text) < len(_DIGITS) else None
    return text if len(text) == 1 and text in _DIGITS else None
