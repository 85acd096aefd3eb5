"""Who is heard: asked before anything new of a source is looked at."""

from __future__ import annotations

from .hop import Hop
from .message import Request


class Gate:
    """Hears everybody; a user of the core that does not gives another."""

    def admits(self, source: Hop, now: float) -> bool:
        """Whether something new of this source is heard; if not, it is dropped in silence."""
        return True

    def failed(self, source: Hop, now: float) -> None:
        """A source sent what cannot be used, or what strangers send."""


def is_new(request: Request) -> bool:
    """Whether a request would begin something; what belongs to a call always gets through."""
    return request.to.tag is None and request.method not in ("ACK", "CANCEL")
