"""Header fields and the values in them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookswitch_transport_sip.sip.address import NameAddr
from hookswitch_transport_sip.sip.cseq import CSeq
from hookswitch_transport_sip.sip.errors import ParseError
from hookswitch_transport_sip.sip.grammar import Params, quote, split_commas, unquote
from hookswitch_transport_sip.sip.headers import Headers
from hookswitch_transport_sip.sip.via import Via


def test_commas_in_quotes_and_brackets_do_not_split() -> None:
    text = '"Bell, A" <sip:a@b;x=1,2>;q=1 , <sip:c@d>,, sip:e@f'
    assert split_commas(text) == ['"Bell, A" <sip:a@b;x=1,2>;q=1', "<sip:c@d>", "sip:e@f"]


@pytest.mark.parametrize("text", ['a, "b', "<a, b", "a>, b"])
def test_unbalanced_lists_are_refused(text: str) -> None:
    with pytest.raises(ParseError):
        split_commas(text)


@given(st.text())
def test_quoting_round_trips(text: str) -> None:
    assert unquote(quote(text)) == text


def test_params_keep_order_and_ignore_case() -> None:
    params = Params.parse(';Tag=x ; q="a;b" ;lr', "test")
    assert params.get("tag") == "x"
    assert params.get("q") == "a;b"
    assert params.get("lr") == ""
    assert params.get("none") is None
    assert str(params.with_param("tag", "y").without("lr")) == ';Tag=y;q="a;b"'


def test_headers_find_by_any_spelling() -> None:
    headers = Headers([("v", "1"), ("X-Thing", "a"), ("VIA", "2"), ("x-thing", "b")])
    assert headers.get_all("via") == ["1", "2"]
    assert headers.get("X-THING") == "a"
    assert next(iter(headers)) == ("Via", "1")
    headers.set("x-Thing", "c")
    assert list(headers) == [("Via", "1"), ("X-Thing", "c"), ("Via", "2")]
    headers.set_first("v", "0")
    headers.prepend("Via", "9")
    assert headers.get_all("Via") == ["9", "0", "2"]
    headers.remove("V")
    assert "via" not in headers
    assert len(headers) == 1


@pytest.mark.parametrize(
    ("text", "display", "uri", "tag"),
    [
        ('"A. G. Bell" <sip:a@b> ;tag=1', "A. G. Bell", "sip:a@b", "1"),
        ("Two Words<sip:a@b>", "Two Words", "sip:a@b", None),
        ("sip:+1@b;tag=887s", "", "sip:+1@b", "887s"),
        ('"say \\"x\\"" <sip:a@b;lr>', 'say "x"', "sip:a@b;lr", None),
        ('<sip:a@b>;+sip.instance="<urn:uuid:0>";tag=q', "", "sip:a@b", "q"),
        ("<sip:a@b?Replaces=c%3Bd>", "", "sip:a@b?Replaces=c%3Bd", None),
        ("tel:+1201;tag=z", "", "tel:+1201", "z"),
    ],
)
def test_addresses(text: str, display: str, uri: str, tag: str | None) -> None:
    address = NameAddr.parse(text)
    assert (address.display, str(address.uri), address.tag) == (display, uri, tag)
    assert NameAddr.parse(str(address)) == address


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Bell, A <sip:a@b>",
        "<sip:a@b",
        "< sip:a@b >",
        '"open <sip:a@b>',
        "sip:a@b?x=y",
        "<sip:a@b> junk",
        "<>",
    ],
)
def test_bad_addresses(text: str) -> None:
    with pytest.raises(ParseError):
        NameAddr.parse(text)


def test_via() -> None:
    text = "SIP/2.0/UDP [2001:db8::9]:5070;branch=z9hG4bKx;rport"
    via = Via.parse(text)
    assert str(via) == text
    assert via.is_rfc3261
    stamped = via.stamped("192.0.2.7", 4444)
    assert stamped.response_address() == ("192.0.2.7", 4444)
    assert Via.parse("sip / 2.0 / tcp\t host : 5061 ; branch = z9hG4bK").transport == "TCP"
    assert not Via.parse("SIP/2.0/UDP h;branch=z9hG4bK").is_rfc3261


@pytest.mark.parametrize(
    ("text", "source", "address"),
    [
        ("SIP/2.0/UDP 10.0.0.1", ("10.0.0.1", 9), ("10.0.0.1", 5060)),
        ("SIP/2.0/UDP 10.0.0.1:5070", ("10.0.0.2", 9), ("10.0.0.2", 5070)),
        ("SIP/2.0/UDP a.example:5070;rport", ("10.0.0.2", 9), ("10.0.0.2", 9)),
        (
            "SIP/2.0/UDP 10.0.0.1;received=9.9.9.9;maddr=9.9.9.9",
            ("10.0.0.1", 9),
            ("10.0.0.1", 5060),
        ),
        ("SIP/2.0/TLS 10.0.0.1;rport=0", ("10.0.0.1", 0), ("10.0.0.1", 5061)),
    ],
)
def test_responses_go_where_the_via_says(
    text: str, source: tuple[str, int], address: tuple[str, int]
) -> None:
    assert Via.parse(text).stamped(*source).response_address() == address


@pytest.mark.parametrize("text", ["", "SIP/1.0/UDP h", "SIP/2.0/UDP", "SIP/2.0/UDP h:70000"])
def test_bad_via(text: str) -> None:
    with pytest.raises(ParseError):
        Via.parse(text)


def test_cseq() -> None:
    assert CSeq.parse("0009 INVITE") == CSeq(9, "INVITE")
    assert str(CSeq(1, "BYE")) == "1 BYE"
    for text in ("", "INVITE", "1", "-1 BYE", "2147483648 BYE", "9" * 5000 + " BYE"):
        with pytest.raises(ParseError):
            CSeq.parse(text)
