"""Sees every message on the wire, logs it if wanted, and shows a leg's ladder."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from hookswitch.plugin import NotFound
from hookswitch_transport_sip.sip.config import Config
from hookswitch_transport_sip.sip.hop import Hop

from .book import Book
from .ladder import Message
from .redaction import shown
from .view import View

log = logging.getLogger(__name__)

_MB = 1 << 20


class LadderWitness:
    """``debug`` logs each message whole."""

    def __init__(self, memory_mb: int, debug: bool, clock: Callable[[], float] = time.time) -> None:
        self._debug, self._clock = debug, clock
        self.config = Config("127.0.0.1")
        """What we are known as; set when the sockets are bound."""
        self._book = Book(memory_mb * _MB)
        self._enabled = memory_mb > 0
        self._running: set[str] = set()

    def saw(self, data: bytes, hop: Hop, *, sent: bool) -> None:
        """A message came from a hop or has left for it."""
        self._book.add(Message(self._clock(), sent, hop, data))
        if self._debug:
            # every line but the first is indented, so that a log can be cut into entries
            text = "\n    ".join(shown(data).splitlines())
            log.info("%s %s\n    %s", ">" if sent else "<", hop, text)
        elif log.isEnabledFor(logging.DEBUG):
            line = data[:200].partition(b"\r\n")[0].decode("utf-8", "replace")
            log.debug("%s %s %s", ">" if sent else "<", hop, line)

    def open(self, leg_id: str, view: View) -> None:
        """A call has become a leg, or a leg's call has one more branch."""
        self._running.add(leg_id)
        self._book.open(leg_id, view)

    def tie(self, leg_id: str, view: View) -> None:
        """A caller that was challenged has tried again, and is no leg this time."""
        self._book.tie(leg_id, view, self._clock())

    def name(self, leg_id: str, call_id: str) -> None:
        """Of the branches of a leg's call, this one was answered."""
        self._book.name(leg_id, call_id)

    def close(self, leg_id: str) -> None:
        """A leg is over."""
        self._running.discard(leg_id)
        self._book.close(leg_id, self._clock())

    def ladder(self, leg_id: str) -> dict[str, Any]:
        """What the API shows of a leg. Raises NotFound."""
        self._book.tidy(self._clock())
        found = self._book.shown(leg_id)
        if found is None:
            why = "no SIP leg of the last hour" if self._enabled else "SIP_LADDER_MEMORY_MB is 0"
            raise NotFound(f"leg {leg_id}: {why}")
        return {
            "leg_id": leg_id,
            "call_id": found.call_id,
            "ended": leg_id not in self._running,
            "omitted": found.omitted,
            "messages": [self._shown(message) for message in found.messages],
        }

    def _shown(self, message: Message) -> dict[str, Any]:
        text = shown(message.data)
        at = datetime.fromtimestamp(message.at, UTC).isoformat(timespec="microseconds")
        return {
            "timestamp": at.replace("+00:00", "Z"),
            "direction": "sent" if message.sent else "received",
            "transport": message.hop.transport.lower(),
            "local": _address(self.config.local_for(message.hop)),
            "remote": _address(message.hop),
            "first_line": text.partition("\r\n")[0],
            "text": text,
        }


def _address(hop: Hop) -> str:
    host = f"[{hop.host}]" if hop.is_ipv6 else hop.host
    return f"{host}:{hop.port}"
