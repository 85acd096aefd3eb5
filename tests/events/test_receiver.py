"""The scheduling of one receiver, without a network: time is a number."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from hookswitch.events.backoff import BackOff
from hookswitch.events.lane import Lane
from hookswitch.events.outcome import Outcome
from hookswitch.events.receiver import Receiver
from hookswitch.events.record import Record, WebhookTarget

URL = "http://receiver/"
OK, ERROR, DEAD = Outcome(status=200), Outcome(status=500), Outcome(error="refused")
EXACT = BackOff(random=lambda: 0.0)


def record(cursor: int, lane: str) -> Record:
    return Record(cursor, "id", None, b"{}", lane, 0.0, WebhookTarget(URL))


def receiver(lanes: str = "", **options: int) -> Receiver:
    made = Receiver(URL, backoff=EXACT, **options)
    for cursor, lane in enumerate(lanes, 1):
        made.offer(record(cursor, lane))
    return made


def take(made: Receiver, now: float = 0.0) -> Lane:
    lane = made.take(now)
    assert lane is not None
    return lane


def finish(made: Receiver, lane: Lane, outcome: Outcome, now: float = 0.0) -> None:
    if outcome.delivered:
        made.ended(lane, lane.queue[0])
    else:
        made.failed(lane, outcome, now)


def test_one_event_of_a_lane_at_a_time() -> None:
    made = receiver("aab")
    first, second = take(made), take(made)
    assert (first.key, second.key) == ("a", "b")
    assert made.take(0.0) is None
    finish(made, first, OK)
    assert take(made).queue[0].cursor == 2


def test_no_more_at_once_than_allowed() -> None:
    made = receiver("abcdef", concurrency=4)
    lanes = [take(made) for _ in range(4)]
    assert made.take(0.0) is None
    finish(made, lanes[0], OK)
    assert take(made).key == "e"


def test_a_failed_event_waits_and_holds_up_only_its_lane() -> None:
    made = receiver("aab")
    finish(made, take(made), ERROR)
    finish(made, take(made), OK)
    assert made.take(0.4) is None
    assert made.next_timer() == 0.5
    again = take(made, 0.5)
    assert again.queue[0].cursor == 1
    finish(made, again, ERROR, 0.5)
    assert made.next_timer() == 1.5


def test_an_unreachable_receiver_is_probed_with_growing_pauses() -> None:
    made = receiver("abcdefgh", concurrency=4)
    lanes = [take(made) for _ in range(4)]
    for lane in lanes:
        finish(made, lane, DEAD)
    assert made.down
    pauses, now = [], 0.0
    for _ in range(5):
        timer = made.next_timer()
        assert timer is not None
        pauses.append(timer - now)
        now = timer
        probe = take(made, now)
        assert made.take(now) is None
        finish(made, probe, DEAD, now)
    assert pauses == [0.5, 1.0, 2.0, 4.0, 8.0]


def test_a_success_releases_all() -> None:
    made = receiver("abcdef")
    for lane in [take(made) for _ in range(6)]:
        finish(made, lane, DEAD)
    finish(made, take(made, 0.5), DEAD, 0.5)
    finish(made, take(made, 1.5), OK, 1.5)
    assert not made.down
    assert len({take(made, 1.5).key for _ in range(5)}) == 5
    assert made.pending == 5


def test_several_failing_lanes_count_as_down() -> None:
    made = receiver("abcdef", concurrency=1)
    for _ in range(2):
        finish(made, take(made), ERROR)
    assert made.next_timer() == 0.5, "each for itself"
    assert [lane.key for lane in [take(made)]] == ["c"]
    finish(made, made.lanes["c"], ERROR)
    assert made.down
    assert made.take(0.4) is None


def test_a_bad_event_does_not_keep_a_receiver_down() -> None:
    made = receiver("a")
    now = 0.0
    for cursor in range(2, 8):
        finish(made, take(made, now), DEAD, now)
        made.offer(record(cursor, f"good{cursor}"))
        now = made.next_timer() or now
        good = take(made, now)
        assert good.key == f"good{cursor}"
        finish(made, good, OK, now)
        assert not made.down
        now = made.next_timer() or now


def test_retry_after_is_honoured() -> None:
    made = receiver("ab", concurrency=1)
    finish(made, take(made), Outcome(status=429, retry_after=30.0))
    assert made.next_timer() == 30.0
    assert made.take(29.9) is None
    assert take(made, 30.0)


def test_memory_is_bounded() -> None:
    made = receiver(max_lanes=10, max_held=20)
    for cursor in range(1, 100_001):
        made.offer(record(cursor, f"lane{cursor % 5000}"))
    assert made.pending == 100_000
    assert len(made.lanes) == 10
    assert sum(len(lane.queue) for lane in made.lanes.values()) == made.held <= 20


def test_expired_events_are_forgotten_but_not_the_one_under_way() -> None:
    made = receiver("aaab")
    lane = take(made)
    made.forget(4, 4)
    assert [r.cursor for r in lane.queue] == [1]
    finish(made, lane, ERROR)
    made.forget(0, 4)
    assert made.take(10.0) is None
    assert made.idle


class Simulation:
    """A receiver, its store, and a far end that fails as it likes."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.made = Receiver(URL, backoff=EXACT, concurrency=3, max_lanes=4, max_held=6)
        self.stored: dict[int, Record] = {}
        self.delivered: list[Record] = []
        self.cursor = 0
        self.now = 0.0
        self.busy: list[Lane] = []

    def emit(self, lane: str) -> None:
        self.cursor += 1
        self.stored[self.cursor] = record(self.cursor, lane)
        self.made.offer(self.stored[self.cursor])

    def step(self) -> None:
        if self.made.wants_scan:
            known = self.made.skipped
            rows = [(c, r.lane) for c, r in self.stored.items() if c > self.made.scanned][:3]
            if self.random.random() < 0.3:
                self.emit(self.random.choice("abcdefgh"))  # while the store is read
            self.made.scan(rows, known if len(rows) < 3 else 0)
        while lane := self.made.take(self.now):
            if not lane.queue:
                self.load(lane)
            if lane.queue:
                self.busy.append(lane)
            else:
                self.made.nothing(lane)
        assert len(self.busy) <= 3
        if self.busy:
            self.finish(self.busy.pop(self.random.randrange(len(self.busy))))
        else:
            self.now = max(self.now, self.made.next_timer() or self.now)

    def load(self, lane: Lane) -> None:
        known, limit = lane.newest, min(2, self.made.room)
        found = [r for c, r in self.stored.items() if c > lane.last and r.lane == lane.key]
        if self.random.random() < 0.3:
            self.emit(lane.key)
        self.made.loaded(lane, found[:limit], known if len(found) < limit else 0)

    def finish(self, lane: Lane) -> None:
        outcome = self.random.choice([OK, OK, ERROR, DEAD])
        if outcome is OK:
            self.delivered.append(lane.queue[0])
            del self.stored[lane.queue[0].cursor]
        finish(self.made, lane, outcome, self.now)


@settings(max_examples=500, deadline=None)
@given(lanes=st.text("abcdefgh", max_size=60), seed=st.integers(0, 2**32))
def test_everything_is_delivered_once_and_in_order(lanes: str, seed: int) -> None:
    world = Simulation(seed)
    for lane in lanes:
        world.emit(lane)
        if world.random.random() < 0.5:
            world.step()
    for _ in range(5000):
        if world.made.idle and not world.busy:
            break
        world.step()
    assert world.made.idle
    assert (world.made.pending, world.made.held, world.stored) == (0, 0, {})
    cursors = [r.cursor for r in world.delivered]
    assert sorted(cursors) == list(range(1, world.cursor + 1))
    for lane in "abcdefgh":
        of_lane = [r.cursor for r in world.delivered if r.lane == lane]
        assert of_lane == sorted(of_lane)
