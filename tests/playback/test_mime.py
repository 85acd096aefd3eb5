"""MIME types: what is understood, and that nothing but DecodeError comes out."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookswitch.playback.player.errors import DecodeError
from hookswitch.playback.player.mime import Raw, is_untold, parse, raw_format


@pytest.mark.parametrize(
    ("text", "raw"),
    [
        ("audio/L16;rate=16000", Raw("s16be", 16000, 1)),
        ("Audio/l16 ; Rate=44100; channels=2", Raw("s16be", 44100, 2)),
        ('audio/L16; rate="8000"', Raw("s16be", 8000, 1)),
        ("audio/L24;rate=48000;channels=8", Raw("s24be", 48000, 8)),
        ("audio/pcm;rate=24000", Raw("s16le", 24000, 1)),
        ("audio/basic", Raw("mulaw", 8000, 1)),
        ("audio/PCMU", Raw("mulaw", 8000, 1)),
        ("audio/PCMA;rate=16000;", Raw("alaw", 16000, 1)),
    ],
)
def test_raw_types(text: str, raw: Raw) -> None:
    assert raw_format(parse(text)) == raw


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("audio/L16", "needs a rate"),
        ("audio/pcm;channels=1", "needs a rate"),
        ("audio/L16;rate=0", "must be 1000 to"),
        ("audio/L16;rate=99999999999", "must be 1000 to"),
        ("audio/L16;rate=8000;channels=9", "must be 1 to 8"),
        ("audio/L16;rate=8k", "must be 1000 to"),
    ],
)
def test_raw_types_that_cannot_be_read(text: str, why: str) -> None:
    with pytest.raises(DecodeError, match=why):
        raw_format(parse(text))


@pytest.mark.parametrize("text", ["audio", "audio/", "/wav", "audio/wav;=", "audio/wav,x", "a b/c"])
def test_no_mime_type(text: str) -> None:
    with pytest.raises(DecodeError, match="no MIME type"):
        parse(text)


@pytest.mark.parametrize("text", ["a" * 5000, "a/b" + ";=" * 5000, "audio/L16;rate=" + "9" * 5000])
def test_what_was_sent_is_repeated_in_short(text: str) -> None:
    with pytest.raises(DecodeError) as caught:
        raw_format(parse(text))
    assert len(str(caught.value)) < 300


def test_a_type_that_says_nothing() -> None:
    assert all(is_untold(parse(text)) for text in ("", " ", "application/octet-stream"))
    assert not is_untold(parse("audio/wav"))


TOKEN = st.text("abcXYZ0189.+-_", min_size=1)


@given(TOKEN, TOKEN, st.dictionaries(TOKEN.map(str.lower), st.text(min_size=1)))
def test_what_is_written_is_read(kind: str, subtype: str, parameters: dict[str, str]) -> None:
    def quoted(value: str) -> str:
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'

    text = f"{kind}/{subtype}" + "".join(f"; {k}={quoted(v)}" for k, v in parameters.items())
    mime = parse(text)
    assert mime.name == f"{kind}/{subtype}".lower()
    assert dict(mime.parameters) == parameters


@given(st.text() | st.text('audio/l16;rate=" \\\t,'))
def test_anything_else_is_an_error_of_ours(text: str) -> None:
    with contextlib.suppress(DecodeError):
        raw_format(parse(text))
