"""How legs and rooms look in answers."""

from __future__ import annotations

from typing import Any

from hookswitch.legs.leg import Leg
from hookswitch.legs.state import LegState
from hookswitch.rooms.room import Room


def leg_view(leg: Leg) -> dict[str, Any]:
    """A leg, as the API shows it."""
    view: dict[str, Any] = {
        "id": leg.id,
        "type": leg.type,
        "state": leg.state.value,
        "room_id": leg.room_id or "",
        "muted": leg.muted,
        "deaf": leg.deaf,
        "accept_dtmf": leg.accept_dtmf,
        "held": leg.state is LegState.HELD,
        "role": leg.role,
        "gain_db": leg.gain_db,
        "headers": leg.headers,
    }
    if leg.app_id:
        view["app_id"] = leg.app_id
    if leg.type == "sip_inbound":
        view["sip_headers"] = leg.sip_headers
    return view | leg.options.identity.view()


def room_view(room: Room, instance_id: str) -> dict[str, Any]:
    """A room, as the API shows it."""
    view: dict[str, Any] = {
        "id": room.id,
        "sample_rate": room.sample_rate,
        "participants": [
            {"instance_id": instance_id, **leg_view(leg)} for leg in room.legs.values()
        ],
    }
    if room.app_id:
        view["app_id"] = room.app_id
    return view
