"""Two ends of a text stream; who else may send to them; what RTCP tells."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from hookswitch_transport_sip.rtp.keys import Secret, SrtpKeys
from hookswitch_transport_sip.rtp.rtcp import Goodbye, Report, parse
from hookswitch_transport_sip.rtp.security import Security
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


def keys(ours: str, theirs: str) -> SrtpKeys:
    sends, receives = (
        Secret(hashlib.sha256(each.encode()).digest()[:30]) for each in (ours, theirs)
    )
    return SrtpKeys("AES_CM_128_HMAC_SHA1_80", sends, receives)


def protected(remote: tuple[str, int], ssrc: int, srtp: SrtpKeys, sequence: int = 1) -> TextStream:
    numbers = FirstNumbers(ssrc, sequence, 1)
    return TextStream(replace(params(remote), srtp=srtp), numbers, 0.0, lambda: 1e9)


def test_protected_text_is_read_by_who_has_the_keys() -> None:
    alice, bob = protected(BOB, 1, keys("a", "b")), protected(ALICE, 2, keys("b", "a"))
    alice.write("secret", 1.0)
    _mark, (sealed, _) = alice.to_send()
    assert b"secret" not in sealed
    assert TextPacket.unpack(sealed) is not None
    assert stream(ALICE, 3).receive(sealed, ALICE, 1.0) == ""
    forged = sealed[:-1] + bytes([sealed[-1] ^ 1])
    assert bob.receive(forged, ALICE, 1.0) == ""
    assert bob.receive(b"", ALICE, 1.0) == ""
    assert bob.refused == 2
    assert bob.receive(sealed, ALICE, 1.0) == "secret"
    assert bob.receive(sealed, ALICE, 1.0) == ""
    assert bob.refused == 3, "a packet counts once"
    bob.write("yes", 1.0)
    assert exchange(bob, alice, BOB, 1.1) == "yes"


def test_text_with_a_key_identifier_is_read_and_none_without_it() -> None:
    alice = protected(BOB, 1, keys("a", "b"))
    bob = protected(ALICE, 2, replace(keys("b", "a"), mki=b"\0\1"))
    alice.write("hi", 1.0)
    (bare, _), (sealed, _) = alice.to_send()
    tag = 10
    assert bob.receive(bare, ALICE, 1.0) == ""
    assert bob.receive(sealed[:-tag] + b"\0\2" + sealed[-tag:], ALICE, 1.0) == ""
    assert bob.refused == 2
    assert bob.receive(sealed[:-tag] + b"\0\1" + sealed[-tag:], ALICE, 1.0) == "hi"
    bob.write("ho", 1.0)
    assert exchange(bob, alice, BOB, 1.1) == "ho", "ours carry none"


def test_text_under_a_key_that_has_expired_is_not_read() -> None:
    alice = protected(BOB, 1, keys("a", "b"))
    bob = protected(ALICE, 2, replace(keys("b", "a"), lifetime=3))
    read = ""
    for second in range(1, 6):
        alice.write(str(second), float(second))
        read += exchange(alice, bob, ALICE, float(second))
    assert read == "12", "its first packet is a byte order mark"
    assert bob.refused == 3


def test_plain_text_is_none_where_it_must_be_protected() -> None:
    alice, bob = stream(BOB, 1), protected(ALICE, 2, keys("b", "a"))
    alice.write("plain", 1.0)
    assert exchange(alice, bob, ALICE, 1.0) == ""
    assert bob.heard_at is None


def test_reports_of_protected_text_are_protected() -> None:
    alice = protected(BOB, 1, keys("a", "b"))
    alice.handle_timer(5.0)
    ((sealed, to),) = alice.rtcp_to_send()
    assert to == (BOB[0], BOB[1] + 1)
    reader = Security(keys("b", "a"), 2, 1)
    opened = reader.inbound.unprotect_rtcp(sealed)
    assert opened is not None
    assert any(isinstance(each, Report) for each in parse(opened))


def test_another_key_of_the_peer_after_its_numbers_have_wrapped() -> None:
    """Whether the count of rounds goes on with the new key or begins anew."""
    for first in (9, 65536 + 9):
        alice, bob = protected(BOB, 1, keys("a", "b"), 65535), protected(ALICE, 2, keys("b", "a"))
        for at in (1.0, 2.0, 3.0):
            alice.write("x", at)
            alice.handle_timer(at)
            assert exchange(alice, bob, ALICE, at) == "x"
        anew = replace(bob.params, srtp=keys("b", "c"))
        assert anew.continues(bob.params)
        bob.configure(anew)
        carol = protected(BOB, 1, keys("c", "b"), first)
        carol.write("y", 4.0)
        read = exchange(carol, bob, ALICE, 4.0) + bob.handle_timer(9.0)
        assert read.endswith("y")
        assert bob.refused == 0


def test_another_key_of_ours_begins_another_stream() -> None:
    plain, one = params(BOB), replace(params(BOB), srtp=keys("a", "b"))
    assert one.continues(replace(one, cname="you@x"))
    assert plain.continues(params(ALICE))
    for other in (plain, replace(one, srtp=keys("x", "b"))):
        assert not other.continues(one)
        assert not one.continues(other)
