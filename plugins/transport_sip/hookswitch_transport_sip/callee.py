"""Whom an INVITE goes to, and on whose behalf."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .sip.address import NameAddr
from .sip.hop import Destination
from .sip.uri import Uri


@dataclass(frozen=True, slots=True)
class Callee:
    """One target of a call; `hop` where its URI and routes do not say where it is."""

    uri: Uri
    caller: NameAddr
    to: NameAddr | None = None
    hop: Destination | None = None
    routes: tuple[NameAddr, ...] = ()
    username: str | None = None
    password: str = ""
    on_unreachable: Callable[[], None] | None = None
    """To be told if another target is tried because the way to this one failed."""


Waves = list[list[Callee]]
"""Those of a wave are called at once, the next wave if nobody of one can be reached."""
