"""The sockets SIP is listened to on: one per transport and family."""

from __future__ import annotations

import errno
import socket
from dataclasses import dataclass, field

from hookswitch.settings import SettingsError
from hookswitch_transport_sip.settings import SipSettings, Way
from hookswitch_transport_sip.sip.hop import Hop

from .udp import bind

_ATTEMPTS = 20
"""How often a port is looked for that is free for all of them."""


@dataclass(frozen=True, slots=True)
class Listeners:
    """Bound sockets by transport, and what others reach them at, the preferred way first."""

    sockets: list[tuple[str, socket.socket]] = field(default_factory=list)
    addresses: list[Hop] = field(default_factory=list)

    def add(self, transport: str, way: Way, port: int, setting: str) -> int:
        """Listen; answers the port. Raises OSError, SettingsError if a port was asked for."""
        kind = socket.SOCK_DGRAM if transport == "UDP" else socket.SOCK_STREAM
        try:
            bound = bind(way.listen, port, kind)
        except OSError as error:
            problem = f"cannot listen on {Hop(way.listen, port, transport)}: {error.strerror}"
            raise Occupied(f"{setting}: {problem}", error.errno or 0) from None
        port = bound.getsockname()[1]
        self.sockets.append((transport, bound))
        self.addresses.append(Hop(way.announced, port, transport))
        return port

    def close(self) -> None:
        """Close all of them."""
        for _, bound in self.sockets:
            bound.close()


class Occupied(SettingsError):
    """A port that cannot be had."""

    def __init__(self, message: str, number: int) -> None:
        super().__init__(message)
        self.number = number


def listen(settings: SipSettings) -> Listeners:
    """Bind all that the settings want. Raises SettingsError saying what is in the way."""
    for attempt in range(_ATTEMPTS):
        listeners = Listeners()
        try:
            _bind_all(listeners, settings)
        except Occupied as problem:
            listeners.close()
            retry = problem.number == errno.EADDRINUSE and settings.sip_port == 0
            if not retry or attempt == _ATTEMPTS - 1:
                raise
        else:
            return listeners
    raise AssertionError("unreachable")


def _bind_all(listeners: Listeners, settings: SipSettings) -> None:
    """UDP and TCP share a port number, and both families too."""
    port, tls_port = settings.sip_port, settings.sip_tls_port
    for way in settings.ways:
        port = listeners.add("UDP", way, port, "SIP_PORT")
        if settings.sip_tcp_enabled:
            listeners.add("TCP", way, port, "SIP_PORT")
        if settings.sip_tls_cert is not None:
            tls_port = listeners.add("TLS", way, tls_port, "SIP_TLS_PORT")
