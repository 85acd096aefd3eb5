"""A UDP socket: datagrams in and out, and what routers say of those that did not arrive."""

from __future__ import annotations

import asyncio
import errno
import logging
import select
import socket
import struct
from collections.abc import Callable
from contextlib import suppress

from hookswitch_transport_sip.sip.hop import Hop

log = logging.getLogger(__name__)

_BATCH = 16
"""Datagrams read at once before anything else may happen."""

_LARGEST = 65536
_ERRORS_WANTED = {
    socket.AF_INET: (socket.IPPROTO_IP, 11),
    socket.AF_INET6: (socket.IPPROTO_IPV6, 25),
}
"""IP_RECVERR and IPV6_RECVERR, which the socket module does not name."""

_EXTENDED_ERROR = struct.Struct("=IBBBB")
"""struct sock_extended_err: error number, origin, type, code, padding."""

_FROM_THE_NETWORK = (2, 3)
"""Its origins ICMP and ICMPv6."""

_UNREACHABLE = (errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EPROTO)


class UdpSocket:
    """Reads in batches: `on_datagram` for each, then `on_idle` once.

    `on_unreachable` gets the hops that a router or host said cannot be reached.
    """

    def __init__(
        self,
        bound: socket.socket,
        on_datagram: Callable[[bytes, Hop], None],
        on_idle: Callable[[], None],
        on_unreachable: Callable[[Hop], None],
    ) -> None:
        self._socket = bound
        self._on_datagram, self._on_idle = on_datagram, on_idle
        self._on_unreachable = on_unreachable
        bound.setsockopt(*_ERRORS_WANTED[socket.AddressFamily(bound.family)], 1)
        # An error waiting on the socket would end the watch of some event loops: they watch an
        # epoll of one socket instead, which is merely readable then.
        self._epoll = select.epoll()
        self._epoll.register(bound.fileno(), select.EPOLLIN)
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._epoll.fileno(), self._readable)

    def send(self, data: bytes, hop: Hop) -> bool:
        """Send a datagram; False if that is impossible. When the queue is full it is lost."""
        for _ in range(2):  # the first error may be an older datagram's
            try:
                self._socket.sendto(data, hop.address)
            except BlockingIOError:
                log.debug("send queue full: a datagram to %s is lost", hop)
            except OSError as error:
                if error.errno in _UNREACHABLE and self._read_errors():
                    continue
                log.debug("cannot send to %s: %s", hop, error)
                return False
            return True
        return False

    def close(self) -> None:
        """Stop reading and close."""
        self._loop.remove_reader(self._epoll.fileno())
        self._epoll.close()
        self._socket.close()

    def _readable(self) -> None:
        for count in range(_BATCH):
            try:
                data, address = self._socket.recvfrom(_LARGEST)
            except BlockingIOError:
                if count == 0:
                    self._read_errors()  # it was they who woke us
                break
            except OSError:
                self._read_errors()
                continue
            self._on_datagram(data, Hop(address[0], address[1]))
        self._on_idle()

    def _read_errors(self) -> bool:
        """Empty the queue of errors; tell whether there was any."""
        found = False
        with suppress(OSError):
            while True:
                _, ancillary, _, address = self._socket.recvmsg(0, 512, socket.MSG_ERRQUEUE)
                found = True
                if address and _is_unreachable(ancillary):
                    hop = Hop(address[0], address[1])
                    log.debug("unreachable: %s", hop)
                    self._loop.call_soon(self._on_unreachable, hop)
        return found


def _is_unreachable(ancillary: list[tuple[int, int, bytes]]) -> bool:
    """Whether an error says that nobody is there."""
    for _, _, data in ancillary:
        if len(data) >= _EXTENDED_ERROR.size:
            number, origin, *_ = _EXTENDED_ERROR.unpack_from(data)
            if origin in _FROM_THE_NETWORK and number in _UNREACHABLE:
                return True
    return False


def bind(host: str, port: int, kind: socket.SocketKind) -> socket.socket:
    """A bound socket of the right family, not blocking. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, kind)
    try:
        bound.setblocking(False)
        if family is socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if kind is socket.SOCK_DGRAM:
            # a burst of calls must not overflow the socket while Python is busy elsewhere
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        else:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
    except OSError:
        bound.close()
        raise
    return bound
