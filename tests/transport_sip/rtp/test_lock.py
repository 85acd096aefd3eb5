"""Whose packets count: the lock by itself, and the sockets it moves."""

from __future__ import annotations

import socket

import numpy as np
import pytest

from hookswitch_transport_sip.rtp.endpoint import dissolve
from hookswitch_transport_sip.rtp.lock import FORMER_RUN, Heard, LockState, SourceLock

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


@pytest.mark.parametrize(("hint", "needed"), [(None, 3), (NAT[0], 2)])
def test_another_address_must_send_in_sequence(hint: str | None, needed: int) -> None:
    lock = SourceLock(SDP, hint, 8000)
    assert lock.destination == SDP
    for i in range(needed - 1):
        assert not lock.offer(NAT, heard(65535 + i))
    assert lock.offer(NAT, heard(65535 + needed - 1))
    assert lock.locked == lock.destination == NAT


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
    rig.open(phone, remote=("192.0.2.55", 40000), signalling_ip=None)
    speak(phone, rig, 5)
    assert rig.data("rtp_locked") == [{"host": phone.address[0], "port": phone.address[1]}]
    assert phone.received()
    assert rig.bank._intake.sequences.received[0] == 3


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
