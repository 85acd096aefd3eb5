"""Ladders: which messages are a leg's, how long they are kept, how much memory they take."""

from __future__ import annotations

import pytest

from hookswitch.plugin import NotFound
from hookswitch_transport_sip.ladder.book import (
    FIRST,
    LAST,
    SETTLED_AFTER,
    Book,
    Message,
    View,
)
from hookswitch_transport_sip.ladder.witness import LadderWitness
from hookswitch_transport_sip.sip.hop import Hop

PEER = Hop("192.0.2.9", 5060)
SEEN = View("c1", "us", inbound=True)


def message(
    start: str, call_id: str = "c1", from_: str = "peer", to: str = "us", size: int = 0
) -> bytes:
    tag = f";tag={to}" if to else ""
    return (
        f"{start}\r\nFrom: <sip:p@h>;tag={from_}\r\nTo: <sip:u@h>;x=y{tag}\r\n"
        f"Call-ID: {call_id}\r\n\r\n{'x' * size}"
    ).encode()


INVITE = message("INVITE sip:u@h SIP/2.0", to="")


def fill(book: Book, *messages: bytes, sent: bool = False) -> None:
    for data in messages:
        book.add(Message(0.0, sent, PEER, data))


def lines(book: Book, leg_id: str) -> list[str]:
    view = book.view(leg_id)
    assert view is not None
    ladder = [m for m in book.ladder(view.call_id) if view.shows(m)]
    return [m.data.partition(b" ")[0].decode() for m in ladder]


def test_the_invite_that_became_a_leg_is_its_first_message() -> None:
    book = Book(1 << 20)
    fill(book, INVITE)
    book.open("leg", SEEN)
    fill(book, message("SIP/2.0 200 OK"), sent=True)
    fill(book, message("ACK sip:u@h SIP/2.0"), message("BYE sip:u@h SIP/2.0"))
    assert lines(book, "leg") == ["INVITE", "SIP/2.0", "ACK", "BYE"]


def test_messages_of_no_call_are_not_kept() -> None:
    book = Book(1 << 20)
    fill(book, message("OPTIONS sip:u@h SIP/2.0", to=""), b"junk", message("BYE sip:u@h SIP/2.0"))
    assert book.size == 0


def test_two_legs_of_one_call_id_see_their_own_messages() -> None:
    """The server calls itself."""
    book = Book(1 << 20)
    book.open("out", View("c1", "peer", inbound=False))
    fill(book, INVITE, sent=True)
    fill(book, INVITE)
    book.open("in", SEEN)
    fill(book, message("SIP/2.0 180 Ringing"), sent=True)
    fill(book, message("SIP/2.0 180 Ringing"))
    fill(book, message("BYE sip:p@h SIP/2.0", from_="us", to="peer"), sent=True)
    fill(book, message("BYE sip:p@h SIP/2.0", from_="us", to="peer"))
    assert lines(book, "out") == ["INVITE", "SIP/2.0", "BYE"]
    assert lines(book, "in") == ["INVITE", "SIP/2.0", "BYE"]
    assert [m.sent for m in book.ladder("c1")] == [True, False, True, False, True, False]


def test_a_finished_call_is_packed_and_kept_for_an_hour() -> None:
    book = Book(1 << 20)
    fill(book, INVITE)
    book.open("leg", SEEN)
    fill(book, message("SIP/2.0 200 OK", size=5000), sent=True)
    full = book.size
    book.close("leg", 100.0)
    fill(book, message("SIP/2.0 200 OK"))
    book.tidy(100.0 + SETTLED_AFTER + 1)
    assert 0 < book.size < full / 2
    assert lines(book, "leg") == ["INVITE", "SIP/2.0"]
    book.tidy(100.0 + 3599)
    assert book.view("leg") is not None
    book.tidy(100.0 + 3600)
    assert book.view("leg") is None
    assert book.size == 0


