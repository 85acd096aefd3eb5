"""The sockets of one port, and what the lock does to them.

The RTP socket of a port that is locked for good is connected to its source: the kernel then
discards everybody else's packets, and sending needs no address. While somebody may still take over,
it stays open, and `receive_known` drops what comes from nobody of interest. ``receive`` and
``send`` are what the bank's loops call; they are the socket's own methods while it is connected.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
from collections.abc import Callable

from hookswitch.mixer.bank import BankError

from .lock import Heard, LockState, SourceLock
from .params import Address, RtpParams

Packet = bytes | memoryview
Wire = tuple[str, int] | tuple[str, int, int, int]
"""An address as the socket module has it."""

NOTHING = -1
"""Length of a datagram that is not there, or does not matter."""

STRANGERS_PER_CALL = 8
"""Datagrams of strangers that are passed over in search of one that matters."""

_UNSPECIFIED = (ctypes.c_ubyte * 16)()
_libc = ctypes.CDLL(None, use_errno=True)


def dissolve(sock: socket.socket) -> None:
    """Undo `connect` of a UDP socket; its local port stays.

    Linux forgets a port that was chosen by binding to port 0, so the old address is bound again.
    """
    local = sock.getsockname()
    if _libc.connect(sock.fileno(), _UNSPECIFIED, ctypes.sizeof(_UNSPECIFIED)) != 0:
        raise OSError(ctypes.get_errno(), "cannot disconnect")
    if sock.getsockname()[1] != local[1]:
        host = "::" if sock.family == socket.AF_INET6 else "0.0.0.0"
        sock.bind((host, local[1]))


def plain_address(source: Wire) -> Address:
    """Host and port as SDP would write them: an IPv4 peer of an IPv6 socket is IPv4."""
    host = source[0]
    return (host[7:] if host.startswith("::ffff:") and "." in host else host), source[1]


class Endpoint:
    """RTP and RTCP socket of one port. Owns the descriptors it is given.

    ``visited`` is called with the slot when a packet comes from somebody who may take over.
    """

    def __init__(
        self,
        port: str,
        slot: int,
        fds: tuple[int, ...],
        params: RtpParams,
        visited: Callable[[int], None],
    ) -> None:
        self.port = port
        self.slot = slot
        self.lock = SourceLock(
            params.remote,
            params.signalling_ip,
            params.clock_rate,
            authenticated=params.srtp is not None,
            learned=params.learned,
        )
        self.source: Address = ("", 0)
        self.connected = False
        self.settled = False
        self._visited = visited
        self._raw: Wire = self.source
        self._home: Wire = self.source
        self._known: Address = self.source
        self.rtcp_learned: Address | None = None
        owned = adopt(port, fds)
        self.rtp = owned[0]
        self._is_ipv6 = self.rtp.family == socket.AF_INET6
        self.rtcp = owned[1] if len(owned) > 1 else None
        self.receive: Callable[[memoryview], int] = self.receive_from
        self.send: Callable[[Packet], int] = self.send_to

    def close(self) -> None:
        """Close both sockets; the descriptors the sender kept stay open."""
        self.rtp.close()
        if self.rtcp is not None:
            self.rtcp.close()

    def receive_from(self, view: memoryview) -> int:
        """Receive one datagram and note its ``source``."""
        size, self._raw = self.rtp.recvfrom_into(view)
        self.source = plain_address(self._raw)
        return size

    def receive_known(self, view: memoryview) -> int:
        """Receive one datagram of the source, or of somebody who may take over; else `NOTHING`."""
        for _ in range(STRANGERS_PER_CALL):
            try:
                size, raw = self.rtp.recvfrom_into(view)
            except BlockingIOError:
                break
            if self.admits(raw):
                return size
        return NOTHING

    def admits(self, raw: Wire) -> bool:
        """Whether a datagram of this sender is looked at. For a port that is locked."""
        if self.connected or raw == self._home:
            self.source = self._known
            return True
        source = plain_address(raw)
        if not self.lock.may_take_over(source):
            return False
        self.source, self._raw = source, raw
        self._visited(self.slot)
        return True

    def send_to(self, packet: Packet) -> int:
        """Send to where the lock says; without a destination nothing happens."""
        destination = self.lock.destination
        return self.rtp.sendto(packet, self._wire(destination)) if destination else 0

    def offer(self, packet: Heard) -> tuple[bool, bool]:
        """Whether to accept the packet just received from ``source``; and whether it locked."""
        before = self.lock.state, self.lock.locked
        accepted = self.lock.offer(self.source, packet)
        now = self.lock.state, self.lock.locked
        locked = now != before and self.lock.state is LockState.LOCKED
        if locked:
            self._connect()
            self._forget_rtcp()
        return accepted, locked

    def lose(self, last: Heard) -> None:
        """The locked source fell silent: listen to others again."""
        self.lock.lose(last)
        self.unconnect()

    def settle(self) -> None:
        """From now on `receive` gives nobody's packets that do not matter: a connected socket's
        queue was seen empty since, or senders are looked at."""
        self.settled = True
        self.receive = self.rtp.recv_into if self.connected else self.receive_known

    def stamp_arrivals(self, option: int) -> None:
        """Let the system note when each packet arrives, where it can."""
        with contextlib.suppress(OSError):
            self.rtp.setsockopt(socket.SOL_SOCKET, option, 1)

    def unconnect(self) -> None:
        """Receive from anybody, send by address."""
        if self.connected:
            dissolve(self.rtp)
            self.connected = False
        self.settled = False
        self.receive, self.send = self.receive_from, self.send_to

    def _connect(self) -> None:
        assert self.lock.locked is not None
        self.unconnect()
        self._home, self._known = self._raw, self.lock.locked
        if not self.lock.is_final:
            return
        # Where the system refuses to connect (no route), the lock itself keeps strangers out.
        with contextlib.suppress(OSError):
            self.rtp.connect(self._wire(self.lock.locked))
            self.connected = True
            self.send = self.rtp.send

    def rtcp_destination(self, params: RtpParams) -> Address | None:
        """Where RTCP goes: where it came from, else what SDP said, else the port above RTP's."""
        if params.rtcp_mux:
            return self.lock.destination
        if self.rtcp_learned or params.remote_rtcp:
            return self.rtcp_learned or params.remote_rtcp
        destination = self.lock.destination
        return (destination[0], destination[1] + 1) if destination else None

    def send_rtcp(self, packet: bytes, params: RtpParams) -> None:
        """Send a compound packet; errors are the network's business."""
        destination = self.rtcp_destination(params)
        with contextlib.suppress(OSError):
            if params.rtcp_mux:
                self.send(packet)
            elif self.rtcp is not None and destination is not None:
                self.rtcp.sendto(packet, self._wire(destination))

    def receive_rtcp(self, params: RtpParams) -> tuple[bytes, Address] | None:
        """One datagram from the RTCP socket, and whose; None: there is none, or a stranger's."""
        assert self.rtcp is not None
        try:
            packet, raw = self.rtcp.recvfrom(2048)
        except OSError:
            return None
        source = plain_address(raw)
        known = {a[0] for a in (self.lock.locked, params.remote, params.remote_rtcp) if a}
        if source[0] not in known:
            return None
        return packet, source

    def _forget_rtcp(self) -> None:
        """The source is another one: reports no longer go where the former one's came from."""
        assert self.lock.locked is not None
        if self.rtcp_learned is not None and self.rtcp_learned[0] != self.lock.locked[0]:
            self.rtcp_learned = None

    def _wire(self, address: Address) -> Address:
        if self._is_ipv6 and ":" not in address[0]:
            return "::ffff:" + address[0], address[1]
        return address


def adopt(port: str, fds: tuple[int, ...]) -> list[socket.socket]:
    """Own descriptors as non-blocking sockets: all of them, or none and all are closed."""
    owned: list[socket.socket] = []
    try:
        if not fds:
            raise OSError("no RTP socket given")
        for fd in fds:
            owned.append(socket.socket(fileno=fd))
            owned[-1].setblocking(False)
    except OSError as error:
        for sock in owned:
            sock.close()
        for fd in fds[len(owned) :]:
            with contextlib.suppress(OSError):
                os.close(fd)
        raise BankError(f"port {port}: {error}") from None
    return owned
