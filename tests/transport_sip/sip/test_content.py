"""Session descriptions in multipart bodies (RFC 2046, RFC 5621): which part counts, which must."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookswitch_transport_sip.sip import content as content_module
from hookswitch_transport_sip.sip import parser
from hookswitch_transport_sip.sip.content import DEEPEST, MOST_PARTS, Content, parts_of, read
from hookswitch_transport_sip.sip.errors import ParseError
from hookswitch_transport_sip.sip.events import (
    Answered,
    InviteReceived,
    OfferReceived,
    ReinviteReceived,
)
from hookswitch_transport_sip.sip.headers import Headers
from hookswitch_transport_sip.sip.message import Message, Request, Response

from .extended import established, messages, network
from .pair import ANSWER, A, B, Network

SDP = b"v=0\r\no=part\r\n"
Part = tuple[dict[str, str], bytes]
SESSION: Part = ({"Content-Type": "application/sdp"}, SDP)
ISUP_OPTIONAL: Part = (
    {"Content-Type": "application/isup", "Content-Disposition": "signal;handling=optional"},
    b"\x01\x00\r\n--half\x49",
)
ISUP: Part = ({"Content-Type": "application/isup", "Content-Disposition": "signal"}, b"\x01")


def written(parts: list[Part], boundary: str = "b 1") -> bytes:
    body = b""
    for fields, content in parts:
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        body += f"--{boundary}\r\n{head}\r\n".encode() + content + b"\r\n"
    return body + f"--{boundary}--\r\n".encode()


def mixed(*parts: Part, kind: str = "mixed", handling: str = "") -> Part:
    fields = {"Content-Type": f'multipart/{kind};boundary="b 1"'}
    if handling:
        fields["Content-Disposition"] = f"render;handling={handling}"
    return fields, written(list(parts))


def nested(part: Part, depth: int) -> Part:
    """A part within `depth` multiparts, the boundaries of which differ."""
    for level in range(depth):
        kind = {"Content-Type": f"Multipart/Mixed; boundary=level{level}"}
        part = (kind, written([part], f"level{level}"))
    return part


def content(part: Part) -> Content:
    return read(Headers(part[0].items()), part[1])


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (SESSION, Content(SDP)),
        (mixed(SESSION), Content(SDP)),
        (mixed(SESSION, ISUP_OPTIONAL), Content(SDP)),
        (mixed(ISUP_OPTIONAL, SESSION), Content(SDP)),
        (mixed(SESSION, ISUP), Content(SDP, 415)),
        (mixed(SESSION, ({}, b"plain text without a type")), Content(SDP, 415)),
        (mixed(ISUP_OPTIONAL), Content()),
        (ISUP_OPTIONAL, Content()),
        (mixed(ISUP, handling="optional"), Content()),
        (mixed(ISUP, SESSION, kind="alternative"), Content(SDP)),
        (mixed(SESSION, ISUP, kind="alternative"), Content(SDP)),
        (mixed(ISUP, kind="alternative"), Content(None, 415)),
        (nested(SESSION, DEEPEST), Content(SDP)),
        (nested(SESSION, DEEPEST + 1), Content(None, 415)),
        (mixed(*[SESSION] * (MOST_PARTS + 1)), Content(None, 400)),
        (mixed(({**SESSION[0], "Content-Transfer-Encoding": "base64"}, b"dj0w")),
         Content(None, 415)),
        (mixed(({**SESSION[0], "Content-Disposition": "early-session"}, SDP)), Content(None, 415)),
        (({"Content-Type": "multipart/mixed"}, b"x"), Content(None, 400)),
        (({"Content-Type": "multipart/mixed;boundary=x"}, b"no parts"), Content(None, 400)),
        (({"Content-Type": "multipart/mixed;boundary=x"}, b"--x\r\n\r\nno end"),
         Content(None, 400)),
        (({"Content-Type": "multipart/mixed;boundary=x"}, b"--x--"), Content(None, 400)),
        (({"Content-Type": "multipart/mixed;boundary=x;;"}, b"--x\r\n\r\n--x--"),
         Content(None, 400)),
    ],
)  # fmt: skip
def test_what_a_body_holds(part: Part, expected: Content) -> None:
    assert content(part) == expected


@given(
    st.lists(st.binary(max_size=60), min_size=1, max_size=MOST_PARTS),
    st.text("abcXYZ019'()+_,-./:=?", min_size=1, max_size=70),
)
def test_parts_come_out_as_they_went_in(bodies: list[bytes], boundary: str) -> None:
    kept = [b for b in bodies if b"--" + boundary.encode() not in b]
    written_parts: list[Part] = [({"X-Number": str(n)}, b) for n, b in enumerate(kept)]
    if not kept:
        return
    found = parts_of(b"preamble\r\n" + written(written_parts, boundary) + b"epilogue", boundary)
    assert [(dict(headers), part) for headers, part in found] == written_parts


@given(st.lists(st.sampled_from([
    b"--x", b"--", b"\r\n", b"\n", b" ", b":", b";", b'"', b"\0", b"\xff",
    b"Content-Type: multipart/mixed;boundary=x", b"Content-Type: application/sdp", SDP,
    b"Content-Disposition: ;handling=optional",
]), max_size=60))  # fmt: skip
def test_nothing_but_a_content_comes_of_a_broken_body(pieces: list[bytes]) -> None:
    found = content(({"Content-Type": "multipart/mixed;boundary=x"}, b"".join(pieces)))
    assert found.refusal in (None, 400, 415)
    try:
        assert 0 < len(parts_of(b"".join(pieces), "x")) <= MOST_PARTS
    except ParseError:
        assert found == Content(None, 400) or not pieces or not b"".join(pieces)


def put(message: Message, part: Part) -> Message:
    message.body = part[1]
    for name, value in part[0].items():
        message.headers.set(name, value)
    return message


def invite(net: Network, part: Part) -> Request:
    """An INVITE to B that an agent of ours made, with another body."""
    other = network()
    other.call()
    other.flush()
    (request,) = messages(other, A, "INVITE")
    assert isinstance(request, Request)
    net.inject(bytes(put(request, part)), A, B)
    return request


def test_an_invite_with_a_session_among_others() -> None:
    net = Network()
    invite(net, mixed(ISUP_OPTIONAL, SESSION))
    (event,) = net.find(B, InviteReceived)
    assert isinstance(event, InviteReceived)
    assert event.request.sdp == SDP


def test_an_invite_with_a_part_we_must_but_cannot_understand() -> None:
    net = Network()
    invite(net, mixed(SESSION, ISUP))
    net.run(1)
    assert not net.find(B, InviteReceived)
    (refusal,) = messages(net, B, "415")
    assert refusal.headers.split("Accept")[:2] == ["application/sdp", "multipart/mixed"]


def test_an_answer_among_others() -> None:
    net = network()
    net.call()
    net.run(0.1)
    (request,) = messages(net, A, "INVITE")
    assert isinstance(request, Request)
    response = Response.to_request(
        request, 200, to_tag="theirs", headers=[("Contact", "<sip:bob@192.0.2.2>")]
    )
    net.inject(bytes(put(response, mixed(ISUP_OPTIONAL, SESSION))), B, A)
    (event,) = net.find(A, Answered)
    assert isinstance(event, Answered)
    assert event.sdp == SDP


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
def test_a_later_offer_among_others(method: str) -> None:
    net = established()
    net.log[B].clear()
    (call,) = net.agents[A].calls
    assert call.dialog is not None
    request = call.dialog.request(method)
    request.headers.prepend("Via", "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKlater")
    request.headers.add("Contact", "<sip:alice@192.0.2.1>")
    net.inject(bytes(put(request, mixed(ISUP_OPTIONAL, SESSION))), A, B)
    (event,) = net.find(B, ReinviteReceived if method == "INVITE" else OfferReceived)
    assert isinstance(event, ReinviteReceived | OfferReceived)
    assert event.sdp == SDP
    assert ANSWER in net.sent[-1][1]


@pytest.mark.parametrize("fold", [parser._FOLD, content_module._FOLD])
def test_blanks_are_looked_through_once(fold: re.Pattern[str]) -> None:
    """A search from each of many blanks would take a second for a datagram full of them."""
    text = "a \t \r\n b"
    assert fold.sub(" ", text) == "a b"
    assert [at for at in (1, 2, 3) if fold.match(text, at)] == [1]
