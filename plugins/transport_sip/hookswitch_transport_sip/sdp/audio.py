"""The two ends of a negotiation: what we can do, and what was agreed."""

from __future__ import annotations

from dataclasses import dataclass, field

from hookswitch.codecs.base import CodecInfo

from .direction import Direction

Address = tuple[str, int]


@dataclass(frozen=True, slots=True)
class LocalAudio:
    """Our side: ``codecs`` in order of preference, the address we announce, its ports.

    ``session_id`` names the call in ``o=`` and must be unique per host.
    """

    codecs: tuple[CodecInfo, ...]
    host: str
    port: int
    session_id: int
    rtcp_port: int | None = None
    direction: Direction = Direction.SENDRECV
    ptime_ms: int = 20
    telephone_event: bool = True
    protos: tuple[str, ...] = ("RTP/AVP",)
    name: str = "hookswitch"


@dataclass(frozen=True, slots=True)
class NegotiatedAudio:
    """What both sides agreed on.

    ``payload_type`` is the one we send, ``receive_payload_type`` the one we get. ``direction`` is
    ours. ``remote`` is None while the peer holds by the all-zeros address; its host may be a name
    that has yet to be resolved. ``telephone_event`` maps payload types we may receive to their
    clock rate, ``telephone_event_pt`` is what we send. ``fmtp`` is the peer's for the codec.
    """

    codec: CodecInfo
    payload_type: int
    receive_payload_type: int
    direction: Direction
    remote: Address | None
    remote_rtcp: Address | None
    rtcp_mux: bool
    ptime_ms: int
    telephone_event: dict[int, int] = field(default_factory=dict)
    telephone_event_pt: int | None = None
    fmtp: str = ""

    @property
    def held_by_peer(self) -> bool:
        """The peer does not want to hear us."""
        return not self.direction.sends
