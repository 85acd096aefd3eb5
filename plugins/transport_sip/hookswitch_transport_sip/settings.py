"""Settings of the SIP transport."""

from __future__ import annotations

import ipaddress
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from hookswitch.plugin import Settings
from hookswitch.settings import CommaSeparated, networks


def ip_address(text: str) -> str:
    """Check a numeric address (or nothing)."""
    if text:
        ipaddress.ip_address(text)
    return text


def one_line(text: str) -> str:
    """Check that a text can stand in a header."""
    if not text.isprintable():
        raise ValueError("must be one line of printable characters")
    return text


def no_blanks(text: str) -> str:
    """Check that a text can stand in a URI."""
    if any(c.isspace() or not c.isprintable() or c in "<>@" for c in text):
        raise ValueError("must be a domain, such as example.com")
    return text


IpAddress = Annotated[str, AfterValidator(ip_address)]
Port = Annotated[int, Field(ge=0, le=65535)]


class SipSettings(Settings):
    """What the transport reads from the environment."""

    sip_bind_ip: IpAddress = Field(
        "127.0.0.1", description="Address announced in SIP and SDP, and listened on"
    )
    sip_listen_ip: IpAddress = Field(
        "", description="Address listened on where it differs from SIP_BIND_IP, such as 0.0.0.0"
    )
    sip_external_ip: IpAddress = Field(
        "", description="Public address announced instead of SIP_BIND_IP, behind a NAT"
    )
    sip_port: Port = Field(5060, description="UDP port for SIP; 0 takes any free one")
    sip_domain: Annotated[str, AfterValidator(no_blanks)] = Field(
        "", description="Domain of the From of calls made; default the announced address"
    )
    sip_host: Annotated[str, AfterValidator(one_line)] = Field(
        "hookswitch", description="User-Agent and Server header"
    )
    sip_codecs: CommaSeparated = Field(
        ("PCMU", "PCMA"), description="Codecs in order of preference"
    )
    sip_auto_ringing: bool = Field(
        False, description="Answer an incoming INVITE with 180 Ringing at once"
    )
    sip_jitter_buffer_ms: int = Field(
        0, ge=0, le=1000, description="Audio held back before it is played; 0: as little as works"
    )
    sip_jitter_buffer_max_ms: int = Field(
        300, ge=20, le=1000, description="More than this is never held; the surplus is skipped"
    )
    sip_trust_headers_from: Annotated[CommaSeparated, AfterValidator(networks)] = Field(
        (), description="IPs and CIDRs whose X-Webhook-URL, X-Webhook-Secret and X-App-ID count"
    )
    rtp_port_min: Port = Field(10000, description="First UDP port for RTP and RTCP")
    rtp_port_max: Port = Field(20000, description="Last UDP port for RTP and RTCP")
    rtp_timeout: float = Field(
        30.0, gt=0, description="Seconds without RTP after which a call is hung up"
    )

    @model_validator(mode="after")
    def _check(self) -> SipSettings:
        if self.rtp_port_max < self.rtp_port_min + 1:
            raise ValueError("RTP_PORT_MAX must be greater than RTP_PORT_MIN")
        if self.sip_jitter_buffer_max_ms < self.sip_jitter_buffer_ms:
            raise ValueError("SIP_JITTER_BUFFER_MAX_MS must not be less than SIP_JITTER_BUFFER_MS")
        if ipaddress.ip_address(self.announced_ip).is_unspecified:
            raise ValueError(
                f"SIP_BIND_IP: nobody can send to {self.announced_ip}; listen there by "
                "SIP_LISTEN_IP, and let SIP_BIND_IP or SIP_EXTERNAL_IP be an address of this host"
            )
        return self

    @property
    def listen_ip(self) -> str:
        """Where sockets are bound."""
        return self.sip_listen_ip or self.sip_bind_ip

    @property
    def announced_ip(self) -> str:
        """What others are told to send to."""
        return self.sip_external_ip or self.sip_bind_ip

    def trusts(self, address: str) -> bool:
        """Whether an address may choose webhooks and applications by headers."""
        try:
            source = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(
            source in ipaddress.ip_network(text, strict=False)
            for text in self.sip_trust_headers_from
        )
