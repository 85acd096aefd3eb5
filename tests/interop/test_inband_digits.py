"""Digits that are nothing but tones in the audio."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from . import capture
from .baresip import baresip
from .client import Api, Events, api_of, events_of
from .linphone import RUNNING, linphone
from .server import Server, serving
from .sipp import sipp
from .test_digits import numbered, told


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One that listens to phones that take no telephone events."""
    with serving(tmp_path_factory.mktemp("server"), SIP_INBAND_DTMF="auto") as running:
        yield running


@pytest.mark.parametrize(("sdp", "digits"), [("sdp-plain", "0123456789*#ABCD55"), ("sdp", "")])
async def test_tones_from_a_capture(
    server: Server, api: Api, events: Events, tmp_path: Path, sdp: str, digits: str
) -> None:
    packets = capture.tones("0123456789*#ABCD55")
    capture.write(tmp_path / "tones.pcap", packets)
    fields = {
        "capture": str(tmp_path / "tones.pcap"),
        "milliseconds": str(int(packets[-1].at * 1000) + 500),
    }
    async with sipp(
        "caller_sends_digits.xml", tmp_path, target=server.sip_port, fields=fields, sdp=sdp
    ) as caller:
        leg = (await events.wait("leg.ringing"))["leg_id"]
        await api.post(f"/legs/{leg}/answer", 202)
        await events.ended(leg)
        await caller.succeeded()
    assert told(events, leg) == numbered(digits)


@pytest.fixture(scope="module")
def listening(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One that listens to every phone."""
    with serving(tmp_path_factory.mktemp("listening"), SIP_INBAND_DTMF="on") as running:
        yield running


async def test_tones_before_and_after_events(listening: Server, tmp_path: Path) -> None:
    """A gateway may send an event and leave the tone in; later it may send tones alone."""
    pressed = capture.after(capture.tones("12"), capture.digits("3"))
    both = capture.after(pressed, capture.tones("3", ms=100)[8:])
    packets = capture.after(both, capture.tones("3456"), pause=0.6)
    capture.write(tmp_path / "mixed.pcap", packets)
    fields = {
        "capture": str(tmp_path / "mixed.pcap"),
        "milliseconds": str(int(packets[-1].at * 1000) + 500),
    }
    async with (
        api_of(listening.url) as api,
        events_of(listening.url) as events,
        sipp(
            "caller_sends_digits.xml", tmp_path, target=listening.sip_port, fields=fields
        ) as caller,
    ):
        leg = (await events.wait("leg.ringing"))["leg_id"]
        await api.post(f"/legs/{leg}/answer", 202)
        await events.ended(leg)
        await caller.succeeded()
        assert told(events, leg) == numbered("1233456")


async def test_a_phone_that_plays_its_keys(
    server: Server, api: Api, events: Events, tmp_path: Path
) -> None:
    """Asked for by the call, though the phone takes events; passed on to the room as events."""
    async with (
        linphone(tmp_path / "alice", "use_info=0", "use_rfc2833=0") as alice,
        baresip(tmp_path / "bob", 1030.0) as bob,
    ):
        called = await api.call(alice.uri, inband_dtmf="on", room_id="tones")
        await events.wait("leg.joined_room", leg_id=called)
        await alice.reaches(RUNNING)
        other = await api.call(bob.uri, room_id="tones")
        await bob.wait("CALL_INCOMING")
        await bob.accept()
        await events.wait("leg.joined_room", leg_id=other)
        await alice.do(press="19*#D")
        await events.wait("dtmf.received", leg_id=called, digit="D")
        assert told(events, called) == numbered("19*#D")
        assert await bob.wait("CALL_DTMF_START", 5) == list("19*#D")
        for leg in (called, other):
            await api.delete(f"/legs/{leg}", 202)
            await events.ended(leg)
