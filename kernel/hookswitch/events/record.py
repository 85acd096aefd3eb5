"""An event that was emitted: stamped, numbered and written out once and for all."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

from hookswitch.events.model import Event, encode


@dataclass(frozen=True, slots=True)
class WebhookTarget:
    """Where an event is posted to, and the secret it is signed with."""

    url: str
    secret: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "url", clean(self.url))
        object.__setattr__(self, "secret", clean(self.secret) if self.secret else None)


def choose_target(
    leg: WebhookTarget | None, room: WebhookTarget | None, default: WebhookTarget | None
) -> WebhookTarget | None:
    """The most specific target: the leg's, else the room's, else the server's."""
    return next((target for target in (leg, room, default) if target and target.url), None)


@dataclass(frozen=True, slots=True)
class Record:
    """One emitted event.

    ``body`` is its JSON text: every receiver and every retry gets these very bytes. ``event`` is
    the object itself, absent from records read back from the store.
    """

    cursor: int
    event_id: str
    app_id: str | None
    body: bytes
    lane: str = ""
    created: float = 0.0
    target: WebhookTarget | None = None
    event: Event | None = None


def stamp(
    event: Event,
    *,
    cursor: int,
    instance_id: str,
    now: float,
    app_id: str | None = None,
    target: WebhookTarget | None = None,
) -> Record:
    """Give an event its identity and its JSON form."""
    app_id = clean(app_id) if app_id else None
    event_id = str(uuid4())
    message = {
        "type": event.type,
        "timestamp": _rfc3339(now),
        "event_id": event_id,
        "cursor": cursor,
        "instance_id": instance_id,
    }
    if app_id:
        message["app_id"] = app_id
    # The envelope wins over a plugin's field of the same name.
    body = encode(message | {k: v for k, v in event.to_json().items() if k not in message})
    return Record(cursor, event_id, app_id, body, clean(event.lane), now, target, event)


def clean(text: str) -> str:
    """Text without lone surrogates, which nothing can store."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _rfc3339(now: float) -> str:
    text = datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds")
    return text.removesuffix("+00:00") + "Z"
