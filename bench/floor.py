"""The floor: every packet received and sent back, by a bare socket loop, once per 20 ms.

No RTP is looked at and nothing is mixed: what remains is what Python and the kernel take for one
receive and one send per packet.
"""

from __future__ import annotations

import select
import socket
import sys
import threading
from contextlib import suppress

from .clock import Beat
from .processes import say


def main() -> None:
    """Usage: ``python -m bench.floor N``; says its ports, then serves until stdin ends."""
    sockets = []
    for _ in range(int(sys.argv[1])):
        bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        bound.setblocking(False)
        bound.bind(("127.0.0.1", 0))
        sockets.append(bound)
    say(ports=[bound.getsockname()[1] for bound in sockets])
    ended = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    _serve(sockets, ended)


def _serve(sockets: list[socket.socket], ended: threading.Event) -> None:
    poll = select.epoll()
    by_fd = {}
    for bound in sockets:
        poll.register(bound.fileno(), select.EPOLLIN)
        by_fd[bound.fileno()] = bound
    connected: set[int] = set()
    buffer = memoryview(bytearray(2048))
    beat = Beat()
    while not ended.is_set():
        beat.wait()
        while ready := poll.poll(0, len(sockets)):
            for fd, _ in ready:
                bound = by_fd[fd]
                if fd not in connected:
                    _, source = bound.recvfrom_into(buffer)
                    bound.connect(source)
                    connected.add(fd)
                    continue
                with suppress(ConnectionRefusedError):  # the load has ended
                    bound.send(buffer[: bound.recv_into(buffer)])


if __name__ == "__main__":
    main()
