"""SRTP at the bank: every suite both ways, forgeries, replays, other keys, wrapped numbers."""

from __future__ import annotations

import hashlib

import numpy as np
import pylibsrtp
import pytest
from pylibsrtp import Policy

from hookswitch.mixer.bank import BankError
from hookswitch_transport_sip.rtp import libsrtp, rtcp
from hookswitch_transport_sip.rtp.keys import SUITES, Secret, SrtpKeys
from hookswitch_transport_sip.rtp.security import TRANSITION

from .conftest import MU_LAW, Phone, Rig, tone

PROFILES = {
    "AES_CM_128_HMAC_SHA1_80": Policy.SRTP_PROFILE_AES128_CM_SHA1_80,
    "AES_CM_128_HMAC_SHA1_32": Policy.SRTP_PROFILE_AES128_CM_SHA1_32,
    "AEAD_AES_128_GCM": Policy.SRTP_PROFILE_AEAD_AES_128_GCM,
    "AEAD_AES_256_GCM": Policy.SRTP_PROFILE_AEAD_AES_256_GCM,
}


def address_of(session: pylibsrtp.Session) -> int:
    return int(libsrtp.ffi.cast("uintptr_t", session._srtp[0]))


SUITE = "AES_CM_128_HMAC_SHA1_80"


def key(suite: str, seed: str) -> Secret:
    return Secret(hashlib.sha512(seed.encode()).digest()[: SUITES[suite][0]])


def keys(suite: str = SUITE, ours: str = "ours", theirs: str = "theirs", **more) -> SrtpKeys:
    return SrtpKeys(suite, key(suite, ours), key(suite, theirs), **more)


def identified(packet: bytes, mki: bytes, suite: str, *, rtcp: bool = False) -> bytes:
    """With an identifier where RFC 3711 and RFC 7714 have it."""
    tag = 0 if suite.startswith("AEAD") else 10 if rtcp else SUITES[suite][1]
    return packet[: len(packet) - tag] + mki + packet[len(packet) - tag :]


class Safe:
    """The other end: what the phone says is sealed, what it hears is opened."""

    def __init__(
        self,
        rig: Rig,
        suite: str = SUITE,
        ours: str = "ours",
        theirs: str = "theirs",
        mki: bytes = b"",
    ):
        self.rig, self.phone, self.suite, self.mki = rig, rig.phone(), suite, mki
        self.change(suite, ours, theirs)

    def change(self, suite: str, ours: str, theirs: str) -> None:
        outbound, inbound = Policy.SSRC_ANY_OUTBOUND, Policy.SSRC_ANY_INBOUND
        profile = PROFILES[suite]
        self.seal = pylibsrtp.Session(Policy(bytes(key(suite, theirs)), outbound, 0, profile))
        self.unseal = pylibsrtp.Session(Policy(bytes(key(suite, ours)), inbound, 0, profile))

    def say(self, ticks: int, level: float = 0.0) -> np.ndarray:
        """Talk for some ticks; answers what the bank gave the engine."""
        heard = []
        for _ in range(ticks):
            self.phone.send(self.sealed(self.phone.tone_packet()))
            heard.append(self.rig.tick(np.full(160, level))[0])
        return np.concatenate(heard)

    def sealed(self, packet: bytes) -> bytes:
        return identified(self.seal.protect(packet), self.mki, self.suite)

    def hears(self) -> list[bytes]:
        return [self.unseal.unprotect(packet) for packet in self.phone.received()]


def assert_heard(audio: np.ndarray, start: int = 0) -> None:
    assert np.abs(audio[80:] - tone(500, start + 80, len(audio) - 80)).max() < 300


@pytest.mark.parametrize("suite", SUITES)
def test_every_suite_both_ways(rig: Rig, suite: str) -> None:
    safe = Safe(rig, suite)
    rig.open(safe.phone, srtp=keys(suite))
    assert_heard(safe.say(50, level=1000.0))
    packets = safe.hears()
    assert [int.from_bytes(p[2:4], "big") for p in packets] == [
        (65530 + i) & 0xFFFF for i in range(50)
    ]
    said = MU_LAW.decode(np.zeros(1, np.intp), np.frombuffer(packets[9][12:], np.uint8)[None, :])
    assert np.abs(said - 1000).max() < 32


