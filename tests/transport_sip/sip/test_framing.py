"""Messages come out of a stream as they went in, however it is cut."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hookswitch_transport_sip.sip.errors import ParseError
from hookswitch_transport_sip.sip.framing import MAX_HEAD, Framer, KeepAlive

BYE = b"BYE sip:a SIP/2.0\r\nl: 0\r\nVia: x\r\n\r\n"
INFO = b"INFO sip:a SIP/2.0\r\nContent-Length :  5 \r\n\r\nfive\n"
_BODY = b"\r\n\r\nBYE sip:b SIP/2.0\r\nContent-Length: 0\r\n\r\nabc"
TRAP = b"INFO sip:a SIP/2.0\r\ncontent-LENGTH: %d\r\n\r\n%b" % (len(_BODY), _BODY)
PING, PONG = KeepAlive.PING, KeepAlive.PONG


def taken(framer: Framer) -> list[bytes | KeepAlive]:
    found = []
    while (item := framer.next()) is not None:
        found.append(item)
    return found


def all_of(data: bytes, cuts: list[int]) -> list[bytes | KeepAlive]:
    framer, found, start = Framer(), [], 0
    for cut in [*sorted(cuts), len(data)]:
        framer.receive(data[start:cut])
        start = cut
        found += taken(framer)
    return found


@pytest.mark.parametrize(
    ("data", "items"),
    [
        (BYE, [BYE]),
        (BYE + INFO + BYE, [BYE, INFO, BYE]),
        (TRAP + BYE, [TRAP, BYE]),
        (b"\r\n\r\n" + BYE, [PING, BYE]),
        (b"\r\n" + BYE, [PONG, BYE]),
        (BYE + b"\r\n\r\n\r\n\r\n", [BYE, PING, PING]),
        (b"\r\n\r\n\r\n" + INFO, [PING, PONG, INFO]),
        (b"\r\n", []),
        (BYE[:-1], []),
        (INFO[:-1], []),
    ],
)
def test_what_comes_out(data: bytes, items: list[bytes | KeepAlive]) -> None:
    assert all_of(data, []) == items
    assert all_of(data, list(range(1, len(data)))) == items


def test_pongs_are_no_halves_of_a_ping() -> None:
    framer = Framer()
    for _ in range(3):
        framer.awaits_pong = True
        framer.receive(b"\r\n")
        assert taken(framer) == [PONG]
    framer.receive(b"\r\n\r\n" + BYE)
    assert taken(framer) == [PING, BYE]


@given(
    st.lists(st.sampled_from([BYE, INFO, TRAP, b"\r\n\r\n"]), max_size=6),
    st.lists(st.integers(0, 400), max_size=12),
)
@settings(deadline=None)
def test_cuts_do_not_matter(pieces: list[bytes], cuts: list[int]) -> None:
    data = b"".join(pieces)
    assert all_of(data, [cut for cut in cuts if cut <= len(data)]) == [
        PING if piece == PING.value else piece for piece in pieces
    ]


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"BYE sip:a SIP/2.0\r\nVia: x\r\n\r\n", 400),
        (b"BYE sip:a SIP/2.0\r\nContent-Length: -1\r\n\r\n", 400),
        (b"BYE sip:a SIP/2.0\r\nContent-Length: 1\r\nl: 2\r\n\r\n", 400),
        (b"BYE sip:a SIP/2.0\r\nContent-Length: 65536\r\n\r\n", 513),
        (b"BYE sip:a SIP/2.0\r\nContent-Length: 99999999999\r\n\r\n", 400),
        (b"x" * (MAX_HEAD + 1), 513),
        (b"\x16\x03\x01" * MAX_HEAD, 513),
    ],
)
def test_what_cannot_be_cut_into_messages(data: bytes, status: int) -> None:
    framer = Framer()
    framer.receive(data)
    with pytest.raises(ParseError) as caught:
        taken(framer)
    assert caught.value.status == status
    assert framer.rest == data


def test_a_repeated_length_that_agrees_is_one() -> None:
    data = b"BYE sip:a SIP/2.0\r\nContent-Length: 0 \r\nl:0\r\n\r\n"
    assert all_of(data, []) == [data]


def test_one_octet_at_a_time_takes_linear_time() -> None:
    """The search goes on where it left off; half a million octets end soon."""
    framer = Framer()
    message = b"INFO sip:a SIP/2.0\r\n" + b"X: y\r\n" * 5000 + b"Content-Length: 0\r\n\r\n"
    for octet in message:
        framer.receive(bytes((octet,)))
        item = framer.next()
    assert item == message
