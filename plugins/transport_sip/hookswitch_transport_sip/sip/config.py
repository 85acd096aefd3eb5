"""What a user agent says about itself."""

from __future__ import annotations

from dataclasses import dataclass, field

from .hop import Hop
from .transaction.timers import Timers

METHODS = (
    "INVITE",
    "ACK",
    "CANCEL",
    "BYE",
    "OPTIONS",
    "INFO",
    "PRACK",
    "UPDATE",
    "REFER",
    "NOTIFY",
    "SUBSCRIBE",
)
EXTENSION_METHODS = frozenset(
    ("MESSAGE", "NOTIFY", "PRACK", "PUBLISH", "REFER", "REGISTER", "SUBSCRIBE", "UPDATE")
)
"""Methods we know of: they get 405 where they are not allowed, others 501."""


@dataclass(frozen=True, slots=True)
class Config:
    """Identity and limits.

    `addresses` is what others reach us at, one hop per transport and family, the preferred one
    first; `host` and `port` are its short form for UDP alone.
    """

    host: str
    port: int = 5060
    addresses: tuple[Hop, ...] = ()
    user_agent: str = "hookswitch"
    contact_user: str | None = None
    allow: tuple[str, ...] = METHODS
    supported: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    """Option tags without which no call is taken or made."""
    session_expires: int = 0
    """Seconds a session of ours lives without a refresh (RFC 4028); 0 asks for no timer."""
    min_se: int = 90
    """Seconds; peers that want to refresh more often get 422."""
    register_extensions: tuple[str, ...] = ("path",)
    """What a REGISTER may require besides."""
    accept: tuple[str, ...] = ("application/sdp", "multipart/mixed", "multipart/alternative")
    """The bodies of INVITEs that `content.read` understands."""
    info_types: tuple[str, ...] = ("application/dtmf-relay", "application/dtmf")
    max_message: int = 65535
    timers: Timers = field(default_factory=Timers)
    max_datagram: int = 1300
    """Octets; a larger request goes over TCP where we have it (RFC 3261 section 18.1.1)."""
    failover: float = 4.0
    """Seconds of silence after which the next of several targets is tried.

    RFC 3263 would wait for timer B or F, 32 s, which no caller does.
    """

    @property
    def local(self) -> tuple[Hop, ...]:
        """What others reach us at, never empty."""
        return self.addresses or (Hop(self.host, self.port),)

    def local_for(self, hop: Hop) -> Hop:
        """What an element next to us is told to reach us at: same transport, same family."""
        candidates = self.local
        for ours in candidates:
            if ours.transport == hop.transport and ours.is_ipv6 == hop.is_ipv6:
                return ours
        return candidates[0]
