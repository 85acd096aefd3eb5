"""Who a caller is, as far as its transport could tell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class CallerIdentity:
    """What is known of the one who calls; a field that is None is not known.

    ``authenticated`` is True when the call proved a password, then as ``auth_username``.
    """

    authenticated: bool | None = None
    auth_username: str | None = None
    registered_user: str | None = None
    trunk_id: str | None = None

    def view(self) -> dict[str, Any]:
        """What is known, by name."""
        named = ((name, getattr(self, name)) for name in self.__slots__)
        return {name: value for name, value in named if value is not None}


UNKNOWN = CallerIdentity()
