"""Trunks we register with."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hookswitch_transport_sip.callee import Callee, Waves
from hookswitch_transport_sip.events import (
    OutboundRegistrationActive,
    OutboundRegistrationExpired,
    OutboundRegistrationFailed,
)
from hookswitch_transport_sip.registrations.views import rfc3339, socket_of
from hookswitch_transport_sip.sip.address import NameAddr
from hookswitch_transport_sip.sip.digest_client import DigestClient
from hookswitch_transport_sip.sip.hop import Hop
from hookswitch_transport_sip.sip.message import Request, Response
from hookswitch_transport_sip.sip.uri import Uri
from hookswitch_transport_sip.trunks.config import Account, TrunkConfig
from hookswitch_transport_sip.trunks.registration import (
    Action,
    Failed,
    Lapsed,
    OutboundRegistration,
    Registered,
    Send,
    Status,
    Timing,
)

from .trunk import Surroundings, Trunk


class AccountTrunk(Trunk):
    """Keeps us registered as somebody, and calls as that."""

    def __init__(self, config: TrunkConfig, account: Account, around: Surroundings) -> None:
        super().__init__(config, around)
        settings, agent = around.settings, around.signalling.agent
        contact = agent.contact.uri
        self._account = account
        self._machine = OutboundRegistration(
            account,
            replace(contact, user=Uri.sip(account.contact_user, "h").user),
            f"{agent.new_token()}@{agent.config.host}",
            agent.new_token(),
            Timing(
                settings.sip_outbound_registration_refresh_ratio,
                settings.sip_outbound_registration_failure_backoff_max_ms / 1000,
            ),
            random.SystemRandom(),
        )
        self._digest = self._new_digest()
        self._hosts = {_first_hop(account).host}
        self._source: Hop | None = None
        self._last_error: str | None = None
        self._registered_at: float | None = None

    # -- life

    def start(self) -> None:
        self._do(self._machine.start(self.around.now()))

    def stop(self) -> None:
        self._do(self._machine.stop(self.around.now()))

    def _timed_out(self) -> None:
        self._do(self._machine.handle_timer(self.around.now()))

    def _do(self, actions: list[Action]) -> None:
        for action in actions:
            if isinstance(action, Send):
                self._send(action.expires)
            else:
                self._told(action)
        self._arm(self._machine.next_timer(), self._timed_out)
        if self._machine.status is Status.GONE:
            self.close()
            self.gone.set()
        self.around.signalling.settle()

    def _send(self, expires: int) -> None:
        agent = self.around.signalling.agent
        agent.exchange(
            lambda: self._machine.build(expires),
            self._received,
            self.around.now(),
            hop=agent.destination(_first_hop(self._account)),
            digest=self._digest,
        )

    def _received(self, response: Response, source: Hop | None, now: float) -> None:
        if response.status < 200:
            return
        if source is not None:
            self._source = source
            self._hosts.add(source.host)
        self._do(self._machine.receive(response, now, local=source is None))

    def _new_digest(self) -> DigestClient:
        """What answers challenges; a new one does not hold earlier refusals against a registrar."""
        new_token = self.around.signalling.agent.new_token
        return DigestClient(self._account.username, self._account.password, new_token)

    def _told(self, action: Action) -> None:
        account = self._account
        common: dict[str, Any] = {
            "trunk_id": self.config.id,
            "aor": str(account.aor),
            "registrar": str(account.registrar),
        }
        if isinstance(action, Registered):
            self._last_error, self._registered_at = None, self._unix(self.around.now())
            self._tell(
                OutboundRegistrationActive(
                    **common,
                    contact=str(self._machine.contact),
                    granted_expires_seconds=action.granted,
                    expires_at=rfc3339(self._unix(self.around.now() + action.granted)),
                    source_address=None if self._source is None else socket_of(self._source),
                )
            )
        elif isinstance(action, Failed):
            self._digest = self._new_digest()
            self._last_error = "no answer" if action.local else f"{action.status} {action.reason}"
            self._tell(
                OutboundRegistrationFailed(
                    **common,
                    status_code=None if action.local else action.status,
                    reason="no answer" if action.local else action.reason,
                    retry_in_seconds=round(action.delay),
                )
            )
        elif isinstance(action, Lapsed):
            self._tell(OutboundRegistrationExpired(**common, reason=action.reason))

    # -- calls

    @property
    def user(self) -> str | None:
        return self._account.aor.username

    @property
    def aor(self) -> Uri:
        """Whom we are registered as."""
        return self._account.aor

    @property
    def is_active(self) -> bool:
        """Whether we are registered."""
        return self._machine.status is Status.ACTIVE

    def call(self, to: Uri | str, callee: Callee) -> Waves:
        account = self._account
        registrar, routes = account.registrar, callee.routes or self._routes
        uri = to if isinstance(to, Uri) else replace(registrar, user=Uri.sip(to, "h").user)
        caller = callee.caller.uri
        identity = Uri("sip", caller.user if caller.user else account.aor.user, account.aor.host)
        hop = None if routes else self.around.signalling.agent.destination(registrar)
        theirs = callee.username is not None
        return [
            [
                replace(
                    callee,
                    uri=uri,
                    caller=NameAddr(identity, callee.caller.display),
                    hop=hop,
                    routes=routes,
                    username=callee.username if theirs else account.username,
                    password=callee.password if theirs else account.password,
                )
            ]
        ]

    @property
    def _routes(self) -> tuple[NameAddr, ...]:
        return self._account.routes or self._machine.service_route

    def is_at(self, host: str) -> bool:
        return host in self._hosts

    def is_for(self, request: Request) -> bool:
        return request.uri.username == self._account.contact_user

    # -- how it is

    def view(self) -> Mapping[str, Any]:
        machine, account = self._machine, self._account
        proxy = account.outbound_proxy
        details = {
            "registrar_uri": str(account.registrar),
            "outbound_proxy": None if proxy is None else str(proxy),
            "aor": str(account.aor),
            "username": account.username,
            "contact_uri": str(machine.contact),
            "requested_expires_seconds": account.expires,
            "granted_expires_seconds": machine.granted,
            "last_registered_at": self._when(self._registered_at),
            "next_refresh_at": self._when(self._later(machine.next_refresh)),
            "source_address": None if self._source is None else socket_of(self._source),
        }
        shown = {name: value for name, value in details.items() if value is not None}
        return {"status": machine.status.value, "last_error": self._last_error,
                "sip_register": shown}  # fmt: skip

    def _later(self, now: float | None) -> float | None:
        return None if now is None else self._unix(now)

    def _when(self, unix_time: float | None) -> str | None:
        return None if unix_time is None else rfc3339(unix_time)

    def _unix(self, now: float) -> float:
        return now + self.around.offset


def _first_hop(account: Account) -> Uri:
    """Whom REGISTERs are sent to. They carry no Route: a proxy that does not know the Route for
    its own would send them to itself."""
    return account.outbound_proxy or account.registrar
