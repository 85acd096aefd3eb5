"""Stamping: the envelope of every event."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, ClassVar
from uuid import UUID

from hookswitch.events.legs import DtmfReceived
from hookswitch.events.model import Event
from hookswitch.events.record import Record, WebhookTarget, stamp


def stamped(event: Event, **options: Any) -> Record:
    return stamp(event, cursor=7, instance_id="i", now=1700000000.1234, **options)


def test_envelope_comes_first_and_in_order() -> None:
    record = stamped(DtmfReceived(leg_id="l", digit="5", seq=1), app_id="shop")
    message = json.loads(record.body)
    assert list(message) == [
        *("type", "timestamp", "event_id", "cursor", "instance_id", "app_id"),
        *("leg_id", "digit", "seq"),
    ]
    assert message["type"] == "dtmf.received"
    assert message["timestamp"] == "2023-11-14T22:13:20.123Z"
    assert UUID(message["event_id"]).version == 4
    assert (record.event_id, record.cursor) == (message["event_id"], message["cursor"])
    assert (record.lane, record.app_id) == ("l", "shop")


def test_untagged_events_have_no_app_id() -> None:
    for app_id in (None, ""):
        record = stamped(DtmfReceived(leg_id="l", digit="5", seq=1), app_id=app_id)
        assert "app_id" not in json.loads(record.body)
        assert record.app_id is None


def test_whole_seconds_keep_their_milliseconds() -> None:
    record = stamp(Event(), cursor=1, instance_id="i", now=0.0)
    assert re.fullmatch(r".*T00:00:00\.000Z", json.loads(record.body)["timestamp"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Impostor(Event):
    type: ClassVar[str] = "x.y"
    cursor: int = 0


def test_a_plugin_cannot_forge_the_envelope() -> None:
    assert json.loads(stamped(Impostor()).body)["cursor"] == 7


def test_lone_surrogates_reach_no_key() -> None:
    record = stamped(Event(leg_id="a\udcff"), app_id="b\udcff")
    target = WebhookTarget("http://h/\udcff", "s\udcff")
    assert (record.lane, record.app_id) == ("a?", "b?")
    assert (target.url, target.secret) == ("http://h/?", "s?")
