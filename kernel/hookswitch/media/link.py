"""Messages between the control process and a worker: pickled values and descriptors.

Both ends are our own processes on one machine, joined by a socket pair that keeps message
boundaries, so nothing a stranger sends is ever unpickled.
"""

from __future__ import annotations

import os
import pickle
import socket
from collections.abc import Sequence
from typing import Any

MAX_MESSAGE = 1 << 20
MAX_FDS = 64


class LinkClosed(Exception):
    """The other end is gone."""


def pair() -> tuple[socket.socket, socket.socket]:
    """Two connected, non-blocking ends with room for large batches."""
    ends = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    for end in ends:
        end.setblocking(False)
        for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
            end.setsockopt(socket.SOL_SOCKET, option, 2 * MAX_MESSAGE)
    return ends


def send(end: socket.socket, message: Any, fds: Sequence[int] = ()) -> None:
    """Send one message. Raises BlockingIOError when the other end is slow, LinkClosed if gone."""
    data = pickle.dumps(message, protocol=5)
    try:
        socket.send_fds(end, [data], list(fds))
    except (BrokenPipeError, ConnectionError) as error:
        raise LinkClosed from error


def receive(end: socket.socket) -> tuple[Any, list[int]]:
    """Receive one message with its descriptors. Raises BlockingIOError if none, LinkClosed."""
    try:
        data, fds, _, _ = socket.recv_fds(end, MAX_MESSAGE, MAX_FDS)
    except ConnectionError as error:
        raise LinkClosed from error
    if not data:
        raise LinkClosed
    for fd in fds:
        os.set_inheritable(fd, False)
    return pickle.loads(data), fds
