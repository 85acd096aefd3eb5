"""Who calls: a trunk, a registered user, or a stranger."""

from __future__ import annotations

from hookswitch.plugin import CallerIdentity

from .registrations.service import Registrations
from .sip.events import InviteReceived
from .trunking.service import Trunks


class Callers:
    """Knows callers by where they call from."""

    def __init__(self, registrations: Registrations, trunks: Trunks) -> None:
        self._registrations, self._trunks = registrations, trunks

    def identity(self, event: InviteReceived) -> CallerIdentity:
        """Who sends an INVITE, as far as its source tells."""
        registrations, request = self._registrations, event.request
        aor = registrations.aor_of(request.from_.uri)
        registered = aor is not None and registrations.location.user_at(aor, event.source)
        return CallerIdentity(
            registered_user=aor if registered else None,
            trunk_id=self._trunks.of_source(event.source, request),
        )

    def has_host(self, host: str) -> bool:
        """Whether a trunk or a registered user is at an address."""
        return self._registrations.location.has_host(host) or self._trunks.has_host(host)
