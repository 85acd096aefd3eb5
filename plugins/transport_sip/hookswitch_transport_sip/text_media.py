"""The sockets and the timer around a call's text, on the event loop.

Three packets a second need no media worker: text goes on when one is restarted.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
import time
from collections.abc import Callable, Iterable

from hookswitch.plugin import OperationFailed

from .rtp.endpoint import plain_address
from .rtp_ports import PortPair
from .text.sender import FirstNumbers, TooMuchText
from .text.stream import Address, TextParams, TextStream

_LARGEST = 2048
"""Bytes of a datagram that is looked at."""

_MOST_AT_ONCE = 32
"""Datagrams taken before others on the loop have their turn."""


class TextMedia:
    """Text over one pair of ports, which it owns. `open` it once something was agreed."""

    def __init__(self, ports: PortPair, on_text: Callable[[str], None]) -> None:
        self._ports, self._on_text = ports, on_text
        self._loop = asyncio.get_running_loop()
        self._stream: TextStream | None = None
        self._timer: asyncio.TimerHandle | None = None

    @property
    def port(self) -> int:
        return self._ports.port

    @property
    def is_open(self) -> bool:
        """Whether text can be written."""
        return self._stream is not None

    def heard_within(self, seconds: float) -> bool:
        """Whether a packet has come this lately."""
        heard = self._stream.heard_at if self._stream else None
        return heard is not None and self._loop.time() - heard < seconds

    def apply(self, params: TextParams) -> None:
        """Begin, or go on otherwise."""
        text = ""
        if self._stream is not None and not params.continues(self._stream.params):
            text = self._end_stream()
        if self._stream is None:
            self._stream = TextStream(params, _numbers(), self._loop.time(), time.time)
            self._loop.add_reader(self._ports.rtp, self._receive)
            self._loop.add_reader(self._ports.rtcp, self._drop_rtcp)
        else:
            self._stream.configure(params)
        self._settle()
        self._tell(text)

    def write(self, text: str) -> None:
        """Send text. Raises OperationFailed when too much waits already."""
        assert self._stream is not None
        try:
            self._stream.write(text, self._loop.time())
        except TooMuchText as error:
            raise OperationFailed(f"text: {error}") from None
        self._settle()

    def close(self) -> None:
        """Say goodbye and let go of the ports."""
        if self._timer is not None:
            self._timer.cancel()
        text = "" if self._stream is None else self._end_stream()
        self._ports.close()
        self._tell(text)

    # -- within

    def _end_stream(self) -> str:
        """Say goodbye; answers text that waited for what was missing."""
        assert self._stream is not None
        text = self._stream.close(self._loop.time())
        self._send()
        self._stream = None
        self._loop.remove_reader(self._ports.rtp)
        self._loop.remove_reader(self._ports.rtcp)
        return text

    def _receive(self) -> None:
        stream = self._stream
        assert stream is not None
        for data, source in _datagrams(self._ports.rtp):
            self._tell(stream.receive(data, source, self._loop.time()))
            if self._stream is not stream:
                return  # what was told ended the call
        self._settle()

    def _drop_rtcp(self) -> None:
        for _ in _datagrams(self._ports.rtcp):
            pass

    def _timed_out(self) -> None:
        assert self._stream is not None
        self._tell(self._stream.handle_timer(self._loop.time()))
        self._settle()

    def _tell(self, text: str) -> None:
        if text:
            self._on_text(text)

    def _settle(self) -> None:
        """Send what is to be sent, set the timer."""
        if self._stream is None:
            return
        self._send()
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(self._stream.next_timer(), self._timed_out)

    def _send(self) -> None:
        assert self._stream is not None
        for sock, packets in (
            (self._ports.rtp, self._stream.to_send()),
            (self._ports.rtcp, self._stream.rtcp_to_send()),
        ):
            for packet, address in packets:
                # What cannot be sent is lost as on the way; the next packet repeats it.
                with contextlib.suppress(OSError):
                    sock.sendto(packet, _wire(sock, address))


def _numbers() -> FirstNumbers:
    return FirstNumbers(secrets.randbits(32), secrets.randbits(15), secrets.randbits(31))


def _datagrams(sock: socket.socket) -> Iterable[tuple[bytes, Address]]:
    for _ in range(_MOST_AT_ONCE):
        try:
            data, source = sock.recvfrom(_LARGEST)
        except OSError:
            return  # nothing left, or an ICMP error that names no packet
        yield data, plain_address(source)


def _wire(sock: socket.socket, address: Address) -> Address:
    """An IPv4 peer of an IPv6 socket."""
    if sock.family == socket.AF_INET6 and ":" not in address[0]:
        return "::ffff:" + address[0], address[1]
    return address
