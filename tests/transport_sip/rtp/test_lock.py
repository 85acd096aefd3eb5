"""Whose packets count: the lock by itself, and the sockets it moves."""

from __future__ import annotations

import socket

import numpy as np
import pytest

from hookswitch_transport_sip.rtp.endpoint import dissolve
from hookswitch_transport_sip.rtp.lock import (
    ALONE_S,
    BETTER_RUN,
    FORMER_RUN,
    Heard,
    LockState,
    SourceLock,
)
from hookswitch_transport_sip.rtp.params import Address

from .conftest import Phone, Rig

SDP = ("192.0.2.1", 4000)
NAT = ("203.0.113.9", 31000)
STRANGER = ("198.51.100.66", 6666)


def heard(sequence: int, ssrc: int = 1, at: float = 0.0) -> Heard:
    return Heard(ssrc, sequence & 0xFFFF, sequence * 160 & 0xFFFFFFFF, at)


def locked(signalling_ip: str | None = None) -> SourceLock:
    lock = SourceLock(SDP, signalling_ip, 8000)
    assert lock.offer(SDP, heard(1))
    return lock


def test_the_signalled_address_locks_at_once() -> None:
    lock = locked()
    assert lock.locked == lock.destination == SDP
    assert not lock.offer(STRANGER, heard(2))
    assert lock.offer(SDP, heard(9))


def talk(lock: SourceLock, source: Address, count: int, at: float = 0.0, ssrc: int = 1) -> int:
    """Offer packets of 20 ms each; how many were accepted."""
    return sum(lock.offer(source, heard(i, ssrc, at + i / 50)) for i in range(count))


@pytest.mark.parametrize(("sdp", "hint"), [(SDP, NAT[0]), ((NAT[0], 4000), None)])
def test_another_address_of_a_known_host_locks_almost_at_once(
    sdp: Address, hint: str | None
) -> None:
    lock = SourceLock(sdp, hint, 8000)
    assert lock.destination == sdp
    assert not lock.offer(NAT, heard(65535))
    assert lock.offer(NAT, heard(65536))
    assert lock.locked == lock.destination == NAT


def test_who_is_unknown_must_go_on_for_a_while() -> None:
    lock = SourceLock(SDP, None, 8000)
    assert talk(lock, STRANGER, int(ALONE_S * 50)) == 0
    assert lock.destination == SDP
    assert talk(lock, NAT, 20, at=10.0) == 5
    assert lock.locked == lock.destination == NAT


def test_a_burst_is_no_while() -> None:
    lock = SourceLock(SDP, None, 8000)
    assert not any(lock.offer(STRANGER, heard(i, at=1.0)) for i in range(100))


def test_losses_do_not_begin_the_while_anew() -> None:
    lock = SourceLock(SDP, None, 8000)
    for i in range(30):
        if i % 5 and lock.offer(NAT, heard(i, at=i / 50)):
            break
    assert lock.locked == NAT
    assert i < 20


def test_two_strangers_keep_each_other_out() -> None:
    lock = SourceLock(SDP, None, 8000)
    for i in range(100):
        assert not lock.offer(STRANGER, heard(i, 1, i / 50))
        assert not lock.offer(NAT, heard(i, 2, i / 50))
    assert lock.destination == SDP
    assert talk(lock, NAT, 20, at=10.0) > 0


def test_the_signalled_address_wins_over_a_candidate() -> None:
    lock = SourceLock(SDP, None, 8000)
    talk(lock, STRANGER, 10)
    assert lock.offer(SDP, heard(1, ssrc=9, at=0.2))
    assert talk(lock, STRANGER, 100, at=0.2) == 0
    assert lock.locked == SDP
    assert lock.is_final


@pytest.mark.parametrize("silent", [False, True])
@pytest.mark.parametrize("better", [SDP, (SDP[0], 4444), NAT])
def test_better_standing_takes_a_lock_over(better: Address, silent: bool) -> None:
    """Whatever its SSRC, whether the stranger goes on or not."""
    lock = SourceLock(SDP, NAT[0], 8000)
    talk(lock, STRANGER, 20)
    assert lock.locked == STRANGER
    assert not lock.is_final
    if silent:
        lock.lose(heard(20, at=0.4))
    assert talk(lock, better, BETTER_RUN - 1, at=3.0, ssrc=77) == 0
    assert lock.destination == STRANGER
    assert talk(lock, better, BETTER_RUN, at=3.1, ssrc=77) == 1
    assert lock.locked == lock.destination == better
    assert talk(lock, STRANGER, 100, at=4.0) == 0


