"""Messages of WebSocket legs: packed, unpacked, refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookswitch_transport_ws.frames import (
    Audio,
    FrameError,
    Hangup,
    LegMessage,
    Ping,
    Pong,
    Problem,
    Text,
    Wire,
    WireFormat,
)
from tests.fuzz.fuzz_ws_frames import main as fuzz

FORMATS: tuple[WireFormat, ...] = ("binary", "json_base64")

texts = st.text(st.characters(exclude_categories=["Cs"]))
numbers = st.none() | st.integers()
messages: st.SearchStrategy[LegMessage] = st.one_of(
    st.binary().filter(lambda pcm: len(pcm) % 2 == 0).map(Audio),
    texts.map(Text),
    numbers.map(Ping),
    numbers.map(Pong),
    st.just(Hangup()),
    texts.map(Problem),
)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
kinds = st.sampled_from(["audio", "text", "ping", "pong", "hangup", "error", "other"])


@pytest.mark.parametrize("wire_format", FORMATS)
@given(message=messages)
def test_what_is_packed_is_unpacked(wire_format: WireFormat, message: LegMessage) -> None:
    wire = Wire(wire_format)
    assert wire.unpack(wire.pack(message)) == message


@pytest.mark.parametrize("wire_format", FORMATS)
@given(data=st.text() | st.binary())
def test_any_message_is_taken_or_refused(wire_format: WireFormat, data: str | bytes) -> None:
    refuse_or_take(Wire(wire_format), data)


@pytest.mark.parametrize("wire_format", FORMATS)
@given(kind=kinds, fields=st.dictionaries(st.sampled_from(["audio", "text", "event_id"]), anything))
def test_any_fields_are_taken_or_refused(
    wire_format: WireFormat, kind: str, fields: dict[str, Any]
) -> None:
    refuse_or_take(Wire(wire_format), json.dumps({"type": kind, **fields}))


def refuse_or_take(wire: Wire, data: str | bytes) -> None:
    try:
        message = wire.unpack(data)
    except FrameError:
        pass
    else:
        assert wire.unpack(wire.pack(message)) == message


def test_how_messages_look() -> None:
    binary, in_json = Wire("binary"), Wire("json_base64")
    assert binary.pack(Audio(b"\1\0")) == b"\1\0"
    assert in_json.pack(Audio(b"\1\0")) == '{"type":"audio","audio":"AQA="}'
    assert binary.pack(Text("a")) == '{"type":"text","text":"a"}'
    assert binary.pack(Ping(3)) == '{"type":"ping","event_id":3}'
    assert binary.pack(Pong(None)) == '{"type":"pong"}'
    assert binary.pack(Hangup()) == '{"type":"hangup"}'


@pytest.mark.parametrize(
    ("wire_format", "data", "says"),
    [
        ("binary", b"abc", "audio: 3 bytes are no whole number of 16-bit samples"),
        ("binary", '{"type":"audio","audio":""}', "audio: the wire format is binary"),
        ("json_base64", b"ab", "a binary message, but the wire format is json_base64"),
        ("json_base64", '{"type":"audio"}', "audio: must be a base64 string"),
        ("json_base64", '{"type":"audio","audio":"A"}', "audio: not base64"),
        ("json_base64", '{"type":"audio","audio":"QQ=="}', "audio: 1 bytes are no whole"),
        ("json_base64", '{"type":"audio","audio":"\\u00e9"}', "audio: not base64"),
        ("binary", '{"type":"ping","event_id":true}', "event_id: must be an integer"),
        ("binary", '{"type":"ping","event_id":1.5}', "event_id: must be an integer"),
        ("binary", '{"type":"text"}', "text: must be a string"),
        ("binary", '{"type":"text","text":"\\udfff"}', "text: holds half"),
        ("binary", '{"type":["x"]}', "type: ['x'] is not known"),
        ("binary", "1" * 5000, "malformed JSON"),
        ("binary", "nul", "malformed JSON"),
        ("binary", "null", "must be a JSON object"),
    ],
)
def test_an_error_says_where_and_what(
    wire_format: WireFormat, data: str | bytes, says: str
) -> None:
    with pytest.raises(FrameError) as refused:
        Wire(wire_format).unpack(data)
    assert str(refused.value).startswith(says)


def test_the_fuzz_target_runs() -> None:
    assert fuzz(500) > 0
