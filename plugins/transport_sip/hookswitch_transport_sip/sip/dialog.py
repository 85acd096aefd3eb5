"""Dialogs: the lasting relation of two user agents (RFC 3261 section 12)."""

from __future__ import annotations

from .address import NameAddr
from .headers import Headers
from .hop import Detour, Hop
from .message import Request, Response
from .nat import detour
from .pending import Pending
from .uri import Uri

DialogId = tuple[str, str, str]
"""Call-ID, local tag, remote tag; a tag is "" for a peer of RFC 2543 that sends none."""


class Dialog:
    """One dialog, early or confirmed; forked INVITEs give several with one local tag."""

    def __init__(
        self,
        call_id: str,
        local: NameAddr,
        remote: NameAddr,
        remote_target: Uri,
        route_set: list[NameAddr],
        local_seq: int,
        remote_seq: int | None,
    ) -> None:
        self.call_id = call_id
        self.local = local
        self.remote = remote
        self.remote_target = remote_target
        self.route_set = route_set
        self.local_seq = local_seq
        self.remote_seq = remote_seq
        self._source: Hop | None = None
        self._direct = False
        self.pending = Pending.NONE
        """Whose offer is not answered yet."""

    @classmethod
    def uac(cls, request: Request, response: Response, source: Hop | None = None) -> Dialog:
        """Make the caller's dialog from a response to its INVITE (section 12.1.2)."""
        contacts = response.contacts
        dialog = cls(
            request.call_id,
            request.from_,
            response.to,
            contacts[0].uri.without_headers() if contacts else request.uri,
            response.record_routes[::-1],
            request.cseq.number,
            None,
        )
        dialog._answered_from(source)
        dialog.pending = Pending.OURS if request.sdp else Pending.NONE
        return dialog

    @classmethod
    def uas(cls, request: Request, tag: str, source: Hop | None = None) -> Dialog:
        """Make the callee's dialog from the INVITE (section 12.1.1)."""
        contacts = request.contacts
        dialog = cls(
            request.call_id,
            request.to.with_tag(tag),
            request.from_,
            (contacts[0] if contacts else request.from_).uri.without_headers(),
            request.record_routes,
            0,
            request.cseq.number,
        )
        if source is not None:
            dialog.heard_from(source, request)
        dialog.pending = Pending.THEIRS if request.sdp else Pending.NONE
        return dialog

    @property
    def id(self) -> DialogId:
        """What identifies the dialog."""
        return self.call_id, self.local.tag or "", self.remote.tag or ""

    def refresh_target(self, message: Request | Response) -> None:
        """Follow the peer's Contact, from a re-INVITE or its 2xx (section 12.2)."""
        if contacts := message.contacts:
            self.remote_target = contacts[0].uri.without_headers()

    def accepts(self, request: Request) -> bool:
        """Check that CSeq rises and keep it (section 12.2.2); if not, the answer is 500."""
        number = request.cseq.number
        if self.remote_seq is not None and number <= self.remote_seq:
            return False
        self.remote_seq = number
        return True

    def confirm(self, response: Response, source: Hop | None) -> None:
        """Take the 2xx of an early dialog: it decides on the route set (section 13.2.2.4)."""
        self.route_set = response.record_routes[::-1]
        self.refresh_target(response)
        self._answered_from(source)

    def _answered_from(self, source: Hop | None) -> None:
        """Note where a response came from."""
        self._source = source
        # it may be a proxy's, unless the peer says that this is where it is
        self._direct = source is not None and self.remote_target.host == source.host

    def heard_from(self, source: Hop, request: Request) -> None:
        """Note where a request of the peer came from: a NAT may have moved it."""
        self._source = source
        self._direct = len(request.headers.split("Via")) == 1

    @property
    def next_hop(self) -> Uri | Detour:
        """Who gets our requests: the first route, or the remote target, or whence it was heard."""
        if self.route_set:
            return self.route_set[0].uri
        return detour(self.remote_target, self._source, self._direct) or self.remote_target

    def relies_on(self, hop: Hop) -> bool:
        """Whether our requests go over this connection."""
        return self._source == hop

    def request(self, method: str) -> Request:
        """Build a new request within the dialog, all but its Via (section 12.2.1.1)."""
        self.local_seq += 1
        return self._request(method, self.local_seq)

    def ack(self, invite: Request) -> Request:
        """Build the ACK of a 2xx, all but its Via (section 13.2.2.4)."""
        ack = self._request("ACK", invite.cseq.number)
        for name in ("Authorization", "Proxy-Authorization"):
            ack.headers.extend((name, value) for value in invite.headers.get_all(name))
        return ack

    def _request(self, method: str, number: int) -> Request:
        uri, routes = self._path()
        items = [
            ("Max-Forwards", "70"),
            *(("Route", str(route)) for route in routes),
            ("From", str(self.local)),
            ("To", str(self.remote)),
            ("Call-ID", self.call_id),
            ("CSeq", f"{number} {method}"),
        ]
        return Request(method, uri, Headers.of_canonical(items))

    def _path(self) -> tuple[Uri, list[NameAddr]]:
        """Choose Request-URI and Route; a first hop without `lr` wants itself in the URI."""
        if not self.route_set or self.route_set[0].uri.is_loose_router:
            return self.remote_target, self.route_set
        first, *rest = self.route_set
        return first.uri.without_headers(), [*rest, NameAddr(self.remote_target)]