def test_a_lock_is_taken_over_by_nobody_else() -> None:
    lock = SourceLock(SDP, NAT[0], 8000)
    assert talk(lock, NAT, 10) == 9
    assert talk(lock, STRANGER, 100) == 0
    assert talk(lock, (NAT[0], 9999), 100) == 0
    lock.lose(heard(10, at=0.2))
    assert talk(lock, STRANGER, 100, at=3.0, ssrc=5) == 0
    assert lock.locked == NAT


def test_strangers_in_turn_do_not_push_out_a_candidate() -> None:
    lock = SourceLock(SDP, None, 8000)
    for i in range(30):
        if lock.offer(NAT, heard(i, at=i / 50)):
            break
        for k in range(20):
            lock.offer(("198.51.100.1", 1000 + i * 20 + k), heard(1, 3, i / 50))
    assert lock.locked == NAT


def test_an_authenticated_packet_is_proof() -> None:
    """Of SRTP only packets that open are offered."""
    lock = SourceLock(SDP, None, 8000, authenticated=True)
    assert lock.offer(NAT, heard(1))
    assert lock.is_final
    assert talk(lock, SDP, 10) == 0
    lock.lose(heard(1))
    assert lock.offer(SDP, heard(7, ssrc=9, at=9.0))


def test_keys_open_the_search_for_whom_they_prove() -> None:
    lock = SourceLock(SDP, None, 8000)
    talk(lock, STRANGER, 20)
    assert lock.renegotiate(SDP, None, authenticated=True)
    assert lock.offer(NAT, heard(1, ssrc=9, at=5.0))
    assert lock.locked == NAT
    assert not lock.renegotiate(SDP, None, authenticated=True)


def test_hold_does_not_open_the_search() -> None:
    lock = SourceLock(SDP, NAT[0], 8000)
    talk(lock, NAT, 3)
    assert not lock.renegotiate(None, NAT[0])
    assert talk(lock, STRANGER, 100, ssrc=9) == 0
    assert not lock.renegotiate(SDP, NAT[0])
    assert lock.destination == NAT


def test_what_another_lock_had_learned_is_believed() -> None:
    lock = SourceLock(SDP, None, 8000, learned=NAT)
    assert lock.destination == NAT
    assert talk(lock, STRANGER, 5) == 0
    assert lock.offer(NAT, heard(1, ssrc=3))
    assert talk(lock, SDP, BETTER_RUN, ssrc=4) == 1


def test_packets_out_of_sequence_never_lock() -> None:
    lock = SourceLock(SDP, None, 8000)
    for i in range(100):
        assert not lock.offer(STRANGER, heard(i * 7))
        assert not lock.offer(STRANGER, heard(i, ssrc=i))
    assert lock.state is LockState.SEARCHING


def test_many_strangers_cannot_push_out_the_peer() -> None:
    lock = SourceLock(SDP, None, 8000)
    for i in range(1000):
        lock.offer(("198.51.100.1", 1000 + i), heard(i))
    assert lock.offer(SDP, heard(1))


def test_new_sdp_with_another_address_opens_the_search() -> None:
    lock, moved = locked(), ("192.0.2.77", 5000)
    assert not lock.renegotiate(SDP, None)
    assert lock.renegotiate(moved, None)
    assert lock.destination == moved
    assert lock.offer(SDP, heard(2))
    assert lock.state is LockState.SEARCHING
    assert lock.offer(moved, heard(1, ssrc=9))
    assert not lock.offer(SDP, heard(3))


def test_the_former_source_wins_if_it_just_goes_on() -> None:
    lock = SourceLock(SDP, NAT[0], 8000)
    lock.offer(NAT, heard(1))
    assert lock.offer(NAT, heard(2))
    assert lock.renegotiate(("10.0.0.9", 4002), NAT[0])
    assert lock.destination == NAT
    for i in range(FORMER_RUN):
        assert lock.offer(NAT, heard(3 + i))
    assert lock.state is LockState.LOCKED


