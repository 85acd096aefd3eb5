"""What can go wrong with a session description.

SdpError
├── ParseError       text that is not SDP, or a value that breaks its grammar
├── NotAcceptable    valid, but nothing in it suits us; SIP answers 488
└── StateError       an answer nobody asked for, or two offers at once
"""

from __future__ import annotations

from typing import ClassVar


class SdpError(Exception):
    """Base of everything this package raises on purpose; ``status`` is SIP's answer to it."""

    status: ClassVar[int] = 488


class ParseError(SdpError, ValueError):
    """``where`` names the line or attribute, ``what`` what is wrong with it."""

    status = 400

    def __init__(self, where: str, what: str) -> None:
        super().__init__(f"{where}: {what}")
        self.where = where
        self.what = what


class NotAcceptable(SdpError):
    """No stream or codec in common."""


class StateError(SdpError, RuntimeError):
    """Offer and answer do not alternate as they must."""

    status = 491