def test_nothing_is_said_or_heard_in_the_clear(rig: Rig) -> None:
    phone = rig.phone()
    port = rig.open(phone, srtp=keys())
    for _ in range(20):
        phone.send(phone.tone_packet())
        assert not rig.tick(np.full(160, 1000.0))[0].any()
    plain = MU_LAW.encode(np.zeros(1, np.intp), np.full((1, 160), 1000, np.int16))[0].tobytes()
    assert all(plain not in packet for packet in phone.received())
    rig.bank.close(port)
    rig.reported += rig.bank.reports()
    final = rig.data("stats")[-1]
    assert (final["packets_received"], final["srtp_refused"]) == (0, 20)


def test_a_forger_cannot_take_the_port_over(rig: Rig) -> None:
    safe, forger = Safe(rig), rig.phone()
    rig.open(safe.phone, srtp=keys())
    forger.target = safe.phone.target
    for _ in range(20):
        forger.send(forger.tone_packet())
        rig.tick()
    assert "rtp_locked" not in rig.kinds()
    assert_heard(safe.say(20))


def test_a_packet_counts_once(rig: Rig) -> None:
    safe = Safe(rig)
    rig.open(safe.phone, srtp=keys())
    safe.say(10)
    packet = safe.seal.protect(safe.phone.tone_packet())
    for _ in range(3):
        safe.phone.send(packet)
    rig.tick()
    assert rig.bank._intake.sequences.received[0] == 11
    assert rig.bank._opener.refused[0] == 2


def test_reports_are_protected_too(rig: Rig) -> None:
    safe = Safe(rig)
    rig.open(safe.phone, srtp=keys())
    safe.say(400)
    reports = [safe.unseal.unprotect_rtcp(each) for each in safe.phone.received_rtcp()]
    (report,) = rtcp.parse(reports[-1])
    assert report.ssrc == 0xABCD
    assert report.blocks[0].ssrc == safe.phone.ssrc
    info = rtcp.SenderInfo(rtcp.ntp_time(0), 0, 0, 0)
    mine = rtcp.build(safe.phone.ssrc, "phone", info, (), bye=False)
    assert rig.bank._by_slot[0].last_report is None
    host, number = rig.kept["port0"][1].getsockname()[:2]
    safe.phone.rtcp.sendto(mine, (host, number))
    safe.say(10)
    assert rig.bank._by_slot[0].last_report is None, "a report in the clear counts for nothing"
    safe.phone.rtcp.sendto(safe.seal.protect_rtcp(mine), (host, number))
    safe.say(10)
    assert rig.bank._by_slot[0].last_report is not None


@pytest.mark.parametrize("suite", SUITES)
@pytest.mark.parametrize("mki", [b"\1", b"\0\0\0\1", bytes(range(128))])
def test_packets_with_an_identifier_are_heard(rig: Rig, suite: str, mki: bytes) -> None:
    """Theirs carry one, as their key has it; ours do not."""
    safe = Safe(rig, suite, mki=mki)
    rig.open(safe.phone, srtp=keys(suite, mki=mki))
    assert_heard(safe.say(50, level=1000.0))
    assert len(safe.hears()) == 50
    info = rtcp.SenderInfo(rtcp.ntp_time(0), 0, 0, 0)
    mine = rtcp.build(safe.phone.ssrc, "phone", info, (), bye=False)
    report = identified(safe.seal.protect_rtcp(mine), mki, suite, rtcp=True)
    address = rig.kept["port0"][1].getsockname()[:2]
    safe.phone.rtcp.sendto(safe.seal.protect_rtcp(mine), address)
    safe.say(10)
    assert rig.bank._by_slot[0].last_report is None
    safe.phone.rtcp.sendto(report, address)
    safe.say(10)
    assert rig.bank._by_slot[0].last_report is not None


@pytest.mark.parametrize("suite", SUITES)
def test_reports_with_an_identifier_may_come_beside_the_audio(rig: Rig, suite: str) -> None:
    safe = Safe(rig, suite, mki=b"\0\7")
    rig.open(safe.phone, srtp=keys(suite, mki=b"\0\7"), rtcp_mux=True)
    safe.say(10)
    info = rtcp.SenderInfo(rtcp.ntp_time(0), 0, 0, 0)
    mine = rtcp.build(safe.phone.ssrc, "phone", info, (), bye=False)
    safe.phone.send(identified(safe.seal.protect_rtcp(mine), b"\0\7", suite, rtcp=True))
    safe.say(1)
    assert rig.bank._by_slot[0].last_report is not None


