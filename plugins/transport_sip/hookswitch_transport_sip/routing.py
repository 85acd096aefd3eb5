"""From what `POST /legs` says to whom INVITEs go."""

from __future__ import annotations

from dataclasses import dataclass, replace

from hookswitch.plugin import BadRequest, NotFound

from .callee import Callee, Waves
from .create import CreateSipLeg
from .registrar.binding import Binding
from .registrations.service import Registrations
from .settings import SipSettings
from .sip.address import NameAddr
from .sip.hop import is_numeric
from .sip.uri import Uri
from .trunking.service import Trunks
from .trunking.trunk import Trunk


@dataclass(frozen=True, slots=True)
class Dialling:
    """What a call needs to be placed."""

    to: str
    """Whom the application called."""
    waves: Waves
    trunk_id: str | None = None
    is_absent_user: bool = False
    """Whether it is a user of a domain of ours who is not registered; DNS may still know one."""


class Router:
    """Knows who is registered here, and the trunks."""

    def __init__(self, settings: SipSettings, registrations: Registrations, trunks: Trunks) -> None:
        self._settings, self._registrations, self._trunks = settings, registrations, trunks

    def dialling(self, request: CreateSipLeg) -> Dialling:
        """How to place a call. Raises BadRequest.

        The trunk that is named counts; then who is registered here; then the trunk that calls as
        the caller; then what the target says.
        """
        if request.trunk is not None:
            return self._through(self._named(request.trunk), request)
        trunk = self._trunks.of_caller(request.from_)
        to = request.target() if trunk is None else request.target_of_trunk()
        bindings = self._bindings(to)
        if trunk is not None and not bindings:
            return self._through(trunk, request)
        target = request.target()
        routes = request.routes(self._settings)
        plain = replace(self._callee(request), uri=target, routes=routes)
        waves = [[_at(plain, binding) for binding in bindings] or [plain]]
        return Dialling(str(target), waves, is_absent_user=not bindings and self._is_ours(target))

    def _named(self, trunk_id: str) -> Trunk:
        try:
            return self._trunks.get(trunk_id)
        except NotFound as error:
            raise BadRequest(f"trunk: {error}") from None

    def _through(self, trunk: Trunk, request: CreateSipLeg) -> Dialling:
        to, callee = request.target_of_trunk(), self._callee(request)
        if request.outbound_proxy is not None:
            callee = replace(callee, routes=request.routes(self._settings))
        if request.from_ is None:
            anybody = replace(callee.caller, uri=replace(callee.caller.uri, user=None))
            callee = replace(callee, caller=anybody)
        return Dialling(str(to), trunk.call(to, callee), trunk.config.id)

    def _callee(self, request: CreateSipLeg) -> Callee:
        """The caller, with the credentials of the request; whom it calls is yet to be said."""
        caller, auth = request.caller(self._settings), request.auth
        if auth is None:
            return Callee(caller.uri, caller)
        username = auth.username or caller.uri.username
        return Callee(caller.uri, caller, username=username, password=auth.password)

    def _is_ours(self, target: Uri) -> bool:
        """Whether it names a user of a domain of ours; an address may be anybody's."""
        return not is_numeric(target.host) and self._registrations.aor_of(target) is not None

    def _bindings(self, to: Uri | str) -> list[Binding]:
        """The contacts of whom is called, if it is a user registered here."""
        aor = self._registrations.aor_of(to) if isinstance(to, Uri) else None
        return [] if aor is None else self._registrations.location.of(aor)


def _at(callee: Callee, binding: Binding) -> Callee:
    """A registered user, called at one of its contacts."""
    uri, hop, routes = binding.target
    return replace(callee, uri=uri, to=NameAddr(Uri.parse(binding.aor)), hop=hop, routes=routes)
