"""The two ends of a negotiation: what we can do, and what was agreed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from hookswitch.codecs.base import CodecInfo
from hookswitch_transport_sip.rtp.keys import Secret, SrtpKeys

from .direction import Direction

Address = tuple[str, int]

Srtp = Literal["off", "preferred", "required"]
"""Whether audio is protected by SRTP: only if the peer insists, if it can, or always."""


@dataclass(frozen=True, slots=True)
class LocalAudio:
    """Our side: ``codecs`` in order of preference, the address we announce, its ports.

    ``session_id`` names the call in ``o=`` and must be unique per host. ``srtp`` is whether the
    audio is to be protected, ``keys`` are ours by suite (none: nothing can be protected).
    """

    codecs: tuple[CodecInfo, ...]
    host: str
    port: int
    session_id: int
    rtcp_port: int | None = None
    direction: Direction = Direction.SENDRECV
    ptime_ms: int = 20
    telephone_event: bool = True
    srtp: Srtp = "off"
    keys: Mapping[str, Secret] = field(default_factory=dict)
    name: str = "hookswitch"


@dataclass(frozen=True, slots=True)
class Alternative:
    """Another codec both sides know, with the payload types of both directions."""

    codec: CodecInfo
    payload_type: int
    receive_payload_type: int
    fmtp: str = ""


@dataclass(frozen=True, slots=True)
class NegotiatedAudio:
    """What both sides agreed on.

    ``payload_type`` is the one we send, ``receive_payload_type`` the one we get. ``direction`` is
    ours. ``remote`` is None while the peer holds by the all-zeros address; its host may be a name
    that has yet to be resolved. ``telephone_event`` maps payload types we may receive to their
    clock rate, ``telephone_event_pt`` is what we send. ``fmtp`` is the peer's for the codec.
    ``srtp`` is None when the audio goes in the clear. ``alternatives`` are what else the peer may
    send at any time (RFC 3264 section 6.1).
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
    srtp: SrtpKeys | None = None
    alternatives: tuple[Alternative, ...] = ()

    def with_alternative(self, payload_type: int) -> NegotiatedAudio | None:
        """The same with the codec the peer sends as ``payload_type``; None if it is none."""
        for each in self.alternatives:
            if each.receive_payload_type == payload_type:
                mine = Alternative(
                    self.codec, self.payload_type, self.receive_payload_type, self.fmtp
                )
                others = tuple(a for a in self.alternatives if a is not each)
                return replace(
                    self,
                    codec=each.codec,
                    payload_type=each.payload_type,
                    receive_payload_type=each.receive_payload_type,
                    fmtp=each.fmtp,
                    alternatives=(mine, *others),
                )
        return None

    @property
    def held_by_peer(self) -> bool:
        """The peer does not want to hear us."""
        return not self.direction.sends
