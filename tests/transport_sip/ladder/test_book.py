"""Ladders: which messages are a leg's, how long they are kept, how much memory they take."""

from __future__ import annotations

import pytest

from hookswitch.plugin import NotFound
from hookswitch_transport_sip.ladder.book import KEPT_FOR, SETTLED_AFTER, Book, Shown
from hookswitch_transport_sip.ladder.ladder import FIRST, LAST, Message
from hookswitch_transport_sip.ladder.view import View
from hookswitch_transport_sip.ladder.witness import LadderWitness
from hookswitch_transport_sip.sip.hop import Hop

PEER = Hop("192.0.2.9", 5060)
SEEN = View("c1", "us", invite=1)


def message(
    start: str,
    call_id: str = "c1",
    from_: str = "peer",
    to: str = "us",
    size: int = 0,
    cseq: int = 1,
) -> bytes:
    tag = f";tag={to}" if to else ""
    return (
        f"{start}\r\nFrom: <sip:p@h>;tag={from_}\r\nTo: <sip:u@h>;x=y{tag}\r\n"
        f"Call-ID: {call_id}\r\nCSeq: {cseq} X\r\n\r\n{'x' * size}"
    ).encode()


INVITE = message("INVITE sip:u@h SIP/2.0", to="")


def fill(book: Book, *messages: bytes, sent: bool = False, at: float = 0.0) -> None:
    for data in messages:
        book.add(Message(at, sent, PEER, data))


def shown(book: Book, leg_id: str) -> Shown:
    found = book.shown(leg_id)
    assert found is not None
    return found


def lines(book: Book, leg_id: str, words: int = 1) -> list[str]:
    """The beginnings of what a leg shows."""
    found = (m.data.decode().split("\r\n", 1)[0] for m in shown(book, leg_id).messages)
    return [" ".join(line.split(" ")[:words]) for line in found]


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
    book.open("out", View("c1", "peer"))
    fill(book, INVITE, sent=True)
    fill(book, INVITE)
    book.open("in", SEEN)
    fill(book, message("SIP/2.0 180 Ringing"), sent=True)
    fill(book, message("SIP/2.0 180 Ringing"))
    fill(book, message("BYE sip:p@h SIP/2.0", from_="us", to="peer"), sent=True)
    fill(book, message("BYE sip:p@h SIP/2.0", from_="us", to="peer"))
    assert lines(book, "out") == ["INVITE", "SIP/2.0", "BYE"]
    assert lines(book, "in") == ["INVITE", "SIP/2.0", "BYE"]
    assert [m.sent for m in shown(book, "out").messages] == [True, False, False]
    assert [m.sent for m in shown(book, "in").messages] == [False, True, True]


def test_a_call_to_several_targets_shows_all_its_branches_in_order_of_time() -> None:
    """The second is called when the first has failed, the third beside it; a loser's end is late.

    That two of the branches come in on this very server changes nothing.
    """
    book = Book(1 << 20)
    book.open("leg", View("a", "us-a"))
    fill(book, message("INVITE a", "a", from_="us-a", to=""), sent=True, at=1.0)
    fill(book, message("SIP/2.0 503", "a", from_="us-a", to="x"), at=2.0)
    fill(book, message("ACK a", "a", from_="us-a", to="x"), sent=True, at=2.1)
    for n, branch in enumerate("bc"):
        book.open("leg", View(branch, f"us-{branch}"))
        invite = message(f"INVITE {branch}", branch, from_=f"us-{branch}", to="")
        fill(book, invite, sent=True, at=3.0 + n / 10)
        fill(book, invite, at=3.05 + n / 10)
        book.open(f"in-{branch}", View(branch, f"they-{branch}", invite=1))
    fill(book, message("SIP/2.0 200", "c", from_="us-c", to="they-c"), at=4.0)
    fill(book, message("CANCEL b", "b", from_="us-b", to=""), sent=True, at=4.1)
    book.name("leg", "c")
    fill(book, message("ACK c", "c", from_="us-c", to="they-c"), sent=True, at=4.2)
    fill(book, message("BYE c", "c", from_="us-c", to="they-c"), sent=True, at=5.0)
    for leg_id in ("in-b", "in-c", "leg"):
        book.close(leg_id, 5.0)
    fill(book, message("SIP/2.0 487", "b", from_="us-b", to="they-b"), at=5.1)
    expected = [
        "INVITE a", "SIP/2.0 503", "ACK a", "INVITE b", "INVITE c", "SIP/2.0 200", "CANCEL b",
        "ACK c", "BYE c", "SIP/2.0 487",
    ]  # fmt: skip
    assert lines(book, "leg", 2) == expected
    assert shown(book, "leg").call_id == "c"
    book.tidy(5.0 + SETTLED_AFTER + 1)
    assert lines(book, "leg", 2) == expected
    assert lines(book, "in-b", 2) == ["INVITE b"]
    book.tidy(5.0 + KEPT_FOR)
    assert book.shown("leg") is None
    assert book.size == 0


def test_a_call_is_not_named_by_what_never_left() -> None:
    """The first target cannot be reached, the second refuses: no answer has named the call."""
    book = Book(1 << 20)
    book.open("leg", View("a", "us-a"))
    book.open("leg", View("b", "us-b"))
    fill(book, message("INVITE b", "b", from_="us-b", to=""), sent=True, at=1.0)
    fill(book, message("SIP/2.0 486", "b", from_="us-b", to="x"), at=2.0)
    assert shown(book, "leg").call_id == "b"
    assert lines(book, "leg", 2) == ["INVITE b", "SIP/2.0 486"]


