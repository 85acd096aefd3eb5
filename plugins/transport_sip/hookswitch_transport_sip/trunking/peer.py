"""Trunks that are simply there: known by their addresses, watched by OPTIONS."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from hookswitch_transport_sip.callee import Callee, Waves
from hookswitch_transport_sip.events import TrunkDown, TrunkUp
from hookswitch_transport_sip.sip.address import NameAddr
from hookswitch_transport_sip.sip.headers import Headers
from hookswitch_transport_sip.sip.hop import Hop
from hookswitch_transport_sip.sip.message import Request, Response
from hookswitch_transport_sip.sip.uri import Uri
from hookswitch_transport_sip.trunks.config import Peer, TrunkConfig
from hookswitch_transport_sip.trunks.health import Health, Probing

from .trunk import Surroundings, Trunk


class PeerTrunk(Trunk):
    """Calls the first of its addresses that is not down, the next if that fails."""

    def __init__(self, config: TrunkConfig, peer: Peer, around: Surroundings) -> None:
        super().__init__(config, around)
        self._peer = peer
        self._probings = {uri: Probing(peer.options_interval) for uri in peer.addresses}
        self._hosts = {uri.host for uri in peer.addresses}
        self._stopped = False

    # -- life

    def start(self) -> None:
        for probing in self._probings.values():
            probing.start(self.around.now())
        self._timed_out()

    def stop(self) -> None:
        self._stopped = True
        self.close()
        self.gone.set()

    def _timed_out(self) -> None:
        now = self.around.now()
        for uri, probing in self._probings.items():
            is_due, change = probing.handle_timer(now)
            if is_due:
                self._probe(uri, now)
            self._changed(uri, change)
        self._rearm()
        self.around.signalling.settle()

    def _rearm(self) -> None:
        times = [probing.next_timer() for probing in self._probings.values()]
        due = min((when for when in times if when is not None), default=None)
        if not self._stopped:
            self._arm(due, self._timed_out)

    def _probe(self, uri: Uri, now: float) -> None:
        agent = self.around.signalling.agent
        agent.exchange(
            partial(_options, uri, self._identity(), agent.new_token()),
            partial(self._answered, uri),
            now,
            hop=agent.destination(uri),
        )

    def _answered(self, uri: Uri, response: Response, source: Hop | None, now: float) -> None:
        if response.status < 200 or self._stopped:
            return
        if source is not None:
            self._hosts.add(source.host)
        alive = source is not None and response.status != 503
        self._changed(uri, self._probings[uri].answered(now, alive=alive))
        self._rearm()

    def _changed(self, uri: Uri, health: Health | None) -> None:
        if health is None or health is Health.UNKNOWN:
            return
        event = TrunkUp if health is Health.UP else TrunkDown
        self._tell(event(trunk_id=self.config.id, address=str(uri), available=len(self._available)))

    def _identity(self) -> NameAddr:
        contact = self.around.signalling.agent.contact.uri
        return NameAddr(Uri("sip", contact.user, self._peer.domain or contact.host))

    # -- calls

    @property
    def _available(self) -> list[Uri]:
        return [uri for uri, p in self._probings.items() if p.health is not Health.DOWN]

    def call(self, to: Uri | str, callee: Callee) -> Waves:
        # if all seem to be down, trying them is still better than failing the call
        addresses = self._available or list(self._probings)
        return [[self._at(address, to, callee)] for address in addresses]

    def _at(self, address: Uri, to: Uri | str, callee: Callee) -> Callee:
        uri = to if isinstance(to, Uri) else replace(address, user=Uri.sip(to, "h").user)
        caller, peer = callee.caller, self._peer
        ours = self._identity().uri
        host = ours.host if peer.domain is not None else caller.uri.host
        caller = replace(caller, uri=Uri("sip", caller.uri.user or ours.user, host))
        theirs = callee.username is not None
        return replace(
            callee,
            uri=uri,
            caller=caller,
            hop=None if callee.routes else self.around.signalling.agent.destination(address),
            username=callee.username if theirs else peer.username,
            password=callee.password if theirs else peer.password,
            on_unreachable=partial(self._call_failed, address),
        )

    def _call_failed(self, address: Uri) -> None:
        """A call went on to the next address: spare others the wait."""
        if not self._stopped:
            self._changed(address, self._probings[address].call_failed(self.around.now()))
            self._rearm()

    def is_at(self, host: str) -> bool:
        return host in self._hosts

    # -- how it is

    def view(self) -> Mapping[str, Any]:
        peer = self._peer
        details = {
            "addresses": [
                {"uri": str(uri), "status": p.health.value} for uri, p in self._probings.items()
            ],
            "options_interval_seconds": peer.options_interval,
            "domain": peer.domain,
            "username": peer.username,
        }
        shown = {name: value for name, value in details.items() if value is not None}
        status = "active" if self._available else "failed"
        return {"status": status, "last_error": None, "peer": shown}


def _options(uri: Uri, identity: NameAddr, token: str) -> Request:
    items = [
        ("Max-Forwards", "70"),
        ("From", str(identity.with_tag(token[:16]))),
        ("To", str(NameAddr(uri))),
        ("Call-ID", token),
        ("CSeq", "1 OPTIONS"),
        ("Accept", "application/sdp"),
    ]
    return Request("OPTIONS", uri, Headers(items))
