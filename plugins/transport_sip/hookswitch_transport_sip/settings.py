"""Settings of the SIP transport."""

from __future__ import annotations

import ipaddress
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

from pydantic import AfterValidator, Field, model_validator

from hookswitch.plugin import Settings
from hookswitch.settings import CommaSeparated, networks

from .admission.trust import TrustList
from .sdp.audio import Srtp
from .sip.address import NameAddr
from .sip.uri import Uri


def ip_address(text: str) -> str:
    """Check a numeric address (or nothing)."""
    if text:
        ipaddress.ip_address(text)
    return text


def ip6_address(text: str) -> str:
    """Check a numeric IPv6 address (or nothing)."""
    if text:
        ipaddress.IPv6Address(text)
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


def trusted(parts: tuple[str, ...]) -> tuple[str, ...]:
    """Check a list of callers."""
    TrustList.parse(parts)
    return parts


def dns_server(text: str) -> tuple[str, int]:
    """Read ``address`` or ``address:port``, IPv6 with a port in brackets. Raises ValueError."""
    host, port = text, "53"
    if text.startswith("["):
        host, _, port = text[1:].partition("]")
        port = port.removeprefix(":") or "53"
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
    ipaddress.ip_address(host)
    if not port.isdigit() or not 0 < int(port) < 65536:
        raise ValueError(f"{text!r} is no address of a DNS server, such as 192.0.2.53:53")
    return host, int(port)


def dns_servers(parts: tuple[str, ...]) -> tuple[str, ...]:
    """Check that each part is the address of a DNS server."""
    for part in parts:
        dns_server(part)
    return parts


def proxy(text: str) -> str:
    """Check the URI of an outbound proxy; empty is none."""
    if text:
        outbound_proxy(text)
    return text


def outbound_proxy(text: str) -> NameAddr:
    """The route to a proxy; a bare host is a URI too. Raises ValueError.

    The proxy is a loose router whether its URI says so or not: nothing else is in use.
    """
    uri = Uri.parse(text if text.startswith(("sip:", "sips:")) else f"sip:{text}")
    if uri.user is not None or uri.headers:
        raise ValueError(f"{text!r} is no proxy, such as sip:proxy.example.com;transport=tcp")
    return NameAddr(replace(uri, params=uri.params.with_param("lr")))


IpAddress = Annotated[str, AfterValidator(ip_address)]
Ip6Address = Annotated[str, AfterValidator(ip6_address)]
InbandDtmf = Literal["off", "auto", "on"]
"""When digits are listened for in the audio; auto: where telephone events were not negotiated."""

Port = Annotated[int, Field(ge=0, le=65535)]
LONGEST = 2**31 - 1
"""Seconds that fit into every SIP implementation's Expires."""


