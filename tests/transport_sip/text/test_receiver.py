"""Reading text over a network that loses, repeats and reorders packets."""

from __future__ import annotations

import random
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from hookswitch_transport_sip.text.packets import TextPacket
from hookswitch_transport_sip.text.receiver import PATIENCE_S, ReceiveFormat, TextReceiver
from hookswitch_transport_sip.text.redundancy import Block, RedundantPayload
from hookswitch_transport_sip.text.sender import FirstNumbers, SendFormat, TextSender

RED, PLAIN = ReceiveFormat((98,), (99,)), ReceiveFormat((98,))


def stream(words: str, start: int = 65533, generations: int = 2, ssrc: int = 7) -> list[TextPacket]:
    """One packet for each word, and those that repeat the last words."""
    texts = [word.encode() for word in words.split()] + [b""] * generations
    packets = []
    for number, text in enumerate(texts):
        earlier = [texts[i] if i >= 0 else b"" for i in range(number - generations, number)]
        blocks = tuple(Block(0, each) for each in earlier)
        payload = RedundantPayload(blocks, text).pack(98)
        sequence = start + number & 0xFFFF
        packets.append(TextPacket(99, sequence, 300 * number, ssrc, payload))
    return packets


def read(packets: list[TextPacket], receiver: TextReceiver | None = None) -> str:
    """All that is read from packets that arrive 10 ms apart, and after some patience."""
    receiver, now, text = receiver or TextReceiver(RED), 0.0, ""
    for packet in packets:
        now += 0.01
        text += receiver.receive(packet, now)
    return text + receiver.handle_timer(now + PATIENCE_S)


ALPHABET = "a b c d e f g h i j k l m n o p"
LETTERS = ALPHABET.replace(" ", "")


def test_in_order_across_the_wrap() -> None:
    assert read(stream(ALPHABET)) == LETTERS


def test_two_lost_in_a_row_are_made_up_for() -> None:
    packets = stream(ALPHABET)
    for lost in range(len(packets) - 2):
        assert read(packets[:lost] + packets[lost + 2 :]) == LETTERS, lost


def test_three_lost_in_a_row_are_marked_once() -> None:
    packets = stream(ALPHABET)
    assert read(packets[:4] + packets[7:]) == "abcd\ufffdfghijklmnop"
    assert read(packets[:4] + packets[9:]) == "abcd\ufffdhijklmnop"


def test_repeated_and_late_packets_change_nothing() -> None:
    packets = stream(ALPHABET)
    assert read([p for p in packets for _ in range(3)]) == LETTERS
    assert read([*packets[:9], packets[2], packets[0], *packets[9:]]) == LETTERS


def test_late_packets_are_waited_for() -> None:
    packets = stream(ALPHABET)
    receiver = TextReceiver(RED)
    assert [receiver.receive(p, 0.0) for p in packets[:2]] == ["a", "b"]
    assert receiver.next_timer() is None
    assert receiver.receive(packets[6], 1.0) == ""
    assert receiver.next_timer() == 1.0 + PATIENCE_S
    assert receiver.receive(packets[4], 1.2) == "cdefg"
    assert receiver.next_timer() is None


def test_without_redundancy_gaps_are_waited_for_and_marked() -> None:
    packets = [TextPacket(98, 5 + i, 0, 7, c.encode()) for i, c in enumerate("abcdef")]
    assert read([packets[i] for i in (0, 2, 1, 3, 5, 4)], TextReceiver(PLAIN)) == "abcdef"
    receiver = TextReceiver(PLAIN)
    assert receiver.receive(packets[0], 0.0) + receiver.receive(packets[2], 0.1) == "a"
    assert receiver.handle_timer(0.5) == ""
    assert receiver.handle_timer(0.6) == "\ufffdc"
    assert receiver.receive(packets[1], 0.7) == "", "too late"
    assert receiver.receive(packets[3], 0.8) == "d"


def test_keyboard_semantics_are_kept_and_byte_order_marks_are_not_text() -> None:
    keys = ["\ufeff", "Helo", "\b", "lo\r\n", "\u2028", "\x07", "\ufeff", "ä😀"]
    packets = [TextPacket(98, i, 0, 7, key.encode()) for i, key in enumerate(keys)]
    assert read(packets, TextReceiver(PLAIN)) == "Helo\blo\r\n\u2028\x07ä😀"


