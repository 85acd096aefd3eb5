"""What the events of a recording need to know of its place, which may be gone by then."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from hookswitch.events.model import Event
from hookswitch.events.record import WebhookTarget
from hookswitch.rooms.place import LegPlace, MakeEvent, Place

Emit = Callable[[Event, str | None, WebhookTarget | None], None]
"""Publishes an event of an application, to a webhook of its own if there is one."""


def context_of(place: Place) -> dict[str, Any]:
    """What is to be kept, as JSON can hold it; the webhook's secret is in it."""
    webhook = place.webhook
    return {
        "leg_id" if isinstance(place, LegPlace) else "room_id": place.id,
        "app_id": place.app_id,
        "webhook": None if webhook is None else [webhook.url, webhook.secret],
    }


def emit_of(emit: Emit, context: Mapping[str, Any], event: MakeEvent, **fields: object) -> None:
    """Publish an event of the place that was."""
    target = WebhookTarget(*context["webhook"]) if context.get("webhook") else None
    place = {name: context.get(name) for name in ("leg_id", "room_id")}
    emit(event(**place, **fields), context.get("app_id"), target)
