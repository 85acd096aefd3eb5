"""The lossless model: reading, writing, typed views, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookswitch_transport_sip.sdp.description import SessionDescription
from hookswitch_transport_sip.sdp.direction import Direction
from hookswitch_transport_sip.sdp.errors import ParseError
from hookswitch_transport_sip.sdp.values import Connection, Format, Media, Origin

RICH = (
    b"v=0\r\no=alice 2890844526 2890844527 IN IP4 host.example.com\r\ns= \r\n"
    b"i=caf\xc3\xa9 \xff\r\nc=IN IP4 192.0.2.1/127\r\nb=AS:64\r\nt=0 0\r\nr=7d 1h 0 25h\r\n"
    b"a=group:BUNDLE a\r\na=sendonly\r\n"
    b"m=audio 49170/2 RTP/AVP 0 96 101 18 77\r\nc=IN IP6 2001:db8::1\r\n"
    b"a=rtpmap:96 opus/48000/2\r\n"
    b"a=fmtp:96 useinbandfec=1; stereo=0\r\na=rtpmap:101 telephone-event/8000\r\na=ptime:20\r\n"
    b"a=maxptime:60\r\na=rtcp:49999 IN IP4 192.0.2.9\r\na=rtcp-mux\r\na=recvonly\r\n"
    b"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:abc|2^20\r\n"
    b"m=video 0 RTP/SAVPF 31\r\na=sendrecv\r\n"
)


def test_what_was_read_is_written() -> None:
    assert bytes(SessionDescription.parse(RICH)) == RICH
    assert bytes(SessionDescription.parse(RICH.replace(b"\r\n", b"\n"))) == RICH


def test_typed_views() -> None:
    session = SessionDescription.parse(RICH)
    audio, video = session.media
    assert session.origin == Origin("alice", 2890844526, 2890844527, "host.example.com")
    assert session.connection == Connection("192.0.2.1")
    assert session.connection_of(audio) == Connection("2001:db8::1")
    assert session.connection_of(video) == session.connection
    assert session.direction_of(audio) is Direction.RECVONLY
    assert session.direction is Direction.SENDONLY
    assert audio.media == Media("audio", 49170, "RTP/AVP", ("0", "96", "101", "18", "77"), 2)
    assert audio.formats == [
        Format(0, "PCMU", 8000),
        Format(96, "opus", 48000, 2),
        Format(101, "telephone-event", 8000),
        Format(18, "G729", 8000),
    ]
    assert audio.fmtp(96) == "useinbandfec=1; stereo=0"
    assert audio.fmtp(0) is None
    assert (audio.ptime, audio.maxptime) == (20, 60)
    assert audio.rtcp == (49999, "192.0.2.9")
    assert audio.rtcp_mux
    assert audio.crypto == ["1 AES_CM_128_HMAC_SHA1_80 inline:abc|2^20"]
    assert (video.ptime, video.rtcp, video.rtcp_mux) == (None, None, False)


@pytest.mark.parametrize(
    ("data", "where"),
    [
        (b"", "line 1"),
        (b"hello", "line 1"),
        (b"v=1\r\no=- 1 1 IN IP4 h\r\n", "line 1"),
        (b"v=0\r\ns=-\r\n", "o="),
        (b"v=0\r\no=- x 1 IN IP4 h\r\n", "o="),
        (b"v=0\r\no=- 1 1 IN IP4 h\r\nV=0\r\n", "line 3"),
        (b"v=0\r\no=- 1 1 IN IP4 h\r\n\r\ns=-\r\n", "line 3"),
        (b"v=0\r\no=- 1 1 IN IP4 h\r\ns=\0\r\n", "line 3"),
        (b"v=0\r\no=- 1 1 IN IP4 h\r\nc=IN IP4\r\n", "c="),
        (b"v=0\r\no=- 1 1 IN IP4 h\r\nm=audio 70000 RTP/AVP 0\r\n", "m="),
        (b"v=0\r\no=- 1 1 IN IP4 h\r\nm=audio 1 RTP/AVP\r\n", "m="),
        (b"v=0\r\no=- 1 1 IN IP4 h\r\nm=audio \xd9\xa1 RTP/AVP 0\r\n", "m="),
        (b"v=0\r\n" + b"a=x\r\n" * 20000, "description"),
    ],
)
def test_errors_say_where(data: bytes, where: str) -> None:
    with pytest.raises(ParseError) as caught:
        SessionDescription.parse(data)
    assert caught.value.where == where
    assert caught.value.what


@pytest.mark.parametrize("line", [b"rtpmap:1", b"rtpmap:1 x/y", b"rtpmap:300 x/8000", b"ptime:a"])
def test_attributes_are_checked_when_asked_for(line: bytes) -> None:
    data = b"v=0\r\no=- 1 1 IN IP4 h\r\nm=audio 1 RTP/AVP 1\r\na=" + line + b"\r\n"
    media = SessionDescription.parse(data).media[0]
    with pytest.raises(ParseError):
        _ = (media.formats, media.ptime)


words = st.text(st.characters(exclude_characters="\r\n\0 \t", codec="utf-8"), min_size=1)
tokens = st.text("abcdefghijklmnopqrstuvwxyz0123456789-", min_size=1)


@given(st.lists(st.tuples(st.sampled_from("biktuzea"), words)), st.lists(st.lists(words)))
def test_any_lines_round_trip(session: list[tuple[str, str]], media: list[list[str]]) -> None:
    lines = ["v=0", "o=- 1 1 IN IP4 h", *(f"{kind}={value}" for kind, value in session)]
    for attributes in media:
        lines += ["m=audio 5004 RTP/AVP 0", *(f"a={value}" for value in attributes)]
    data = "".join(line + "\r\n" for line in lines).encode()
    parsed = SessionDescription.parse(data)
    assert bytes(parsed) == data
    assert SessionDescription.parse(bytes(parsed)) == parsed


@given(tokens, st.integers(0, 65535), st.lists(tokens, min_size=1), st.integers(1, 9))
def test_media_round_trip(kind: str, port: int, formats: list[str], count: int) -> None:
    media = Media(kind, port, "RTP/AVP", tuple(formats), count)
    assert Media.parse(str(media)) == media


@given(st.integers(0, 127), tokens, st.integers(0, 2**31), st.integers(1, 255))
def test_format_round_trip(payload_type: int, name: str, clock_rate: int, channels: int) -> None:
    each = Format(payload_type, name, clock_rate, channels)
    assert Format.parse(str(each)) == each


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1), st.sampled_from(["h.example", "::1"]))
def test_origin_round_trip(session_id: int, version: int, host: str) -> None:
    origin = Origin("-", session_id, version, host)
    assert Origin.parse(str(origin)) == origin
