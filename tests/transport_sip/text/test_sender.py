"""Writing text: how soon, how often, how fast."""

from __future__ import annotations

import random

import pytest

from hookswitch_transport_sip.text.packets import TextPacket
from hookswitch_transport_sip.text.redundancy import RedundantPayload
from hookswitch_transport_sip.text.sender import (
    MOST_WAITING,
    FirstNumbers,
    SendFormat,
    TextSender,
    TooMuchText,
)

RED = SendFormat(98, 99)
BOM = "\ufeff".encode()


class Writer:
    """A sender in virtual time; keeps what it sent as (time, packet)."""

    def __init__(self, form: SendFormat = RED, began: float = 50.0) -> None:
        self.now = began
        self.sender = TextSender(FirstNumbers(7, 65534, 2**32 - 100), form, began)
        self.sent: list[tuple[float, TextPacket]] = []
        self._collect()

    def write(self, text: str) -> None:
        self.sender.write(text, self.now)
        self._collect()

    def run(self, seconds: float) -> None:
        """Let time pass, timer by timer."""
        end = self.now + seconds
        while (due := self.sender.next_timer()) <= end:
            self.now = max(due, self.now)
            self.sender.handle_timer(self.now)
            self._collect()
        self.now = end

    def blocks(self) -> list[list[str]]:
        """The texts of each packet, its own last."""
        read = [RedundantPayload.unpack(p.payload, (98,)) for _, p in self.sent]
        return [[*(b.text.decode() for b in r.earlier), r.primary.decode()] for r in read if r]

    def _collect(self) -> None:
        for data in self.sender.to_send():
            packet = TextPacket.unpack(data)
            assert packet is not None
            self.sent.append((self.now, packet))


def test_it_begins_with_a_byte_order_mark_three_times() -> None:
    writer = Writer()
    writer.run(5)
    mark = "\ufeff"
    assert writer.blocks() == [["", "", mark], ["", mark, ""], [mark, "", ""]]
    assert [round(at - 50, 3) for at, _ in writer.sent] == [0, 0.3, 0.6]


def test_text_is_collected_for_300_ms_and_repeated_twice() -> None:
    writer = Writer()
    writer.run(5)
    writer.sent.clear()
    start = writer.now
    for letter in "abcdef":
        writer.write(letter)
        writer.run(0.1)
    writer.run(5)
    assert writer.blocks() == [
        ["", "", "a"],
        ["", "a", "bc"],
        ["a", "bc", "def"],
        ["bc", "def", ""],
        ["def", "", ""],
    ]
    assert [round(at - start, 3) for at, _ in writer.sent] == [0, 0.3, 0.6, 0.9, 1.2]
    assert [p.marker for _, p in writer.sent] == [True, False, False, False, False]
    assert {p.payload_type for _, p in writer.sent} == {99}


def test_numbers_go_on_and_wrap() -> None:
    writer = Writer()
    writer.run(1)
    writer.write("x")
    assert [p.sequence for _, p in writer.sent] == [65534, 65535, 0, 1]
    assert [p.timestamp for _, p in writer.sent] == [2**32 - 100, 200, 500, 900]
    assert {p.ssrc for _, p in writer.sent} == {7}


def test_a_peer_without_redundancy_gets_plain_text() -> None:
    writer = Writer(SendFormat(98))
    writer.run(5)
    writer.write("plain\r\n\b")
    writer.run(5)
    assert [(p.payload_type, p.payload) for _, p in writer.sent] == [
        (98, BOM),
        (98, b"plain\r\n\b"),
    ]


def test_a_quiet_line_shows_that_it_is_open() -> None:
    writer = Writer()
    writer.run(31)
    assert [round(at - 50, 1) for at, _ in writer.sent] == [0, 0.3, 0.6, 15.6, 30.6]
    assert writer.blocks()[-1][-1] == "\ufeff"


def test_byte_order_marks_of_the_writer_are_not_text() -> None:
    writer = Writer()
    writer.run(1)
    writer.write("\ufeffa\ufeff")
    assert writer.blocks()[-1][-1] == "a"


@pytest.mark.parametrize(("cps", "text"), [(30, "x" * 1000), (5, "äöü😀" * 60)])
def test_no_faster_than_the_peer_reads(cps: int, text: str) -> None:
    writer = Writer(SendFormat(98, 99, cps=cps))
    writer.run(1)
    writer.sent.clear()
    writer.write(text)
    writer.run(len(text) / cps + 12)
    told = [(at, len(own)) for (at, _), (*_, own) in zip(writer.sent, writer.blocks(), strict=True)]
    for at, _ in told:
        assert sum(count for when, count in told if at - 10 < when <= at) <= 10 * cps
    assert "".join(own for *_, own in writer.blocks()).replace("\ufeff", "") == text
    assert max(len(p.payload) for _, p in writer.sent) < 1300


def test_more_than_can_be_read_is_refused() -> None:
    writer = Writer()
    writer.write("x" * MOST_WAITING)
    with pytest.raises(TooMuchText):
        writer.write("y" * 1000)


def test_what_waits_is_sent_at_the_end() -> None:
    writer = Writer()
    writer.write("bye")
    writer.sender.flush(writer.now)
    writer._collect()
    assert writer.blocks()[-1][-1] == "bye"


def test_the_rate_is_a_mean_over_ten_seconds() -> None:
    writer = Writer(SendFormat(98, 99, cps=1))
    writer.run(1)
    writer.write("0123456789abc")
    writer.run(9.5)
    assert "".join(own for *_, own in writer.blocks()).strip("\ufeff") == "0123456789"
    writer.run(1)
    assert "".join(own for *_, own in writer.blocks()).strip("\ufeff") == "0123456789abc"


def test_whatever_is_written_is_sent_once_and_in_order() -> None:
    dice = random.Random(4)
    writer, written = Writer(SendFormat(98, 99, generations=3, cps=1000)), ""
    for _ in range(300):
        text = "".join(dice.choice("aé\u2028😀\b") for _ in range(dice.randrange(200)))
        writer.write(text)
        written += text
        writer.run(dice.random())
    writer.run(30)
    assert "".join(own for *_, own in writer.blocks()).replace("\ufeff", "") == written
