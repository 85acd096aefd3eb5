"""``POST /legs`` with type sip: what may be asked, and how it becomes an INVITE."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from hookswitch.plugin import ApiModel, BadRequest, CreateLeg

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
        None, alias="from", description="Caller id: the user part of From, or a whole SIP URI"
    )
    privacy: str | None = Field(None, description='SIP Privacy header, such as "id"')
    codecs: list[str] | None = Field(None, description="Codecs in order of preference")
    srtp: Srtp | None = Field(None, description="Protection of the audio by SRTP; default SIP_SRTP")
    auth: DigestAuth | None = Field(None, description="Digest credentials")
    outbound_proxy: str | None = Field(
        None, description="URI of the proxy to go through; default SIP_OUTBOUND_PROXY"
    )
    rtt: bool = Field(False, description="Offer real-time text (T.140) beside the audio")
    inband_dtmf: InbandDtmf | None = Field(
        None, description="Listen for digits in the audio; default SIP_INBAND_DTMF"
    )

    def target(self) -> Uri:
        """Whom to call. Raises BadRequest."""
        field = "to" if self.to or not self.uri else "uri"
        text = self.to or self.uri
        if not text:
            raise BadRequest("to: required")
        try:
            uri = Uri.parse(text)
        except ParseError as error:
            raise BadRequest(f"{field}: {error}") from None
        if not uri.is_sip:
            raise BadRequest(f"{field}: must be a sip: URI, such as sip:alice@example.com")
        return uri

    def routes(self, settings: SipSettings) -> tuple[NameAddr, ...]:
        """The proxy the call goes through, if any. Raises BadRequest."""
        text = self.outbound_proxy or settings.sip_outbound_proxy
        try:
            return (outbound_proxy(text),) if text else ()
        except ValueError as error:
            raise BadRequest(f"outbound_proxy: {error}") from None

    def caller(self, settings: SipSettings) -> NameAddr:
        """From whom the call is. Raises BadRequest."""
        domain = settings.sip_domain or settings.announced_ip
        text = self.from_ or "hookswitch"
        try:
            if text.startswith(("sip:", "sips:")):
                return NameAddr(Uri.parse(text))
            uri = Uri.parse(f"sip:{domain}" if ":" not in domain else f"sip:[{domain.strip('[]')}]")
            return NameAddr(Uri.sip(text, uri.host, uri.port))
        except ParseError as error:
            raise BadRequest(f"from: {error}") from None

    def sip_headers(self) -> list[tuple[str, str]]:
        """The headers of the INVITE that the caller chose."""
        headers = list(self.headers.items())
        if self.privacy:
            headers.append(("Privacy", self.privacy))
        return headers