def test_after_silence_the_same_stream_may_come_from_elsewhere() -> None:
    lock = locked()
    lock.lose(heard(100, at=10.0))
    assert lock.destination == SDP
    for i in range(20):
        assert not lock.offer(STRANGER, heard(150 + i, ssrc=2, at=12.0))
        assert not lock.offer(STRANGER, heard(30000 + i, at=12.0))
    for i in range(2):
        assert not lock.offer(NAT, heard(200 + i, at=12.0 + i / 50))
    assert lock.offer(NAT, heard(202, at=12.04))
    assert lock.locked == NAT


def test_after_silence_the_source_itself_may_return() -> None:
    lock = locked()
    lock.lose(heard(100, at=10.0))
    assert lock.offer(SDP, heard(5, ssrc=77, at=20.0))
    assert lock.state is LockState.LOCKED


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
@pytest.mark.parametrize("host", ["loopback", "any"])
def test_disconnecting_keeps_the_port(family: int, host: str) -> None:
    six = family == socket.AF_INET6
    name = ("::1" if six else "127.0.0.1") if host == "loopback" else ("::" if six else "0.0.0.0")
    ours, peer, other = Phone(family), Phone(family), Phone(family)
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.bind((name, 0))
        sock.setblocking(False)
        port = sock.getsockname()[1]
        sock.connect(peer.address)
        dissolve(sock)
        assert sock.getsockname()[1] == port
        other.rtp.sendto(b"hello", (peer.address[0], port))
        assert sock.recv(100) == b"hello"
    for phone in (ours, peer, other):
        phone.close()


def speak(phone: Phone, rig: Rig, count: int = 1) -> np.ndarray:
    for _ in range(count):
        phone.send(phone.tone_packet())
        rows = rig.tick()
    return rows


def test_a_stranger_changes_nothing(rig: Rig) -> None:
    phone, stranger = rig.phone(), rig.phone(ssrc=0x1234)
    rig.open(phone)
    stranger.target = phone.target
    speak(phone, rig)
    stranger.sequence, stranger.timestamp = phone.sequence + 5, phone.timestamp + 800
    for _ in range(100):
        for _ in range(3):
            stranger.send(stranger.packet(np.full(160, 20000, np.int16)))
        rows = speak(phone, rig)
        assert 7000 < np.abs(rows[0]).max() < 9000
    assert stranger.received() == []
    assert rig.kinds().count("rtp_locked") == 1
    assert rig.bank._intake.sequences.received[0] == 101


def test_a_peer_behind_nat_is_found(rig: Rig) -> None:
    phone = rig.phone()
    rig.open(phone, remote=("192.0.2.55", 40000), signalling_ip=phone.address[0])
    rows = speak(phone, rig, 5)
    assert rig.data("rtp_locked") == [{"host": phone.address[0], "port": phone.address[1]}]
    assert phone.received()
    assert rig.bank._intake.sequences.received[0] == 4
    assert np.abs(rows[0]).max() > 7000


def test_a_peer_that_nobody_named_is_found_later(rig: Rig) -> None:
    phone = rig.phone()
    rig.open(phone, remote=("192.0.2.55", 40000), signalling_ip=None)
    speak(phone, rig, 10)
    assert phone.received() == []
    speak(phone, rig, 10)
    assert rig.data("rtp_locked") == [{"host": phone.address[0], "port": phone.address[1]}]
    assert phone.received()


