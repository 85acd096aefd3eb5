"""Entry point of every worker: ``python -m hookswitch.media.process module:function fd [level]``.

``level`` is what its log begins with: the server's.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys

from hookswitch.log_lines import write_log

from . import link
from .runner import load


def run(target: str, fd: int) -> None:
    """Call ``target`` with the link; it returns or raises LinkClosed when the kernel hangs up."""
    # Ctrl-C and service managers signal the whole group; the control process drains first, and
    # then ends its workers itself by hanging up.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    # The number is that of a server with thousands of sockets; select() knows only small ones.
    end = socket.socket(fileno=os.dup(fd))
    os.close(fd)
    end.setblocking(False)
    try:
        load(target)(end)
    except link.LinkClosed:
        pass
    finally:
        end.close()


if __name__ == "__main__":
    write_log(int(sys.argv[3]) if len(sys.argv) > 3 else logging.WARNING)
    run(sys.argv[1], int(sys.argv[2]))
