"""``POST /legs`` with type sip: what may be asked, and how it becomes an INVITE."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from hookswitch.plugin import ApiModel, BadRequest, CreateLeg

from .privacy import caller_of, levels_of, privacy_headers
from .sdp.audio import Srtp
from .settings import InbandDtmf, SipSettings, outbound_proxy
from .sip.address import NameAddr
from .sip.errors import ParseError
from .sip.uri import Uri


class DigestAuth(ApiModel):
    """Credentials for 401 and 407."""

    username: str | None = Field(None, description="Defaults to from")
    password: str = Field(description="Password")


class CreateSipLeg(CreateLeg):
    """A SIP call to place."""

    type: Literal["sip"] = Field(description="Leg type")
    to: str | None = Field(None, description='SIP URI, such as "sip:alice@example.com"')
    uri: str | None = Field(None, description="Deprecated alias of to")
    from_: str | None = Field(
        None,
        alias="from",
        description="Caller id: the user part of From or a whole URI, with a display name before"
        ' it or not, such as "+15551234567" or "Alice <alice>"',
    )
    privacy: str | None = Field(
        None, description='SIP Privacy header; "id" and "user" also hide the caller in From'
    )
    codecs: list[str] | None = Field(None, description="Codecs in order of preference")
    srtp: Srtp | None = Field(None, description="Protection of the audio by SRTP; default SIP_SRTP")
    trunk: str | None = Field(None, description="Id of the trunk to call through")
    auth: DigestAuth | None = Field(None, description="Digest credentials")
    outbound_proxy: str | None = Field(
        None, description="URI of the proxy to go through; default SIP_OUTBOUND_PROXY"
    )
    late_offer: bool = Field(
        False, description="Leave the offer to the callee; ours is the answer, in the ACK"
    )
    rtt: bool = Field(False, description="Offer real-time text (T.140) beside the audio")
    inband_dtmf: InbandDtmf | None = Field(
        None, description="Listen for digits in the audio; default SIP_INBAND_DTMF"
    )

    def target(self) -> Uri:
        """Whom to call. Raises BadRequest."""
        field = "to" if self.to or not self.uri else "uri"
        text = self._callee()
        try:
            uri = Uri.parse(text)
        except ParseError as error:
            raise BadRequest(f"{field}: {error}") from None
        if not uri.is_sip:
            raise BadRequest(f"{field}: must be a sip: URI, such as sip:alice@example.com")
        return uri

    def target_of_trunk(self) -> Uri | str:
        """Whom to call through a trunk: a URI, or a number it knows. Raises BadRequest."""
        text = self._callee()
        if text.startswith(("sip:", "sips:")):
            return self.target()
        if not text.isprintable() or ":" in text or "@" in text:
            raise BadRequest("to: must be a sip: URI, or a number the trunk knows")
        return text

    def _callee(self) -> str:
        text = self.to or self.uri
        if not text:
            raise BadRequest("to: required")
        return text

    def routes(self, settings: SipSettings) -> tuple[NameAddr, ...]:
        """The proxy the call goes through, if any. Raises BadRequest."""
        text = self.outbound_proxy or settings.sip_outbound_proxy
        if self.outbound_proxy and not text.startswith(("sip:", "sips:")):
            raise BadRequest("outbound_proxy: must be a SIP URI, such as sip:proxy.example.com")
        try:
            return (outbound_proxy(text),) if text else ()
        except ValueError as error:
            raise BadRequest(f"outbound_proxy: {error}") from None

    def routed_by(self, trunk_id: str | None, settings: SipSettings) -> str:
        """The field or setting that says where the INVITE goes first, for errors."""
        if self.outbound_proxy:
            return "outbound_proxy"
        if trunk_id is not None:
            return "trunk"
        if settings.sip_outbound_proxy:
            return "SIP_OUTBOUND_PROXY"
        return "to" if self.to or not self.uri else "uri"

    def caller(self, settings: SipSettings) -> NameAddr:
        """From whom the call is. Raises BadRequest."""
        try:
            return caller_of(
                self.from_ or "hookswitch", settings.sip_domain or settings.announced_ip
            )
        except ParseError as error:
            raise BadRequest(f"from: {error}") from None

    @property
    def privacy_levels(self) -> frozenset[str]:
        """What is asked to be hidden. Raises BadRequest."""
        try:
            return levels_of(self.privacy) if self.privacy else frozenset()
        except ParseError as error:
            raise BadRequest(f"privacy: {error}") from None

    def sip_headers(self, caller: NameAddr) -> list[tuple[str, str]]:
        """The headers of the INVITE that the caller chose."""
        return [
            *self.headers.items(),
            *privacy_headers(caller, self.privacy_levels, self.headers),
        ]