@pytest.mark.parametrize("wrong", [b"", b"\0\0\0\2", b"\1"])
def test_a_packet_without_its_identifier_is_refused(rig: Rig, wrong: bytes) -> None:
    safe = Safe(rig, mki=wrong)
    port = rig.open(safe.phone, srtp=keys(mki=b"\0\0\0\1"))
    safe.phone.send(b"\x80\x00\0")
    assert not safe.say(10).any()
    assert rig.bank._opener.refused[0] == 11
    rig.bank.update(port, {"srtp": keys(mki=wrong)})
    assert_heard(safe.say(20)[2 * 160 :], start=12 * 160)


def test_who_has_an_identifier_and_who_has_none_side_by_side(rig: Rig) -> None:
    kinds = [(SUITE, b""), ("AES_CM_128_HMAC_SHA1_32", b"\1\2\3"), ("AEAD_AES_128_GCM", b"\5")]
    safes = [Safe(rig, suite, mki=mki) for suite, mki in kinds]
    for row, (safe, (suite, mki)) in enumerate(zip(safes, kinds, strict=True)):
        rig.open(safe.phone, row=row, srtp=keys(suite, mki=mki))
    heard = []
    for _ in range(20):
        for safe in safes:
            safe.phone.send(safe.sealed(safe.phone.tone_packet()))
        heard.append(rig.tick()[:3])
    for row in range(3):
        assert_heard(np.concatenate([each[row] for each in heard]))


@pytest.mark.parametrize("wrapped", [False, True])
@pytest.mark.parametrize("anew", [False, True])
def test_another_key_of_theirs_in_the_middle_of_a_call(rig: Rig, wrapped: bool, anew: bool) -> None:
    """Their rollover count goes on as RFC 3711 has it, or begins anew; ours is not touched."""
    safe = Safe(rig)
    safe.phone.sequence = 65500 if wrapped else 100
    port = rig.open(safe.phone, srtp=keys())
    safe.say(50)
    rig.bank.update(port, {"srtp": keys(theirs="others")})
    policy = Policy(bytes(key(SUITE, "others")), Policy.SSRC_SPECIFIC, safe.phone.ssrc)
    safe.seal = pylibsrtp.Session(policy)
    if wrapped and not anew:
        libsrtp._native.srtp_set_stream_roc(address_of(safe.seal), safe.phone.ssrc, 1)
    assert_heard(safe.say(50)[3 * 160 :], start=53 * 160)
    assert len(safe.hears()) == 100


@pytest.mark.parametrize("suite", [SUITE, "AEAD_AES_128_GCM"])
@pytest.mark.parametrize("lag", [1, 10, 300])
def test_their_former_key_is_good_for_a_while(rig: Rig, suite: str, lag: int) -> None:
    """They go on with it until they have our answer; nothing of what they say is lost."""
    safe = Safe(rig, suite)
    safe.phone.sequence = 65530  # wraps before the change
    port = rig.open(safe.phone, srtp=keys(suite))
    safe.say(20)
    rig.bank.update(port, {"srtp": keys(suite, theirs="others", mki=b"\1")})
    assert_heard(safe.say(lag), start=20 * 160)
    others = bytes(key(suite, "others"))
    policy = Policy(others, Policy.SSRC_SPECIFIC, safe.phone.ssrc, PROFILES[suite])
    safe.seal, safe.mki = pylibsrtp.Session(policy), b"\1"
    libsrtp._native.srtp_set_stream_roc(address_of(safe.seal), safe.phone.ssrc, 1)
    assert_heard(safe.say(600), start=(20 + lag) * 160)
    assert rig.bank._opener.refused[0] == 0
    assert not rig.bank._opener._changing


def test_their_count_is_told_again_under_another_key(rig: Rig) -> None:
    """Else a restarted worker would not know it."""
    safe = Safe(rig)
    safe.phone.sequence = 65500
    port = rig.open(safe.phone, srtp=keys())
    safe.say(300)
    assert [each["rollover"] for each in rig.data("srtp_rollover")] == [1]
    rig.bank.update(port, {"srtp": keys(theirs="others")})
    others = bytes(key(SUITE, "others"))
    safe.seal = pylibsrtp.Session(Policy(others, Policy.SSRC_SPECIFIC, safe.phone.ssrc))
    libsrtp._native.srtp_set_stream_roc(address_of(safe.seal), safe.phone.ssrc, 1)
    safe.say(300)
    assert [each["rollover"] for each in rig.data("srtp_rollover")] == [1, 1]


