import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookswitch_transport_sip.sip.errors import ParseError
from hookswitch_transport_sip.sip.message import Request, Response
from hookswitch_transport_sip.sip.parser import parse, salvage
from hookswitch_transport_sip.sip.uri import Uri

INVITE = (
    b"INVITE sip:bob@biloxi.example.com SIP/2.0\r\n"
    b"v: SIP/2.0/UDP client.atlanta.example.com:5060;branch=z9hG4bK74bf9;rport,"
    b" SIP/2.0/UDP other;branch=z9hG4bK1\r\n"
    b"Max-Forwards: 70\r\n"
    b'f: "Alice" <sip:alice@atlanta.example.com>;tag=9fxced76sl\r\n'
    b"To: Bob <sip:bob@biloxi.example.com>\r\n"
    b"i: 3848276298220188511@atlanta.example.com\r\n"
    b"CSeq: 1 INVITE\r\n"
    b"Subject: folded\r\n  over lines\r\n"
    b"Record-Route: <sip:p1;lr>, <sip:p2;lr>\r\n"
    b"m: <sip:alice@client.atlanta.example.com>\r\n"
    b"k: timer, 100rel\r\n"
    b"X-Caller: caf\xc3\xa9 \xff\r\n"
    b"c: application/sdp;charset=utf-8\r\n"
    b"l: 5\r\n"
    b"\r\n"
    b"v=0\r\nand more"
)


def change(old: bytes, new: bytes) -> bytes:
    assert old in INVITE
    return INVITE.replace(old, new)


def test_reads_a_request() -> None:
    invite = parse(INVITE)
    assert isinstance(invite, Request)
    assert (invite.method, str(invite.uri)) == ("INVITE", "sip:bob@biloxi.example.com")
    assert invite.via.branch == "z9hG4bK74bf9"
    assert [via.host for via in invite.vias] == ["client.atlanta.example.com", "other"]
    assert invite.from_.tag == "9fxced76sl"
    assert invite.to.tag is None
    assert invite.cseq.number == 1
    assert [str(a.uri) for a in invite.record_routes] == ["sip:p1;lr", "sip:p2;lr"]
    assert invite.contacts[0].uri.user == "alice"
    assert invite.supported == ["timer", "100rel"]
    assert invite.headers.get("subject") == "folded over lines"
    assert invite.max_forwards == 70
    assert invite.sdp == b"v=0\r\n"
    assert invite.headers.get("X-Caller") == "café \udcff"


def test_prints_what_it_reads() -> None:
    invite = parse(INVITE)
    again = parse(bytes(invite))
    assert again.start_line == invite.start_line
    assert again.body == invite.body
    assert bytes(again) == bytes(invite)
    assert b"caf\xc3\xa9 \xff" in bytes(invite)


def test_reads_a_response_with_an_odd_reason() -> None:
    data = bytes(Response.to_request(_request(), 200)).replace(b"200 OK", b"200 = 2 ** 3 * 5 ** 2")
    response = parse(data)
    assert isinstance(response, Response)
    assert (response.status, response.reason) == (200, "= 2 ** 3 * 5 ** 2")
    assert parse(data.replace(b"200 = 2 ** 3 * 5 ** 2", b"100 ")).start_line == "SIP/2.0 100 "


def _request() -> Request:
    message = parse(INVITE)
    assert isinstance(message, Request)
    return message


