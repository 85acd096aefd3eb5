"""TLS as the settings want it, for connections from others and to others."""

from __future__ import annotations

import logging
import ssl
from pathlib import Path

from hookswitch.settings import SettingsError
from hookswitch_transport_sip.settings import SipSettings

log = logging.getLogger(__name__)


class _Certificate:
    """What a context shows to others; followed when its file is renewed."""

    def __init__(
        self, context: ssl.SSLContext, setting: str, certificate: Path, key: Path | None
    ) -> None:
        self._context, self._setting = context, setting
        self._certificate, self._key = certificate, key or certificate
        self._loaded = self._changed()
        self._load()

    def refresh(self) -> None:
        """Load it again if it has changed; one that cannot be used leaves the old one in use."""
        changed = self._changed()
        if changed == self._loaded:
            return
        self._loaded = changed
        try:
            self._load()
        except SettingsError as error:
            log.warning("%s; the old one stays in use", error)
        else:
            log.info("%s: took over %s", self._setting, self._certificate)

    def _changed(self) -> tuple[int, ...]:
        files = (self._certificate, self._key)
        return tuple(path.stat().st_mtime_ns if path.exists() else 0 for path in files)

    def _load(self) -> None:
        try:
            self._context.load_cert_chain(self._certificate, self._key)
        except (OSError, ssl.SSLError) as error:
            problem = f"{self._setting}: cannot use {self._certificate}: {error}"
            raise SettingsError(problem) from None


class TlsContexts:
    """One context for each role. Raises SettingsError."""

    def __init__(self, settings: SipSettings) -> None:
        assert settings.sip_tls_cert is not None
        self.server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        for context in (self.server, self.client):
            context.minimum_version = ssl.TLSVersion.TLSv1_2
        own = ("SIP_TLS_CERT", settings.sip_tls_cert, settings.sip_tls_key)
        shown = own
        if settings.sip_tls_client_cert is not None:
            certificate, key = settings.sip_tls_client_cert, settings.sip_tls_client_key
            shown = ("SIP_TLS_CLIENT_CERT", certificate, key)
        self._certificates = (_Certificate(self.server, *own), _Certificate(self.client, *shown))
        if settings.sip_tls_verify_client:
            self.server.verify_mode = ssl.CERT_REQUIRED
            _load_authorities(self.server, settings.sip_tls_ca)
        if settings.sip_tls_verify:
            _load_authorities(self.client, settings.sip_tls_ca)
        else:
            self.client.check_hostname = False
            self.client.verify_mode = ssl.CERT_NONE

    def refresh(self) -> None:
        """Take over certificates that were renewed; connections to come show them."""
        for certificate in self._certificates:
            certificate.refresh()


def tls_contexts(settings: SipSettings) -> TlsContexts | None:
    """What TLS needs, None without a certificate. Raises SettingsError."""
    return None if settings.sip_tls_cert is None else TlsContexts(settings)


def _load_authorities(context: ssl.SSLContext, authorities: Path | None) -> None:
    if authorities is None:
        context.load_default_certs()
        return
    try:
        context.load_verify_locations(authorities)
    except (OSError, ssl.SSLError) as error:
        raise SettingsError(f"SIP_TLS_CA: cannot use {authorities}: {error}") from None