def test_their_former_key_is_not_good_for_ever(rig: Rig) -> None:
    safe = Safe(rig)
    port = rig.open(safe.phone, srtp=keys())
    rig.bank.update(port, {"srtp": keys(theirs="others")})
    safe.say(TRANSITION + 20)
    assert rig.bank._opener.refused[0] == 20
    safe.change(SUITE, "ours", "others")
    heard = safe.say(50)
    assert_heard(heard[10 * 160 :], start=(TRANSITION + 30) * 160)


@pytest.mark.parametrize("suite", [SUITE, "AEAD_AES_128_GCM"])
@pytest.mark.parametrize("wrapped", [False, True])
@pytest.mark.parametrize("lag", [1, 2, 3, 4, 5, 16])
def test_their_key_changes_twice_before_they_use_it(
    rig: Rig, suite: str, wrapped: bool, lag: int
) -> None:
    """What they say under the first meanwhile is lost, and nothing after."""
    safe = Safe(rig, suite)
    safe.phone.sequence = 65530 if wrapped else 1000
    port = rig.open(safe.phone, srtp=keys(suite))
    safe.say(20)
    rig.bank.update(port, {"srtp": keys(suite, theirs="second")})
    rig.bank.update(port, {"srtp": keys(suite, theirs="third")})
    safe.say(lag)
    third = bytes(key(suite, "third"))
    policy = Policy(third, Policy.SSRC_SPECIFIC, safe.phone.ssrc, PROFILES[suite])
    safe.seal = pylibsrtp.Session(policy)
    libsrtp._native.srtp_set_stream_roc(address_of(safe.seal), safe.phone.ssrc, int(wrapped))
    heard = safe.say(100)
    assert_heard(heard[10 * 160 :], start=(30 + lag) * 160)
    assert rig.bank._opener.refused[0] == lag


def test_both_keys_change_at_once(rig: Rig) -> None:
    safe = Safe(rig)
    port = rig.open(safe.phone, srtp=keys())
    safe.say(20)
    fresh = {"ssrc": 0x7777, "started_at": rig.now}
    rig.bank.update(port, {"srtp": keys(ours="fresh", theirs="others"), **fresh})
    assert_heard(safe.say(5), start=20 * 160)
    safe.phone.received()
    safe.change(SUITE, "fresh", "others")
    assert_heard(safe.say(20), start=25 * 160)
    assert len(safe.hears()) == 20
    assert rig.bank._opener.refused[0] == 0


def test_another_key_of_ours_is_another_source_and_nothing_else_changes(rig: Rig) -> None:
    safe = Safe(rig)
    port = rig.open(safe.phone, srtp=keys())
    safe.say(20, level=1000.0)
    assert len(safe.hears()) == 20
    fresh = {"ssrc": 0x7777, "sequence": 500, "timestamp": 9000, "started_at": rig.now}
    rig.bank.update(port, {"srtp": keys(ours="fresh"), **fresh})
    (goodbye,) = [safe.unseal.unprotect_rtcp(each) for each in safe.phone.received_rtcp()]
    assert rtcp.Goodbye((0xABCD,)) in rtcp.parse(goodbye)
    inbound = Policy(bytes(key(SUITE, "fresh")), Policy.SSRC_ANY_INBOUND)
    safe.unseal = pylibsrtp.Session(inbound)
    packets = []
    for second in range(6):
        assert_heard(safe.say(50, level=1000.0), start=(20 + 50 * second) * 160)
        packets += safe.hears()
    heads = [(p[8:12].hex(), int.from_bytes(p[2:4], "big"), p[1] >> 7) for p in packets]
    assert heads == [("00007777", 500 + i, i == 0) for i in range(300)]
    reports = [safe.unseal.unprotect_rtcp(each) for each in safe.phone.received_rtcp()]
    counted = [each for report in reports for each in rtcp.parse(report)]
    assert counted
    assert all(each.ssrc == 0x7777 and each.sender.packets <= 300 for each in counted)
    assert rig.bank._numbers.packets[0] == 320
    assert rig.bank._opener.refused[0] == 0


