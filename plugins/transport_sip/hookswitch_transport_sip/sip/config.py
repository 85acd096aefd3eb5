"""What a user agent says about itself."""

from __future__ import annotations

from dataclasses import dataclass, field

from .transaction.timers import Timers

METHODS = ("INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "INFO")
EXTENSION_METHODS = frozenset(
    ("MESSAGE", "NOTIFY", "PRACK", "PUBLISH", "REFER", "REGISTER", "SUBSCRIBE", "UPDATE")
)
"""Methods we know of: they get 405 where they are not allowed, others 501."""


@dataclass(frozen=True, slots=True)
class Config:
    """Identity and limits; `host` and `port` are what others reach us at.

    A URI that wants a transport not in `transports` is tried over the first of them.
    """

    host: str
    port: int = 5060
    transports: tuple[str, ...] = ("UDP",)
    user_agent: str = "hookswitch"
    contact_user: str | None = None
    allow: tuple[str, ...] = METHODS
    supported: tuple[str, ...] = ()
    accept: tuple[str, ...] = ("application/sdp",)
    info_types: tuple[str, ...] = ("application/dtmf-relay", "application/dtmf")
    max_message: int = 65535
    timers: Timers = field(default_factory=Timers)
