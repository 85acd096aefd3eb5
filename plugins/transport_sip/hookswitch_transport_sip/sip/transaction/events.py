"""What transactions tell their user."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hookswitch_transport_sip.sip.hop import Hop
from hookswitch_transport_sip.sip.message import Request, Response

if TYPE_CHECKING:
    from .base import ClientTransaction, ServerTransaction


@dataclass(frozen=True, slots=True)
class ResponseReceived:
    """A response for the user; `source` is None if nothing came and we made it up.

    Silence counts as 408 and a transport error as 503 (RFC 3261 section 8.1.3.1).
    """

    transaction: ClientTransaction
    response: Response
    source: Hop | None


@dataclass(frozen=True, slots=True)
class RequestReceived:
    """A new request; `merged` if it reached us before by another path (section 8.2.2.2)."""

    transaction: ServerTransaction
    request: Request
    source: Hop
    merged: bool = False


@dataclass(frozen=True, slots=True)
class AckReceived:
    """An ACK for a 2xx response, which is the user's business (section 13.3.1.4)."""

    request: Request
    source: Hop


TransactionEvent = ResponseReceived | RequestReceived | AckReceived
