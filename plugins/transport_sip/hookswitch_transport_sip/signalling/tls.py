"""TLS as the settings want it, for connections from others and to others."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

from hookswitch.settings import SettingsError
from hookswitch_transport_sip.settings import SipSettings


@dataclass(frozen=True, slots=True)
class TlsContexts:
    """One for each role."""

    server: ssl.SSLContext
    client: ssl.SSLContext


def tls_contexts(settings: SipSettings) -> TlsContexts | None:
    """What TLS needs, None without a certificate. Raises SettingsError."""
    if not settings.sip_tls_cert:
        return None
    own = ("SIP_TLS_CERT", settings.sip_tls_cert, settings.sip_tls_key)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.minimum_version = ssl.TLSVersion.TLSv1_2
    _load_certificate(server, *own)
    if settings.sip_tls_verify_client:
        server.verify_mode = ssl.CERT_REQUIRED
        _load_authorities(server, settings.sip_tls_ca)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.minimum_version = ssl.TLSVersion.TLSv1_2
    if settings.sip_tls_client_cert:
        own = ("SIP_TLS_CLIENT_CERT", settings.sip_tls_client_cert, settings.sip_tls_client_key)
    _load_certificate(client, *own)
    if settings.sip_tls_verify:
        _load_authorities(client, settings.sip_tls_ca)
    else:
        client.check_hostname = False
        client.verify_mode = ssl.CERT_NONE
    return TlsContexts(server, client)


def _load_certificate(
    context: ssl.SSLContext, name: str, certificate: Path, key: Path | None
) -> None:
    try:
        context.load_cert_chain(certificate, key or certificate)
    except (OSError, ssl.SSLError) as error:
        raise SettingsError(f"{name}: cannot use {certificate}: {error}") from None


def _load_authorities(context: ssl.SSLContext, authorities: Path | None) -> None:
    if authorities is None:
        context.load_default_certs()
        return
    try:
        context.load_verify_locations(authorities)
    except (OSError, ssl.SSLError) as error:
        raise SettingsError(f"SIP_TLS_CA: cannot use {authorities}: {error}") from None