def test_of_a_long_call_the_middle_is_left_out() -> None:
    book = Book(1 << 24)
    fill(book, INVITE)
    book.open("leg", SEEN)
    fill(book, *(message(f"OPTIONS{n} sip:u@h SIP/2.0") for n in range(FIRST + LAST + 9)))
    ladder = book.ladder("c1")
    assert ladder.omitted == 10
    names = lines(book, "leg")
    assert len(names) == FIRST + LAST
    assert names[FIRST - 1 : FIRST + 1] == [f"OPTIONS{FIRST - 2}", f"OPTIONS{FIRST + 9}"]
    book.close("leg", 0.0)
    book.tidy(SETTLED_AFTER + 1)
    assert book.ladder("c1").omitted == 10


def test_memory_is_bounded_and_the_oldest_goes_first() -> None:
    book = Book(100_000)
    for n in range(300):
        call_id = f"c{n}"
        fill(book, message("INVITE sip:u@h SIP/2.0", call_id, to="", size=1000))
        book.open(f"leg{n}", View(call_id, "us", inbound=True))
        fill(book, message("SIP/2.0 200 OK", call_id), sent=True)
        book.close(f"leg{n}", float(n))
        assert book.size <= 100_000
    assert book.view("leg0") is None
    assert lines(book, "leg299") == ["INVITE", "SIP/2.0"]
    assert lines(book, "leg260") == ["INVITE", "SIP/2.0"]


def test_running_calls_lose_their_messages_before_memory_grows() -> None:
    book = Book(50_000)
    for n in range(100):
        fill(book, message("INVITE sip:u@h SIP/2.0", f"c{n}", to="", size=1000))
        book.open(f"leg{n}", View(f"c{n}", "us", inbound=True))
    assert book.size <= 50_000
    assert book.ladder("c0").omitted == 1
    assert lines(book, "leg99") == ["INVITE"]
    for n in range(100):
        book.close(f"leg{n}", 0.0)
    book.tidy(3601.0)
    assert book.size == 0


def test_invites_that_become_no_leg_are_bounded_in_number() -> None:
    book = Book(1 << 30)
    for n in range(2000):
        fill(book, message("INVITE sip:u@h SIP/2.0", f"c{n}", to=""))
    assert book.size < 600 * 400


def test_nothing_is_kept_where_nothing_may_be() -> None:
    witness = LadderWitness(0, debug=False)
    witness.saw(INVITE, PEER, sent=False)
    witness.open("leg", SEEN)
    with pytest.raises(NotFound, match="SIP_LADDER_MEMORY_MB"):
        witness.ladder("leg")
    witness.close("leg")


def test_what_the_api_shows() -> None:
    witness = LadderWitness(1, debug=False, clock=lambda: 1.5)
    witness.saw(INVITE, Hop("2001:db8::9", 5060, "TCP", flow=1), sent=False)
    witness.open("leg", SEEN)
    assert witness.ladder("leg") == {
        "leg_id": "leg",
        "call_id": "c1",
        "ended": False,
        "omitted": 0,
        "messages": [
            {
                "timestamp": "1970-01-01T00:00:01.500000Z",
                "direction": "received",
                "transport": "tcp",
                "local": "127.0.0.1:5060",
                "remote": "[2001:db8::9]:5060",
                "first_line": "INVITE sip:u@h SIP/2.0",
                "text": INVITE.decode(),
            }
        ],
    }
    witness.close("leg")
    assert witness.ladder("leg")["ended"] is True
    with pytest.raises(NotFound, match="last hour"):
        witness.ladder("other")


def test_debug_logs_messages_whole_without_secrets(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    witness = LadderWitness(0, debug=True)
    witness.saw(INVITE.replace(b"Call-ID", b"Authorization: Digest x\r\nCall-ID"), PEER, sent=True)
    (record,) = caplog.records
    assert record.getMessage().startswith("> udp:192.0.2.9:5060\n    INVITE sip:u@h SIP/2.0\n")
    assert "\n    Authorization: Digest (hidden)\n" in record.getMessage()
