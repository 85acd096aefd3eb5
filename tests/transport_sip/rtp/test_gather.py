"""Packets read ahead of the tick: heard like those the tick reads itself, by the right port."""

from __future__ import annotations

import numpy as np

from .conftest import Rig, tone


def test_what_was_gathered_is_heard_in_the_next_tick(rig: Rig) -> None:
    phone = rig.phone()
    rig.open(phone)
    heard = []
    for number in range(50):
        phone.send(phone.tone_packet())
        if number % 3:
            rig.bank.gather(rig.now)
        heard.append(rig.tick()[0])
    audio, sent = np.concatenate(heard), tone(500, 0, 8000)
    assert np.abs(audio[160:] - sent[160:]).max() < 300


def test_two_packets_of_one_port_one_gathered_and_one_not(rig: Rig) -> None:
    phone = rig.phone()
    rig.open(phone, jitter_ms=40)
    heard = []
    for _ in range(20):
        phone.send(phone.tone_packet())
        rig.bank.gather(rig.now)
        phone.send(phone.tone_packet())
        rig.bank.gather(rig.now)
        heard += [rig.tick()[0], rig.tick()[0]]
    audio, sent = np.concatenate(heard), tone(500, 0, 6400)
    assert np.abs(audio[160:] - sent[160:]).max() < 300


def test_what_was_gathered_of_a_closed_port_is_heard_by_nobody(rig: Rig) -> None:
    old, other = rig.phone(), rig.phone()
    closed = rig.open(old, row=0)
    rig.open(other, row=1)
    for _ in range(5):
        old.send(old.tone_packet())
        other.send(other.tone_packet())
        rig.tick()
    old.send(old.tone_packet())
    other.send(other.tone_packet())
    rig.bank.gather(rig.now)
    rig.bank.close(closed)
    new = rig.phone()
    rig.open(new, row=0)
    inputs = rig.tick()
    assert not inputs[0].any()
    assert inputs[1].any()