class Way(NamedTuple):
    """One family of addresses: where sockets are bound, and what others are told."""

    listen: str
    announced: str

    @property
    def is_ipv6(self) -> bool:
        return ":" in self.announced


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
    sip_bind_ip6: Ip6Address = Field(
        "", description="IPv6 address beside an IPv4 SIP_BIND_IP; calls then go either way"
    )
    sip_listen_ip6: Ip6Address = Field(
        "", description="Address listened on where it differs from SIP_BIND_IP6, such as ::"
    )
    sip_external_ip6: Ip6Address = Field(
        "", description="Public address announced instead of SIP_BIND_IP6"
    )
    sip_port: Port = Field(5060, description="Port for SIP over UDP and TCP; 0 takes any free one")
    sip_tcp_enabled: bool = Field(
        False, description="SIP over TCP too, and for requests too large for UDP"
    )
    sip_tls_port: Port = Field(
        5061, description="Port for SIP over TLS, used when SIP_TLS_CERT is set; 0: any free one"
    )
    sip_tls_cert: Path | None = Field(
        None, description="PEM file with our certificate and its chain; turns TLS on"
    )
    sip_tls_key: Path | None = Field(
        None, description="PEM file with its key; default: in SIP_TLS_CERT"
    )
    sip_tls_ca: Path | None = Field(
        None, description="PEM file with the authorities peers are verified by; default: the "
        "system's"
    )  # fmt: skip
    sip_tls_verify: bool = Field(
        True, description="Call over TLS only those whose certificate is for the domain called"
    )
    sip_tls_verify_client: bool = Field(
        False, description="Take TLS connections only from those who have a certificate"
    )
    sip_tls_client_cert: Path | None = Field(
        None, description="PEM file with the certificate shown when we connect; default: "
        "SIP_TLS_CERT"
    )  # fmt: skip
    sip_tls_client_key: Path | None = Field(
        None, description="PEM file with its key; default: in SIP_TLS_CLIENT_CERT"
    )
    sip_connect_timeout: float = Field(
        5.0, gt=0, le=30, description="Seconds a TCP or TLS connection may take to be opened"
    )
    sip_idle_timeout: float = Field(
        600.0, gt=0, description="Seconds without a message after which a connection that no call "
        "needs is closed"
    )  # fmt: skip
    sip_max_connections: int = Field(
        2000, ge=1, description="TCP and TLS connections of others that are held at a time"
    )
    sip_dns_servers: Annotated[CommaSeparated, AfterValidator(dns_servers)] = Field(
        (), description="DNS servers, as address or address:port; default: the system's"
    )
    sip_outbound_proxy: Annotated[str, AfterValidator(proxy)] = Field(
        "", description="Proxy that calls go through unless they name their own, such as "
        "sip:proxy.example.com"
    )  # fmt: skip
    sip_ladder_memory_mb: int = Field(
        64, ge=0, description="Memory in MB for the SIP messages of calls, running and of the last "
        "hour; 0 keeps none"
    )  # fmt: skip
    sip_debug: bool = Field(False, description="Log every SIP message whole, credentials hidden")
    sip_domain: Annotated[str, AfterValidator(no_blanks)] = Field(
        "", description="Domain of the From of calls made; default the announced address"
    )
    sip_host: Annotated[str, AfterValidator(one_line)] = Field(
        "hookswitch", description="User-Agent and Server header"
    )
    sip_codecs: CommaSeparated = Field(
        ("PCMU", "PCMA"), description="Codecs in order of preference"
    )
    sip_srtp: Srtp = Field(
        "off",
        description="SRTP of calls: off protects only where the peer insists; preferred offers it "
        "and takes what comes; required refuses calls in the clear",
    )
    sip_auto_ringing: bool = Field(
        False, description="Answer an incoming INVITE with 180 Ringing at once"
    )
    sip_inband_dtmf: InbandDtmf = Field(
        "off",
        description="Listen for digits in the audio; auto: of phones without telephone events; on: "
        "of all, where a digit that also comes as an event or by INFO is told once",
    )
    sip_100rel: Literal["off", "supported", "required"] = Field(
        "supported",
        description="Reliable provisional responses (RFC 3262): unknown to us, used for early "
        "media where the peer knows them, or calls without them refused",
    )
    sip_session_expires: int = Field(
        1800,
        ge=0,
        le=86400,
        description="Seconds a call lives without a refresh (RFC 4028), asked for in both "
        "directions; 0 asks for nothing",
    )
    sip_min_se: int = Field(
        90,
        ge=2,
        le=86400,
        description="Seconds; who wants to refresh more often is answered 422. RFC 4028 wants no "
        "less than 90",
    )
    sip_refer_auto_dial: bool = Field(
        False, description="Carry out transfers that peers ask for, instead of the application"
    )
    sip_refer_consult_timeout_ms: int = Field(
        2000,
        ge=0,
        le=30000,
        description="How long the application may take to decide about a transfer",
    )
    sip_jitter_buffer_ms: int = Field(
        0, ge=0, le=1000, description="Audio held back before it is played; 0: as little as works"
    )
    sip_jitter_buffer_max_ms: int = Field(
        300, ge=20, le=1000, description="More than this is never held; the surplus is skipped"
    )
    sip_trust_headers_from: Annotated[CommaSeparated, AfterValidator(trusted)] = Field(
        (),
        description="Callers whose X-Webhook-URL, X-Webhook-Secret and X-App-ID count: IPs, CIDRs, "
        "authenticated, users, trunks, sip:user@domain, trunk:id",
    )
    sip_inbound_auth_nonce_ttl_seconds: int = Field(
        60, ge=5, le=3600, description="Seconds a caller has to answer a challenge"
    )
    sip_inbound_register_default: Literal["reject", "accept"] = Field(
        "reject", description="What becomes of a REGISTER that no plugin and no program decides on"
    )
    sip_inbound_auth_consult_timeout_ms: int = Field(
        2000, ge=0, le=20_000, description="Milliseconds programs have to decide on a REGISTER"
    )
    sip_registrar_domains: CommaSeparated = Field(
        (),
        description="Domains whose users may register; default SIP_DOMAIN and the addresses "
        "announced and listened on",
    )
    sip_registration_default_expires_seconds: int = Field(
        3600, ge=1, le=LONGEST, description="Granted to a REGISTER that does not say how long"
    )
    sip_registration_min_expires_seconds: int = Field(
        60, ge=1, le=3600, description="Less is refused with 423"
    )
    sip_registration_max_expires_seconds: int = Field(
        7200, ge=1, le=LONGEST, description="More is shortened to this"
    )
    sip_registration_max_contacts: int = Field(
        10, ge=1, le=100, description="Contacts one user may have registered at a time"
    )
    sip_outbound_registration_default_expires_seconds: int = Field(
        3600, ge=1, le=LONGEST, description="Asked of a registrar by trunks that do not say"
    )
    sip_outbound_registration_refresh_ratio: float = Field(
        0.5, gt=0, lt=1, description="Share of the granted time after which trunks register again"
    )
    sip_outbound_registration_failure_backoff_max_ms: int = Field(
        300_000, ge=100, description="Longest pause after failures to register, in milliseconds"
    )
    sip_throttle_burst: int = Field(
        30, ge=0, description="Failures a stranger is free to make before it is not heard; 0: any"
    )
    sip_throttle_per_second: float = Field(
        1.0, gt=0, description="Failures per second a stranger is heard with after that"
    )
    sip_throttle_exempt: Annotated[CommaSeparated, AfterValidator(networks)] = Field(
        ("127.0.0.0/8", "::1"),
        description="IPs and CIDRs that are always heard, besides trunks, registered users and "
        "those in SIP_TRUST_HEADERS_FROM",
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
        if 0 < self.sip_session_expires < self.sip_min_se:
            raise ValueError("SIP_SESSION_EXPIRES must not be less than SIP_MIN_SE")
        if self.sip_registration_max_expires_seconds < self.sip_registration_min_expires_seconds:
            raise ValueError(
                "SIP_REGISTRATION_MAX_EXPIRES_SECONDS must not be less than "
                "SIP_REGISTRATION_MIN_EXPIRES_SECONDS"
            )
        if self.sip_bind_ip6 and ":" in self.sip_bind_ip:
            raise ValueError("SIP_BIND_IP6: stands beside an IPv4 SIP_BIND_IP only")
        if (self.sip_listen_ip6 or self.sip_external_ip6) and not self.sip_bind_ip6:
            raise ValueError("SIP_BIND_IP6: needed by SIP_LISTEN_IP6 and SIP_EXTERNAL_IP6")
        for suffix, way in zip(("", "6"), self.ways, strict=False):
            if (":" in way.listen) != way.is_ipv6:
                raise ValueError(
                    f"SIP_BIND_IP{suffix}: {way.listen} and {way.announced} are of two families"
                )
            if ipaddress.ip_address(way.announced).is_unspecified:
                raise ValueError(
                    f"SIP_BIND_IP{suffix}: nobody can send to {way.announced}; listen there by "
                    f"SIP_LISTEN_IP{suffix}, and let SIP_BIND_IP{suffix} or SIP_EXTERNAL_IP{suffix}"
                    " be an address of this host"
                )
        return self

    @property
    def listen_ip(self) -> str:
        """Where sockets of the preferred family are bound."""
        return self.ways[0].listen

    @property
    def announced_ip(self) -> str:
        """What others are told to send to, in the preferred family."""
        return self.ways[0].announced

    @property
    def ways(self) -> tuple[Way, ...]:
        """The families we speak, the preferred one first."""
        first = Way(
            self.sip_listen_ip or self.sip_bind_ip, self.sip_external_ip or self.sip_bind_ip
        )
        if not self.sip_bind_ip6:
            return (first,)
        listen6 = self.sip_listen_ip6 or self.sip_bind_ip6
        return (first, Way(listen6, self.sip_external_ip6 or self.sip_bind_ip6))

    def way_to(self, host: str) -> Way:
        """The family a host can be reached by."""
        return next((way for way in self.ways if way.is_ipv6 == (":" in host)), self.ways[0])

    @property
    def extensions(self) -> tuple[str, ...]:
        """Option tags of the SIP extensions we know (the Supported header)."""
        reliable = () if self.sip_100rel == "off" else ("100rel",)
        return ("replaces", "norefersub", "timer", *reliable)

    @property
    def registrar_domains(self) -> tuple[str, ...]:
        """Domains and addresses whose users may register."""
        usual = (self.sip_domain, self.announced_ip, self.sip_bind_ip, self.sip_listen_ip)
        return self.sip_registrar_domains or usual

    @property
    def realm(self) -> str:
        """Whom passwords are for, unless a challenge says otherwise."""
        return self.sip_domain or self.announced_ip