def test_a_character_in_two_packets_is_one() -> None:
    data = "ä😀".encode()
    packets = [TextPacket(98, i, 0, 7, data[i : i + 1]) for i in range(len(data))]
    assert read(packets, TextReceiver(PLAIN)) == "ä😀"


def test_bytes_that_are_no_text_are_marked() -> None:
    assert read([TextPacket(98, 1, 0, 7, b"a\xff\xfeb")], TextReceiver(PLAIN)) == "a\ufffd\ufffdb"


def test_another_source_and_a_sender_that_starts_anew() -> None:
    packets = stream("a b c") + stream("d e f", ssrc=8) + stream("g h i", start=30000, ssrc=8)
    assert read(packets) == "abcdefghi"


def test_packets_of_other_kinds_are_counted() -> None:
    receiver = TextReceiver(RED)
    packet = stream("a")[0]
    wrong = [
        TextPacket(0, 1, 0, 7, b"audio"),
        TextPacket(99, 2, 0, 7, packet.payload[:3]),
        TextPacket(99, 3, 0, 7, b""),
        TextPacket(99, 4, 0, 7, packet.payload.replace(b"\x62", b"\x61")),
    ]
    assert read(wrong, receiver) == ""
    assert receiver.counts.malformed == 4


def test_losses_are_counted() -> None:
    receiver = TextReceiver(RED)
    packets = stream(ALPHABET)
    read(packets[:4] + packets[9:], receiver)
    assert (receiver.counts.received, receiver.counts.lost) == (len(packets) - 5, 5)


@settings(max_examples=60, deadline=None)
@given(st.randoms(use_true_random=False), st.integers(1, 4))
def test_any_network_gives_each_character_once_in_order(
    dice: random.Random, generations: int
) -> None:
    """From a real sender; where nothing was marked, nothing is missing."""
    sender = TextSender(FirstNumbers(7, 65500, 5), SendFormat(98, 99, generations, 10_000), 0.0)
    written, now = "", 0.0
    while now < 40:
        text = "".join(dice.choice("abcdefgäö😀") for _ in range(dice.choice((0, 0, 1, 4))))
        sender.write(text, now)
        written += text
        now += 0.31
        sender.handle_timer(now)
    for _ in range(generations + 2):
        now += 0.31
        sender.handle_timer(now)
    lossy = [(i + dice.choice((0, 0, 0, 1.5)), data) for i, data in enumerate(sender.to_send())]
    lossy = [each for each in lossy for _ in range(dice.choice((0, 1, 1, 1, 1, 2)))]
    receiver, heard, at = TextReceiver(RED), "", 0.0
    for at, data in sorted(lossy):
        packet = TextPacket.unpack(data)
        assert packet is not None
        heard += receiver.handle_timer(at * 0.3) + receiver.receive(packet, at * 0.3)
    heard += receiver.handle_timer(at * 0.3 + 1)
    rest = iter(written)
    assert all(character in rest for character in heard if character != "\ufffd")


@given(st.lists(st.binary(max_size=30), max_size=20))
def test_any_packets_leave_it_working(payloads: list[bytes]) -> None:
    receiver = TextReceiver(RED)
    for number, payload in enumerate(payloads):
        receiver.receive(TextPacket(99, number, 0, 7, payload), 0.0)
    receiver.handle_timer(1.0)
    assert read(stream(ALPHABET, ssrc=9), receiver).endswith(LETTERS)


def captured() -> list[TextPacket]:
    """What a Linphone 5.1 sent while somebody typed."""
    lines = Path(__file__).with_name("linphone.hex").read_text().split()
    packets = [TextPacket.unpack(bytes.fromhex(line)) for line in lines]
    return [packet for packet in packets if packet is not None]


TYPED = "Grüßex\b aus der Ferne\u2028😀"


def test_a_linphone() -> None:
    receiver = TextReceiver(ReceiveFormat((98,), (99,)))
    assert read(captured(), receiver) == TYPED
    assert (receiver.counts.received, receiver.counts.lost) == (19, 0)


def test_a_linphone_over_a_bad_network() -> None:
    packets = captured()
    assert read(packets[::3] + packets[-1:]) == TYPED
    assert read([*packets[:3], packets[4], packets[3], packets[3], *packets[5:]]) == TYPED
    assert read(packets[:4] + packets[7:]) == "Grüße\ufffd\b aus der Ferne\u2028😀"
