"""What a listener hears when the network loses, repeats, delays and reorders, or the peer jumps."""

from __future__ import annotations

import numpy as np
import pytest

from .conftest import Phone, Rig, tone

STEEPEST = 8000 * 2 * np.pi * 500 / 8000


def packets(phone: Phone, count: int, size: int = 160) -> list[bytes]:
    return [phone.tone_packet(size) for _ in range(count)]


def listen(rig: Rig, phone: Phone, ticks: list[list[bytes]]) -> np.ndarray:
    """Send the packets of each tick; returns all that was heard in row 0."""
    heard = []
    for batch in ticks:
        for data in batch:
            phone.send(data)
        heard.append(rig.tick()[0])
    return np.concatenate(heard)


def silent_frames(audio: np.ndarray) -> int:
    """Frames, after the first sound, in which more than half is silence."""
    start = int(np.argmax(audio != 0)) // 160 * 160
    frames = audio[start:].reshape(-1, 160)
    return int(((np.abs(frames) < 50).mean(axis=1) > 0.5).sum())


def assert_no_click(audio: np.ndarray) -> None:
    # Cross-fades and mirrored fades add slope; a click would be a jump of thousands.
    assert np.abs(np.diff(audio)).max() < STEEPEST * 1.35


def test_packets_on_the_edge_of_the_tick_cost_one_frame(rig: Rig) -> None:
    phone = rig.phone()
    rig.open(phone)
    each = packets(phone, 301)
    ticks: list[list[bytes]] = [[each[0]], []]
    ticks += [[each[i + 1], each[i + 2]] if i % 2 == 0 else [] for i in range(298)]
    audio = listen(rig, phone, ticks)
    assert silent_frames(audio) == 0, "the frame that is missing once is made up"
    assert_no_click(audio)
    lane = rig.bank._media.lanes[8000]
    assert (lane.playout.underruns[0], lane.playout.dropped[0]) == (1, 0)


@pytest.mark.parametrize("jitter_ms", [0, 40])
def test_what_was_lost_is_made_up_and_no_longer_than_it_was(rig: Rig, jitter_ms: int) -> None:
    phone = rig.phone()
    rig.open(phone, jitter_ms=jitter_ms)
    dice = np.random.default_rng(6)
    lost = dice.random(300) < 0.05
    lost[:5] = lost[-5:] = False
    ticks = [[] if gone else [data] for gone, data in zip(lost, packets(phone, 300), strict=True)]
    audio = listen(rig, phone, ticks)
    assert silent_frames(audio) == 0
    assert_no_click(audio)
    delay = max(jitter_ms // 20 - 1, 0) * 160
    kept = [i for i in range(1, 290) if not lost[i] and not lost[i - 1]]
    for i in kept:
        span = slice(i * 160 + delay, i * 160 + 160 + delay)
        assert np.abs(audio[span] - tone(500, i * 160, 160)).max() < 300


def test_duplicates_are_not_heard_twice(rig: Rig) -> None:
    phone = rig.phone()
    rig.open(phone)
    audio = listen(rig, phone, [[data, data] for data in packets(phone, 100)])
    assert np.abs(audio[80:] - tone(500, 80, 15920)).max() < 300
    assert rig.bank._intake.sequences.duplicates[0] == 100


def test_reordering_within_the_jitter_buffer_is_not_heard(rig: Rig) -> None:
    phone = rig.phone(sequence=65500)
    rig.open(phone, jitter_ms=60)
    each = packets(phone, 120)
    ticks: list[list[bytes]] = []
    for i in range(0, 120, 3):
        ticks += [[each[i]], [each[i + 2]], [each[i + 1]]]
    audio = listen(rig, phone, ticks)
    assert silent_frames(audio) == 0
    assert np.abs(audio[240:] - tone(500, 80, 120 * 160 - 240)).max() < 300
    assert_no_click(audio)
    assert rig.bank._media.lanes[8000].ring.late[0] == 0


def test_packets_that_come_too_late_are_counted(rig: Rig) -> None:
    phone = rig.phone()
    rig.open(phone, jitter_ms=40)
    each = packets(phone, 60)
    ticks = [[data] for data in each]
    ticks[20] = []
    ticks[40].append(each[20])
    listen(rig, phone, ticks)
    assert rig.bank._media.lanes[8000].ring.late[0] == 1


@pytest.mark.parametrize("jump", [2**31 + 160, -(2**30), 5 * 8000, -3 * 8000])
def test_a_jump_of_timestamps_loses_nothing(rig: Rig, jump: int) -> None:
    phone = rig.phone()
    rig.open(phone)
    first = packets(phone, 50)
    phone.timestamp += jump
    audio = listen(rig, phone, [[data] for data in first + packets(phone, 50)])
    assert np.abs(audio[80:] - tone(500, 80, 15920)).max() < 300


@pytest.mark.parametrize("what", ["ssrc", "sequence"])
def test_a_restarted_sender_loses_one_packet(rig: Rig, what: str) -> None:
    phone = rig.phone()
    rig.open(phone)
    first = packets(phone, 50)
    if what == "ssrc":
        phone.ssrc += 1
    phone.sequence += 20000
    phone.timestamp += 123456789
    audio = listen(rig, phone, [[data] for data in first + packets(phone, 50)])
    assert silent_frames(audio) == 0
    assert np.abs(audio[52 * 160 :] - tone(500, 52 * 160, 48 * 160)).max() < 300


def test_a_pause_of_the_sender_adds_no_delay(rig: Rig) -> None:
    phone = rig.phone()
    rig.open(phone)
    each = packets(phone, 200)
    ticks = [[] if 50 <= i < 90 else [data] for i, data in enumerate(each)]
    audio = listen(rig, phone, ticks)
    assert np.abs(audio[91 * 160 :] - tone(500, 91 * 160, 109 * 160)).max() < 300
    assert_no_click(audio)


def test_a_burst_beyond_the_maximum_is_cut(rig: Rig) -> None:
    phone = rig.phone()
    rig.open(phone, jitter_max_ms=100)
    each = packets(phone, 200)
    ticks = [[data] for data in each[:50]] + [[] for _ in range(12)] + [each[50:62]]
    ticks += [[data] for data in each[62:200]]
    audio = listen(rig, phone, ticks)
    assert_no_click(audio)
    lane = rig.bank._media.lanes[8000]
    assert lane.ring.head[0] - lane.ring.play[0] <= 12
    assert lane.playout.dropped[0] >= 9
