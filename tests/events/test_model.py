"""Every event type of the table, and its JSON form."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError, dataclass, fields
from typing import ClassVar

import pytest

from hookswitch.events.legs import (
    Cdr,
    DtmfReceived,
    LegDisconnected,
    LegMuted,
    LegRinging,
    OfferedCodec,
    Quality,
)
from hookswitch.events.media import Channel, RecordingFinished
from hookswitch.events.model import Event, encode
from hookswitch.events.record import WebhookTarget, choose_target
from hookswitch.events.registry import EventTypes
from hookswitch.events.rooms import RoomBridged

TABLE = {
    "leg.ringing": "leg_type from to headers sip_headers offered_codecs source_address uri "
    "authenticated auth_username registered_user trunk_id",
    "leg.early_media": "leg_type",
    "leg.connected": "leg_type",
    "leg.hold": "leg_type",
    "leg.unhold": "leg_type",
    "leg.disconnected": "leg_type cdr quality",
    "leg.joined_room": "room_id",
    "leg.left_room": "room_id",
    "leg.muted": "",
    "leg.unmuted": "",
    "leg.deaf": "",
    "leg.undeaf": "",
    "leg.role_changed": "role",
    "leg.command_failed": "command error",
    "leg.transfer_initiated": "kind target replaces_leg_id",
    "leg.transfer_requested": "kind target replaces_call_id",
    "leg.transfer_progress": "status_code reason error",
    "leg.transfer_completed": "status_code reason error",
    "leg.transfer_failed": "status_code reason error",
    "dtmf.received": "digit seq",
    "rtt.received": "text seq loss_marker",
    "speaking.started": "",
    "speaking.stopped": "",
    "playback.started": "playback_id",
    "playback.finished": "playback_id reason played_ms",
    "playback.error": "playback_id error",
    "tts.started": "tts_id",
    "tts.finished": "tts_id reason played_ms",
    "tts.error": "tts_id error category",
    "recording.started": "file multi_channel_file channels omitted_legs",
    "recording.finished": "file multi_channel_file channels omitted_legs "
    "duration_ms error recovered",
    "recording.stored": "file location",
    "recording.store_failed": "file error will_retry",
    "recording.paused": "file multi_channel_file channels omitted_legs",
    "recording.resumed": "file multi_channel_file channels omitted_legs",
    "stt.text": "text is_final speech_final audio_start_ms audio_end_ms",
    "agent.connected": "conversation_id",
    "agent.disconnected": "",
    "agent.user_transcript": "text",
    "agent.agent_response": "text",
    "amd.result": "result initial_silence_ms greeting_duration_ms total_analysis_ms",
    "amd.beep": "beep_ms",
    "room.created": "",
    "room.deleted": "",
    "room.routing_changed": "reason",
    "room.bridged": "bridge_id room_a_id room_b_id direction reason",
    "room.bridge_updated": "bridge_id room_a_id room_b_id direction reason",
    "room.unbridged": "bridge_id room_a_id room_b_id direction reason",
}


def test_the_table_and_nothing_else() -> None:
    assert set(EventTypes()) == set(TABLE)


@pytest.mark.parametrize("name", sorted(TABLE))
def test_fields_of_each_type(name: str) -> None:
    names = {field.name.rstrip("_") for field in fields(EventTypes()[name])}
    assert names == {"leg_id", "room_id", *TABLE[name].split()}


def test_none_is_left_out_at_every_depth() -> None:
    event = LegDisconnected(
        leg_id="l",
        leg_type="sip_inbound",
        cdr=Cdr("remote_bye", 3.5, 2.0),
        quality=Quality(rtp_packets_received=10),
    )
    assert event.to_json() == {
        "leg_id": "l",
        "leg_type": "sip_inbound",
        "cdr": {"reason": "remote_bye", "duration_total": 3.5, "duration_answered": 2.0},
        "quality": {"rtp_packets_received": 10},
    }


def test_nested_values_and_keywords() -> None:
    event = LegRinging(
        leg_id="l",
        leg_type="sip_inbound",
        from_="alice",
        to="bob",
        headers={"X-A": "1"},
        offered_codecs=(OfferedCodec("PCMU", 0, 8000, 0),),
    )
    assert event.to_json()["from"] == "alice"
    codec = {"name": "PCMU", "payload_type": 0, "clock_rate": 8000, "priority": 0}
    assert event.to_json()["offered_codecs"] == [codec]
    recorded = RecordingFinished(room_id="r", file="f", channels={"a": Channel(0, 0, 20)})
    assert recorded.to_json()["channels"] == {"a": {"channel": 0, "start_ms": 0, "end_ms": 20}}


def test_values_json_has_no_word_for_never_break_an_event() -> None:
    event = LegRinging(leg_id="l", leg_type="x", headers={"X": "a\udcffb"})
    assert json.loads(encode(event.to_json()))["headers"] == {"X": "a?b"}
    quality = Quality(mos_score=float("nan"), rtp_jitter_ms=1.5)
    ended = LegDisconnected(leg_id="l", leg_type="x", cdr=Cdr("r", 0, 0), quality=quality)
    assert ended.to_json()["quality"] == {"rtp_jitter_ms": 1.5}


def test_events_are_values() -> None:
    event = LegMuted(leg_id="l")
    assert event == LegMuted(leg_id="l")
    with pytest.raises(FrozenInstanceError):
        event.leg_id = "other"  # type: ignore[misc]  # what is tried
    with pytest.raises(TypeError):
        LegMuted()  # type: ignore[call-arg]  # what is tried


def test_lanes() -> None:
    assert LegMuted(leg_id="l", room_id="r").lane == "l"
    bridged = RoomBridged(bridge_id="b", room_a_id="a", room_b_id="c", direction="send")
    assert bridged.lane == "a"
    assert Event().lane == ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallParked(Event):
    type: ClassVar[str] = "parking.call_parked"
    slot: int


def test_a_plugin_adds_its_own() -> None:
    types = EventTypes()
    types.add(CallParked)
    assert types["parking.call_parked"] is CallParked
    assert CallParked(leg_id="l", slot=4).to_json() == {"leg_id": "l", "slot": 4}
    assert "parking.call_parked" not in EventTypes()


def test_a_taken_or_malformed_name_is_refused() -> None:
    class Digit(DtmfReceived):
        pass

    class Nameless(Event):
        pass

    for cls in (Digit, Nameless):
        with pytest.raises(ValueError, match=cls.__name__):
            EventTypes().add(cls)


def test_the_most_specific_target_wins() -> None:
    leg, room, default = (WebhookTarget(f"http://{name}") for name in ("leg", "room", "default"))
    assert choose_target(leg, room, default) is leg
    assert choose_target(None, room, default) is room
    assert choose_target(WebhookTarget(""), None, default) is default
    assert choose_target(None, None, None) is None