def test_protection_may_begin_and_end(rig: Rig) -> None:
    safe = Safe(rig)
    port = rig.open(safe.phone)
    for _ in range(10):
        safe.phone.send(safe.phone.tone_packet())
        rig.tick()
    assert len(safe.phone.received()) == 10
    rig.bank.update(port, {"srtp": keys()})
    safe.say(10)
    sealed = safe.phone.received()
    assert [len(each) for each in sealed] == [182] * 10
    rig.bank.update(port, {"srtp": None})
    safe.phone.send(safe.phone.tone_packet())
    rig.tick()
    assert rig.bank._intake.sequences.received[0] == 21


def test_digits_are_protected(rig: Rig) -> None:
    safe = Safe(rig)
    port = rig.open(safe.phone, srtp=keys())
    safe.say(5)
    rig.bank.signal(port, {"dtmf": "5"})
    safe.say(20)
    packets = safe.hears()
    assert len(packets) == 25
    assert sum(packet[1] & 0x7F == 101 for packet in packets) == 7
    assert {packet[12] for packet in packets if packet[1] & 0x7F == 101} == {5}


@pytest.mark.parametrize("known", [1, 2, 0])
def test_a_restarted_worker_goes_on_after_the_numbers_wrapped(rig: Rig, known: int) -> None:
    """Their numbers have wrapped once; what the worker is told may be a little out of date."""
    safe = Safe(rig)
    safe.phone.sequence = 65500
    port = rig.open(safe.phone, srtp=keys())
    for _ in range(400):  # ours wrap after 6, theirs after 36
        safe.say(1)
    assert [each["rollover"] for each in rig.data("srtp_rollover")] == [1]
    safe.hears()
    rig.bank.signal(port, {"handover": True})
    rig.bank.close(port)
    began = rig.now - 400 * 0.02
    rig.open(safe.phone, port=port, srtp=keys(rollover=known), started_at=began)
    heard = safe.say(50)
    assert_heard(heard[4 * 160 :], start=404 * 160)
    assert len(safe.hears()) == 50, "they open what the new worker sends"
    reports = [safe.unseal.unprotect_rtcp(each) for each in safe.phone.received_rtcp()]
    assert reports
    safe.say(300)
    assert [safe.unseal.unprotect_rtcp(each) for each in safe.phone.received_rtcp()]


def test_another_source_begins_its_own_count(rig: Rig) -> None:
    safe = Safe(rig)
    safe.phone.sequence = 65500
    rig.open(safe.phone, srtp=keys())
    safe.say(60)
    safe.phone.ssrc, safe.phone.sequence = 0x9999, 20
    assert_heard(safe.say(50)[2 * 160 :], start=62 * 160)


def test_keys_are_checked_and_never_shown(rig: Rig) -> None:
    shown = repr(keys()) + repr(rig.phone())
    assert key(SUITE, "ours").hex() not in shown
    assert "Secret(…)" in shown
    with pytest.raises(BankError, match="keys of 30 bytes"):
        SrtpKeys(SUITE, Secret(bytes(16)), Secret(bytes(16)))
    with pytest.raises(BankError, match="unknown suite"):
        SrtpKeys("AES_256", Secret(bytes(16)), Secret(bytes(16)))


def test_two_ports_of_different_suites_and_one_in_the_clear(rig: Rig) -> None:
    safes = [Safe(rig, suite) for suite in ("AES_CM_128_HMAC_SHA1_32", "AEAD_AES_128_GCM")]
    for row, (safe, suite) in enumerate(
        zip(safes, ("AES_CM_128_HMAC_SHA1_32", "AEAD_AES_128_GCM"), strict=True)
    ):
        rig.open(safe.phone, row=row, srtp=keys(suite))
    clear: Phone = rig.phone()
    rig.open(clear, row=2)
    heard = []
    for _ in range(30):
        for safe in safes:
            safe.phone.send(safe.seal.protect(safe.phone.tone_packet()))
        clear.send(clear.tone_packet())
        heard.append(rig.tick(np.full(160, 700.0))[:3])
    for row in range(3):
        assert_heard(np.concatenate([each[row] for each in heard]))
    assert [len(safe.hears()) for safe in safes] == [30, 30]
    assert len(clear.received()) == 30
