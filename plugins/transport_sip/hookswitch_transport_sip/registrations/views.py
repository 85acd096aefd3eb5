"""How bindings look in answers and events."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from hookswitch_transport_sip.events import BindingEvent, RegistrationActive, RegistrationExpired
from hookswitch_transport_sip.registrar.binding import Binding
from hookswitch_transport_sip.registrar.location import Change, Kind
from hookswitch_transport_sip.sip.hop import Hop
from hookswitch_transport_sip.sip.uri import format_host, without_passwords


def socket_of(hop: Hop) -> str:
    """``host:port``."""
    return f"{format_host(hop.host)}:{hop.port}"


def rfc3339(unix_time: float) -> str:
    """A point in time as JSON has it."""
    text = datetime.fromtimestamp(unix_time, UTC).isoformat(timespec="seconds")
    return text.replace("+00:00", "Z")


def binding_view(binding: Binding, offset: float) -> Mapping[str, Any]:
    """A binding; `offset` added to its clock gives Unix time."""
    view = {
        "id": binding.id,
        "aor": binding.aor,
        "contact": str(binding.contact),
        "q": binding.q,
        "socket": socket_of(binding.source),
        "transport": binding.source.transport.lower(),
        "behind_nat": binding.behind_nat,
        "path": list(binding.path),
        "user_agent": binding.user_agent,
        "username": binding.username,
        "call_id": binding.call_id,
        "granted_expires_seconds": binding.granted,
        "expires_at": rfc3339(binding.expires_at + offset),
    }
    return {name: value for name, value in view.items() if value is not None}


def event_of(change: Change, offset: float) -> BindingEvent:
    """What is told of a change."""
    binding = change.binding
    common: dict[str, Any] = {
        "aor": binding.aor,
        "binding_id": binding.id,
        "contact": without_passwords(str(binding.contact)),
        "socket": socket_of(binding.source),
        "transport": binding.source.transport.lower(),
    }
    if change.kind.is_end:
        return RegistrationExpired(**common, reason=change.kind.value)
    return RegistrationActive(
        **common,
        refreshed=change.kind is Kind.REFRESHED,
        user_agent=binding.user_agent,
        call_id=binding.call_id,
        username=binding.username,
        granted_expires_seconds=binding.granted,
        expires_at=rfc3339(binding.expires_at + offset),
    )
