"""Reliable provisional responses that we get, each acknowledged once (RFC 3262 section 4)."""

from __future__ import annotations

from functools import partial

from .core import Core
from .dialog import Dialog
from .digest_client import DigestClient
from .exchange import Exchange
from .message import Request, Response
from .rack import RAck, rseq_of


class Pracks:
    """Those of one INVITE, by the dialogs that its branches made."""

    def __init__(self, core: Core, digest: DigestClient | None) -> None:
        self._core = core
        self._digest = digest
        self._last: dict[str, int] = {}

    def takes(self, response: Response) -> bool:
        """Whether a response is the next of its dialog, no repetition and none after a gap."""
        number, tag = rseq_of(response), response.to.tag
        if number is None or tag is None or self._last.get(tag, number - 1) != number - 1:
            return False
        self._last[tag] = number
        return True

    def send(self, dialog: Dialog, response: Response, sdp: bytes | None, now: float) -> None:
        """Acknowledge a response that was taken; ``sdp`` answers the offer in it."""
        rack = RAck(rseq_of(response) or 0, response.cseq.number)
        build = partial(self._build, dialog, rack, sdp)
        hop = self._core.hop_to(dialog.next_hop)
        Exchange(self._core, build, hop, lambda *_: None, self._digest).start(now)

    def _build(self, dialog: Dialog, rack: RAck, sdp: bytes | None) -> Request:
        request = dialog.request("PRACK")
        request.headers.add("RAck", str(rack))
        if sdp:
            request.set_body(sdp, "application/sdp")
        return request