@pytest.mark.parametrize(
    ("data", "where", "status"),
    [
        (b"", "message", 400),
        (INVITE.partition(b"\r\n\r\n")[0], "message", 400),
        (change(b" SIP/2.0\r\nv", b" SIP/7.0\r\nv"), "Request-Line", 505),
        (change(b"sip:bob@biloxi.example.com SIP", b"<sip:bob@biloxi> SIP"), "Request-URI", 400),
        (change(b"sip:bob@biloxi.example.com SIP", b"sip:bob@b; lr SIP"), "Request-Line", 400),
        (change(b"com SIP/2.0\r\n", b"com  SIP/2.0\r\n"), "Request-Line", 400),
        (change(b"INVITE sip", b"\xffNVITE sip"), "Request-Line", 400),
        (change(b"1 INVITE", b"1 BYE"), "CSeq", 400),
        (change(b"CSeq: 1 INVITE\r\n", b""), "CSeq", 400),
        (change(b"To: Bob", b"To: Bob, the"), "To", 400),
        (change(b"i: 38", b"i: x\r\ni: 38"), "Call-ID", 400),
        (change(b"l: 5", b"l: 999"), "Content-Length", 400),
        (change(b"l: 5", b"l: -5"), "Content-Length", 400),
        (change(b"l: 5", b"l: 5\r\nContent-Length: 5"), "Content-Length", 400),
        (change(b"Max-Forwards: 70", b"Max-Forwards: 256"), "Max-Forwards", 400),
        (change(b"m: <sip:alice@client.atlanta.example.com>", b"m: *"), "Contact", 400),
        (change(b"m: <sip", b"m: *\r\nm: <sip"), "Contact", 400),
        (change(b"k: timer", b'k: "timer'), "list", 400),
        (change(b"X-Caller", b"X Caller"), "header field", 400),
        (change(b"X-Caller: ", b"X-Caller: a\nb"), "X-Caller", 400),
        (change(b"X-Caller: ", b"Date: Fri, 01 Jan 2010 16:00:00 EST\r\nX-A: "), "Date", 400),
        (b"SIP/2.0 4294967301 better\r\n\r\n", "Status-Line", 400),
        (b"INVITE sip:a SIP/2.0\r\n" + b"A: b\r\n" * 300 + b"\r\n", "message", 413),
    ],
)
def test_refuses(data: bytes, where: str, status: int) -> None:
    with pytest.raises(ParseError) as caught:
        parse(data)
    assert (caught.value.where, caught.value.status) == (where, status)


def test_a_broken_request_can_still_be_answered() -> None:
    broken = salvage(change(b"com SIP/2.0\r\n", b"com SIP/7.0\r\n"))
    assert broken is not None
    response = parse(bytes(Response.to_request(broken, 505)))
    assert response.via.branch == "z9hG4bK74bf9"
    assert response.call_id.startswith("38482")


@pytest.mark.parametrize(
    "data",
    [
        INVITE.replace(b"INVITE", b"ACK"),
        INVITE.replace(b"v: SIP/2.0/UDP", b"v: junk"),
        INVITE.replace(b"v: SIP", b"q: SIP"),
        b"SIP/2.0 200 OK\r\n\r\n",
        b"\x00\x01\x02",
    ],
)
def test_some_are_beyond_an_answer(data: bytes) -> None:
    assert salvage(data) is None


def test_responses_copy_what_they_must() -> None:
    request = _request()
    request.headers.add("Timestamp", "54")
    trying = Response.to_request(request, 100, to_tag="mine")
    assert trying.headers.get("Timestamp") == "54"
    assert trying.to.tag == "mine"
    assert trying.headers.get_all("Via") == request.headers.get_all("Via")
    request.headers.set("To", "<sip:bob@b>;tag=theirs")
    assert Response.to_request(request, 200, to_tag="mine").to.tag == "theirs"
    assert "Timestamp" not in Response.to_request(request, 200).headers


def test_a_line_break_cannot_be_smuggled_out() -> None:
    request = Request("INFO", Uri.parse("sip:a@b"), [("X-A", "1\r\nX-B: 2")])
    with pytest.raises(ParseError):
        bytes(request)


def test_views_follow_changes() -> None:
    request = _request()
    assert request.cseq.number == 1
    request.headers.set("CSeq", "2 INVITE")
    assert request.cseq.number == 2


_SNIPPETS = st.sampled_from(
    [b"\r\n", b"\r\n ", b",", b";", b'"', b"<", b">", b":", b"\0", b"\xff", b"%", b"=", b" "]
)


@given(st.lists(st.tuples(st.integers(0, len(INVITE)), _SNIPPETS, st.integers(0, 9)), max_size=6))
def test_damaged_messages_raise_only_parse_errors(edits: list[tuple[int, bytes, int]]) -> None:
    data = INVITE
    for position, snippet, cut in edits:
        data = data[:position] + snippet + data[position + cut :]
    salvage(data)
    try:
        message = parse(data)
    except ParseError:
        return
    assert bytes(parse(bytes(message))) == bytes(message)


@given(st.binary())
def test_noise_raises_only_parse_errors(data: bytes) -> None:
    salvage(data)
    with pytest.raises(ParseError):
        parse(data)


def test_equal_messages_are_equal() -> None:
    assert parse(INVITE) == parse(INVITE)
    assert parse(INVITE) != parse(change(b"tag=9f", b"tag=8f"))
    assert repr(parse(INVITE)) == "<INVITE sip:bob@biloxi.example.com SIP/2.0>"


def test_an_empty_via_is_refused_and_an_old_response_version_too() -> None:
    for data in (b"INVITE sip:a SIP/2.0\r\nVia: ,\r\n\r\n", b"SIP/1.0 200 OK\r\n\r\n"):
        with pytest.raises(ParseError):
            parse(data)