@pytest.mark.parametrize("mux", [False, True])
@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
@pytest.mark.parametrize("known", [False, True], ids=["unknown", "signalling"])
def test_who_came_first_gives_way_to_the_phone(
    rig: Rig, known: bool, family: socket.AddressFamily, mux: bool
) -> None:
    """The stranger talks on, all the time; each tick, from before the phone says anything."""
    phone, stranger = rig.phone(family=family), rig.phone(family=family, ssrc=0x999)
    if family == socket.AF_INET:
        stranger.move("127.0.0.2")
    signalling = stranger.address[0] if known else None
    port = rig.open(phone, signalling_ip=signalling, rtcp_mux=mux)
    stranger.target = phone.target
    speak(stranger, rig, 100)
    assert rig.data("rtp_locked")[0]["port"] == stranger.address[1]
    assert len(stranger.received()) > 50
    phone.received()
    for i in range(50):
        for _ in range(20):
            stranger.send(stranger.tone_packet())
        rows = speak(phone, rig)
        if i > 10:
            assert 7000 < np.abs(rows[0]).max() < 9000
    assert rig.data("rtp_locked")[1:] == [{"host": phone.address[0], "port": phone.address[1]}]
    assert len(phone.received()) > 45
    stranger.received()
    speak(stranger, rig, 30)
    assert stranger.received() == []
    endpoint = rig.bank._known(port).endpoint
    assert endpoint.connected
    assert endpoint.settled


def test_a_phone_that_is_no_longer_where_it_was_is_not_shut_out(rig: Rig) -> None:
    """Strangers at a port that is open for its phone cost that phone nothing."""
    phone, stranger = rig.phone(), rig.phone(ssrc=0x999)
    stranger.move("127.0.0.2")
    port = rig.open(phone, remote=("192.0.2.55", 40000), signalling_ip=phone.address[0])
    stranger.target = phone.target
    speak(phone, rig, 5)
    endpoint = rig.bank._known(port).endpoint
    assert not endpoint.connected
    for _ in range(100):
        for _ in range(40):
            stranger.send(stranger.tone_packet())
        rows = speak(phone, rig)
        assert 7000 < np.abs(rows[0]).max() < 9000
    assert not rig.bank._watched.any()
    assert rig.bank._intake.sequences.received[0] == 104
    assert stranger.received() == []


def test_a_restarted_worker_goes_on_with_the_same_source(rig: Rig) -> None:
    phone, stranger = rig.phone(), rig.phone(ssrc=0x999)
    stranger.move("127.0.0.2")
    rig.open(phone, remote=("192.0.2.55", 40000), signalling_ip=None, learned=phone.address)
    stranger.target = phone.target
    speak(stranger, rig, 5)
    assert len(phone.received()) == 5
    speak(phone, rig, 5)
    assert rig.bank._intake.sequences.received[0] == 5


def test_without_sdp_nothing_is_sent_until_somebody_is_heard(rig: Rig) -> None:
    phone = rig.phone()
    port = rig.open(phone, remote=None, remote_rtcp=None)
    rig.tick()
    assert phone.received() == []
    rig.bank.update(port, {"remote": phone.address})
    rig.tick()
    assert len(phone.received()) == 1


def test_the_same_stream_from_a_new_port_after_silence(rig: Rig) -> None:
    phone, moved = rig.phone(), rig.phone()
    rig.open(phone)
    moved.target = phone.target
    speak(phone, rig, 10)
    for _ in range(100):
        rig.tick()
    moved.sequence, moved.timestamp = phone.sequence + 90, phone.timestamp + 90 * 160
    moved.received()
    rows = speak(moved, rig, 12)
    assert np.abs(rows[0]).max() > 7000
    assert len(moved.received()) >= 8
    assert rig.kinds().count("rtp_locked") == 2


def test_an_update_moves_the_call(rig: Rig) -> None:
    phone, other = rig.phone(), rig.phone(ssrc=0x77, sequence=9000)
    port = rig.open(phone)
    other.target = phone.target
    speak(phone, rig, 5)
    rig.bank.update(port, {"remote": other.address})
    rows = speak(other, rig, 5)
    assert np.abs(rows[0]).max() > 7000
    assert len(other.received()) == 5
    speak(phone, rig, 5)
    assert rig.bank._intake.sequences.received[0] == 10


def test_who_was_heard_is_still_sent_to_in_silence(rig: Rig) -> None:
    """And a stranger who goes on meanwhile gets nothing."""
    phone, stranger = rig.phone(), rig.phone(ssrc=0x999)
    stranger.move("127.0.0.2")
    rig.open(phone)
    stranger.target = phone.target
    speak(stranger, rig, 30)
    speak(phone, rig, 5)
    phone.received(), stranger.received()
    for _ in range(200):
        speak(stranger, rig)
    assert len(phone.received()) == 200
    assert stranger.received() == []