def test_one_branch_of_a_call_is_not_forgotten_without_the_others() -> None:
    book = Book(20_000)
    for branch in "ab":
        book.open("leg", View(branch, "us"))
        fill(book, message(f"INVITE {branch}", branch, from_="us", to=""), sent=True)
    book.close("leg", 0.0)
    book.tidy(SETTLED_AFTER + 1)
    for n in range(100):
        assert book.shown("leg") is None or lines(book, "leg", 2) == ["INVITE a", "INVITE b"]
        fill(book, message("INVITE x", f"c{n}", to="", size=300))
    assert book.shown("leg") is None


def test_legs_of_one_caller_that_tries_again_see_their_own_messages() -> None:
    book = Book(1 << 20)
    for number, tag in enumerate(("one", "two"), 1):
        fill(book, message(f"INVITE {number}", to="", cseq=number))
        book.open(tag, View("c1", tag, invite=number))
        fill(book, message(f"SIP/2.0 {number}", to=tag, cseq=number), sent=True)
        fill(book, message(f"ACK {number}", to=tag, cseq=number))
        book.close(tag, number * 100.0)  # packed by the time of the next try
    book.tidy(300.0)
    assert lines(book, "one", 2) == ["INVITE 1", "SIP/2.0 1", "ACK 1"]
    assert lines(book, "two", 2) == ["INVITE 2", "SIP/2.0 2", "ACK 2"]
    book.tidy(200.0 + KEPT_FOR)
    assert book.size == 0


def test_tries_that_make_no_leg_are_shown_by_the_leg_that_was_challenged() -> None:
    book = Book(1 << 20)
    for number, (tag, at) in enumerate((("one", 0.0), ("two", 10.0), ("three", 500.0)), 1):
        book.tidy(at)
        fill(book, message(f"INVITE {number}", to="", cseq=number), at=at)
        view = View("c1", tag, invite=number)
        if number == 1:
            book.open("leg", view)
            book.close("leg", at)
        else:
            book.tie("leg", view, at)
        fill(book, message(f"SIP/2.0 40{number}", to=tag, cseq=number), sent=True, at=at)
        fill(book, message(f"ACK {number}", to=tag, cseq=number), at=at)
    fill(book, message("INVITE 4", to="", cseq=4))
    book.open("other", View("c1", "four", invite=4))
    expected = [f"{step}{n}" for n in (1, 2, 3) for step in ("INVITE ", "SIP/2.0 40", "ACK ")]
    assert lines(book, "leg", 2) == expected
    assert lines(book, "other", 2) == ["INVITE 4"]
    book.close("other", 500.0)
    book.tidy(500.0 + SETTLED_AFTER + 1)
    assert lines(book, "leg", 2) == expected
    book.tidy(500.0 + KEPT_FOR)
    assert book.size == 0
    book.tie("leg", View("c1", "five", invite=5), 5000.0)
    assert book.shown("leg") is None, "what was forgotten stays so"


def test_of_a_call_id_used_again_and_again_the_latest_legs_are_known() -> None:
    book = Book(1 << 20)
    book.open("lasting", View("c1", "lasting", invite=0))
    for n in range(1, 301):
        fill(book, message(f"INVITE {n}", to="", cseq=n))
        book.open(f"leg{n}", View("c1", f"us{n}", invite=n))
        book.close(f"leg{n}", n * 10.0)
    assert [n for n in range(1, 301) if book.shown(f"leg{n}")] == list(range(202, 301))
    assert lines(book, "leg300", 2) == ["INVITE 300"]
    assert lines(book, "lasting") == []
    book.close("lasting", 3000.0)
    book.tidy(3000.0 + SETTLED_AFTER + 1)
    assert lines(book, "leg300", 2) == ["INVITE 300"]
    book.tidy(3000.0 + KEPT_FOR)
    assert (book.shown("leg300"), book.size) == (None, 0)


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
    assert book.shown("leg") is not None
    book.tidy(100.0 + 3600)
    assert book.shown("leg") is None
    assert book.size == 0


def test_of_a_long_call_the_middle_is_left_out() -> None:
    book = Book(1 << 24)
    fill(book, INVITE)
    book.open("leg", SEEN)
    fill(book, *(message(f"OPTIONS{n} sip:u@h SIP/2.0") for n in range(FIRST + LAST + 9)))
    assert shown(book, "leg").omitted == 10
    names = lines(book, "leg")
    assert len(names) == FIRST + LAST
    assert names[FIRST - 1 : FIRST + 1] == [f"OPTIONS{FIRST - 2}", f"OPTIONS{FIRST + 9}"]
    book.close("leg", 0.0)
    book.tidy(SETTLED_AFTER + 1)
    assert shown(book, "leg").omitted == 10


def test_memory_is_bounded_and_the_oldest_goes_first() -> None:
    book = Book(100_000)
    for n in range(300):
        call_id = f"c{n}"
        fill(book, message("INVITE sip:u@h SIP/2.0", call_id, to="", size=1000))
        book.open(f"leg{n}", View(call_id, "us", invite=1))
        fill(book, message("SIP/2.0 200 OK", call_id), sent=True)
        book.close(f"leg{n}", float(n))
        assert book.size <= 100_000
    assert book.shown("leg0") is None
    assert lines(book, "leg299") == ["INVITE", "SIP/2.0"]
    assert lines(book, "leg260") == ["INVITE", "SIP/2.0"]


def test_running_calls_lose_their_messages_before_memory_grows() -> None:
    book = Book(50_000)
    for n in range(100):
        fill(book, message("INVITE sip:u@h SIP/2.0", f"c{n}", to="", size=1000))
        book.open(f"leg{n}", View(f"c{n}", "us", invite=1))
    assert book.size <= 50_000
    assert shown(book, "leg0").omitted == 1
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
