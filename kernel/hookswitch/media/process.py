"""Entry point of every worker: ``python -m hookswitch.media.process module:function fd``."""

from __future__ import annotations

import signal
import socket
import sys

from . import link
from .runner import load


def run(target: str, fd: int) -> None:
    """Call ``target`` with the link; it returns or raises LinkClosed when the kernel hangs up."""
    # A terminal's Ctrl-C reaches the whole group; the control process ends its workers itself.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end = socket.socket(fileno=fd)
    end.setblocking(False)
    try:
        load(target)(end)
    except link.LinkClosed:
        pass
    finally:
        end.close()


if __name__ == "__main__":
    run(sys.argv[1], int(sys.argv[2]))
