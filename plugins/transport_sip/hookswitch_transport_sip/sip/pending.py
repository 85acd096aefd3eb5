"""Whose offer waits for its answer in a dialog (RFC 3264 section 4, RFC 6337 section 2)."""

from __future__ import annotations

from enum import Enum


class Pending(Enum):
    """While it is not NONE, no side may make another offer."""

    NONE = "none"
    OURS = "ours"
    THEIRS = "theirs"
