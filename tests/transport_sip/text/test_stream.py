"""Two ends of a text stream; who else may send to them; what RTCP tells."""

from __future__ import annotations

from dataclasses import replace

from hookswitch_transport_sip.rtp.rtcp import Goodbye, Report, parse
from hookswitch_transport_sip.text.packets import TextPacket
from hookswitch_transport_sip.text.receiver import ReceiveFormat
from hookswitch_transport_sip.text.sender import FirstNumbers, SendFormat
from hookswitch_transport_sip.text.stream import TextParams, TextStream
from tests.fuzz.fuzz_text import main as fuzz

ALICE, BOB, EVE = ("192.0.2.1", 4000), ("192.0.2.2", 6000), ("203.0.113.9", 666)


def params(remote: tuple[str, int] | None) -> TextParams:
    rtcp = (remote[0], remote[1] + 1) if remote else None
    return TextParams(SendFormat(98, 99), ReceiveFormat((98,), (99,)), remote, rtcp, cname="me@x")


def stream(remote: tuple[str, int] | None, ssrc: int) -> TextStream:
    return TextStream(params(remote), FirstNumbers(ssrc, 1, 1), 0.0, lambda: 1e9)


def exchange(sender: TextStream, receiver: TextStream, source: tuple[str, int], at: float) -> str:
    return "".join(receiver.receive(data, source, at) for data, _ in sender.to_send())


def test_two_ends() -> None:
    alice, bob = stream(BOB, 1), stream(ALICE, 2)
    alice.write("hi", 1.0)
    bob.write("ho", 1.0)
    assert [to for _, to in alice.to_send()] == [BOB, BOB]
    alice.handle_timer(1.3)
    assert exchange(alice, bob, ALICE, 1.4) == "hi", "made up for by the next"
    assert exchange(bob, alice, BOB, 1.4) == "ho"


def test_strangers_are_not_read() -> None:
    alice, eve = stream(BOB, 1), stream(ALICE, 666)
    bob = stream(ALICE, 2)
    exchange(bob, alice, BOB, 0.1)
    for second in range(1, 6):
        eve.write("evil", float(second))
        assert exchange(eve, alice, EVE, float(second)) == ""
    assert alice.strangers == 6


def behind_a_nat() -> TextStream:
    where = replace(params(("10.0.0.1", 5000)), signalling_ip=BOB[0])
    return TextStream(where, FirstNumbers(1, 1, 1), 0.0, lambda: 1e9)


def test_text_waits_for_a_peer_behind_a_nat_and_goes_where_it_is() -> None:
    alice, bob = behind_a_nat(), stream(ALICE, 2)
    assert len(alice.to_send()) == 1, "a byte order mark opens our own NAT"
    alice.write("found you", 0.1)
    for at in (0.3, 0.6):
        alice.handle_timer(at)
        bob.handle_timer(at)
    assert {to for _, to in alice.to_send()} == {("10.0.0.1", 5000)}
    exchange(bob, alice, BOB, 0.7)
    alice.handle_timer(0.9)
    ((data, to),) = alice.to_send()
    assert to == BOB
    assert data.endswith(b"found you")


def test_text_waits_a_second_at_most() -> None:
    alice = behind_a_nat()
    alice.write("anybody?", 0.1)
    for at in (0.3, 0.6):
        alice.handle_timer(at)
    assert not any(b"anybody" in data for data, _ in alice.to_send())
    assert alice.next_timer() == 1.0
    alice.handle_timer(1.0)
    ((data, _),) = alice.to_send()
    assert data.endswith(b"anybody?")


def test_nothing_goes_to_a_peer_on_hold_and_nothing_comes_from_it() -> None:
    alice, bob = stream(BOB, 1), stream(ALICE, 2)
    alice.configure(replace(params(BOB), sends=False, receives=False))
    alice.write("x", 1.0)
    assert alice.to_send() == []
    bob.write("y", 1.0)
    assert exchange(bob, alice, BOB, 1.0) == ""
    assert stream(None, 3).to_send() == []


def test_a_flood_is_not_read() -> None:
    alice = stream(BOB, 1)
    read = ""
    for number in range(1000):
        packet = TextPacket(98, number, 0, 2, b"x")
        read += alice.receive(packet.pack(), BOB, number / 500)
    assert alice.flooded == 900
    assert len(read) <= 100


def test_what_waited_for_a_late_packet_is_told_at_the_end() -> None:
    alice = stream(BOB, 1)
    for number, text in ((1, b"a"), (3, b"c"), (4, b"d")):
        alice.receive(TextPacket(98, number, 0, 2, text).pack(), BOB, 0.5)
    assert alice.close(0.6) == "\ufffdcd"


def test_reports_and_a_goodbye() -> None:
    alice, bob = stream(BOB, 1), stream(ALICE, 2)
    for at in (0.0, 0.3, 0.6):
        bob.handle_timer(at)
    lost = bob.to_send()[1:2]
    alice.receive(TextPacket(98, 2, 0, 2, b"a").pack(), BOB, 0.5)
    assert lost
    alice.receive(TextPacket(98, 4, 0, 2, b"c").pack(), BOB, 0.6)
    assert alice.next_timer() <= 5.0
    alice.handle_timer(5.0)
    ((data, to),) = alice.rtcp_to_send()
    assert to == (BOB[0], BOB[1] + 1)
    (report,) = parse(data) or []
    assert isinstance(report, Report)
    assert report.sender is not None
    assert report.sender.packets == 2
    assert [(b.ssrc, b.lost, b.highest) for b in report.blocks] == [(2, 1, 4)]
    alice.write("last words", 6.0)
    alice.write("!", 6.1)
    alice.close(6.1)
    texts = [data for data, _ in alice.to_send()]
    assert texts[-1].endswith(b"!")
    ((data, _),) = alice.rtcp_to_send()
    assert Goodbye((1,)) in (parse(data) or [])


def test_the_fuzz_target_runs() -> None:
    fuzz(2000, seed=7)
