"""What the player has to say, until the control process reads it."""

from __future__ import annotations

import socket
import threading
from collections import deque
from typing import Any

from hookswitch.media import link


class Outbox:
    """Filled by any thread, emptied by the one that serves the link; nobody waits for a reader."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._unsent: deque[Any] = deque()
        self._waker, self.woken = socket.socketpair()
        """``woken`` is readable when there is something to flush."""
        for one in (self._waker, self.woken):
            one.setblocking(False)
        self._lock = threading.Lock()

    @property
    def empty(self) -> bool:
        """Whether all was sent."""
        return not self._unsent

    def put(self, message: Any) -> None:
        """Say something, soon."""
        with self._lock:
            was_empty = not self._unsent
            self._unsent.append(message)
        if was_empty:
            self._wake()

    def flush(self) -> None:
        """Send as much as the link takes; raises LinkClosed."""
        self._drain()
        try:
            while self._unsent:
                link.send(self._end, self._unsent[0])
                with self._lock:
                    self._unsent.popleft()
        except BlockingIOError:
            return

    def close(self) -> None:
        """Close what wakes."""
        self._waker.close()
        self.woken.close()

    def _wake(self) -> None:
        try:
            self._waker.send(b"!")
        except OSError:
            return  # it is awake already, or closed for ever

    def _drain(self) -> None:
        try:
            while self.woken.recv(4096):
                pass
        except BlockingIOError:
            return
