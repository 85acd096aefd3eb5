"""RTCP: compound packets, what the bank sends and learns, time-outs and final statistics."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookswitch_transport_sip.rtp import rtcp
from hookswitch_transport_sip.rtp.rtcp import Goodbye, Report, ReportBlock, SenderInfo

from .conftest import Rig

u32 = st.integers(0, 2**32 - 1)
blocks = st.builds(
    ReportBlock, u32, st.integers(0, 255), st.integers(-0x800000, 0x7FFFFF), u32, u32, u32, u32
)
senders = st.builds(SenderInfo, st.integers(0, 2**64 - 1), u32, u32, u32)


@given(
    u32, st.text(max_size=300), st.none() | senders, st.lists(blocks, max_size=31), st.booleans()
)
def test_round_trip(
    ssrc: int, cname: str, sender: SenderInfo | None, reports: list[ReportBlock], bye: bool
) -> None:
    data = rtcp.build(ssrc, cname, sender, reports, bye)
    expected: list = [Report(ssrc, sender, tuple(reports))]
    assert len(data) % 4 == 0
    assert rtcp.parse(data) == expected + ([Goodbye((ssrc,))] if bye else [])


@given(st.binary(max_size=200))
def test_garbage_is_none_or_parsed(data: bytes) -> None:
    rtcp.parse(data)
    rtcp.parse(b"\x81\xc8" + data)


def test_round_trip_time() -> None:
    ntp = rtcp.ntp_time(1_700_000_000.5)
    sent = rtcp.middle(rtcp.ntp_time(1_700_000_000.0))
    block = ReportBlock(1, 0, 0, 0, 0, sent, int(0.3 * 65536))
    assert rtcp.round_trip(block, ntp) == pytest.approx(0.2, abs=1e-3)
    assert rtcp.round_trip(ReportBlock(1, 0, 0, 0, 0), ntp) is None
    early = ReportBlock(1, 0, 0, 0, 0, sent, int(0.5 * 65536) + 3)
    assert rtcp.round_trip(early, ntp) == 0.0


def talk(rig: Rig, phone, seconds: float) -> None:
    for i in range(int(seconds * 50)):
        if i % 10 != 9:
            phone.send(phone.tone_packet())
        else:
            phone.tone_packet()
        rig.tick()


def test_reports_are_sent_and_say_what_was_lost(rig: Rig) -> None:
    phone = rig.phone(sequence=65500)
    port = rig.open(phone)
    talk(rig, phone, 20)
    reports = [rtcp.parse(p) for p in phone.received_rtcp()]
    assert 2 <= len(reports) <= 8
    last = reports[-1][0]
    assert last.ssrc == 0xABCD
    assert last.sender is not None
    assert last.sender.octets == last.sender.packets * 160
    block = last.blocks[0]
    assert block.ssrc == phone.ssrc
    assert 20 <= block.fraction <= 30
    assert block.highest > 65536
    rig.bank.close(port)
    goodbye = rtcp.parse(phone.received_rtcp()[-1])
    assert goodbye[-1] == Goodbye((0xABCD,))
    rig.reported += rig.bank.reports()
    final = rig.data("stats")[-1]
    assert (final["packets_received"], final["packets_lost"]) == (900, 99)
    assert (final["packets_sent"], final["octets_sent"]) == (1000, 160000)
    assert 3.2 < final["mos"] < 3.5
    assert 3 <= rig.kinds().count("stats") <= 6


@pytest.mark.parametrize("mux", [False, True])
def test_the_peers_report_gives_the_round_trip_time(rig: Rig, mux: bool) -> None:
    phone = rig.phone()
    port = rig.open(phone, rtcp_mux=mux)
    phone.send(phone.tone_packet())
    rig.tick()
    sent = rtcp.middle(rtcp.ntp_time(time.time() - 0.25))
    block = ReportBlock(0xABCD, 0, 0, 0, 0, sent, int(0.05 * 65536))
    data = rtcp.build(phone.ssrc, "p", SenderInfo(5 << 32, 0, 1, 160), [block], False)
    if mux:
        phone.send(data)
    else:
        phone.rtcp.sendto(data, rig.kept[port][1].getsockname())
    talk(rig, phone, 11)
    assert rig.data("stats")[-1]["round_trip_ms"] == pytest.approx(200, abs=30)
    answers = phone.received() if mux else phone.received_rtcp()
    found = [rtcp.parse(p) for p in answers if p[1] == rtcp.SENDER_REPORT]
    assert found[-1][0].blocks[0].lsr == 5 << 16
    assert found[-1][0].blocks[0].dlsr > 0


def test_media_timeout_once_and_not_while_disabled(rig: Rig) -> None:
    phone = rig.phone()
    port = rig.open(phone, rtp_timeout_s=2.0, timeout_enabled=False)
    for _ in range(200):
        rig.tick()
    assert "media_timeout" not in rig.kinds()
    rig.bank.update(port, {"timeout_enabled": True})
    for _ in range(90):
        rig.tick()
    assert "media_timeout" not in rig.kinds()
    for _ in range(200):
        rig.tick()
    assert rig.kinds().count("media_timeout") == 1


def test_statistics_of_a_silent_port(rig: Rig) -> None:
    port = rig.open(rig.phone())
    rig.bank.close(port)
    rig.reported += rig.bank.reports()
    final = rig.data("stats")[-1]
    assert (final["packets_received"], final["packets_lost"], final["mos"]) == (0, 0, None)
    assert final["round_trip_ms"] is None
