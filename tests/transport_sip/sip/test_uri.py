import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookswitch_transport_sip.sip.errors import ParseError
from hookswitch_transport_sip.sip.uri import Uri

ROUND_TRIPS = [
    "sip:alice@atlanta.com",
    "sip:alice:secretword@atlanta.com;transport=tcp",
    "sips:alice@atlanta.com?subject=project%20x&priority=urgent",
    "sip:+1-212-555-1212:1234@gateway.com;user=phone",
    "sip:alice;day=tuesday@atlanta.com",
    "sip:[2001:db8::10]:5070;lr",
    "sip:*21#@pbx_1.example.com",
    "sip:atlanta.com;method=REGISTER?to=alice%40atlanta.com",
    "tel:+358-555-1234567;phone-context=example.com",
    "urn:service:sos",
]


@pytest.mark.parametrize("text", ROUND_TRIPS)
def test_prints_what_it_read(text: str) -> None:
    assert str(Uri.parse(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "alice@example.com",
        "sip:",
        "sip:@host",
        "sip:alice@",
        "sip:a b@host",
        "sip:a@host:99999",
        "sip:a@b@host",
        "sip:a%4@host",
        "sip:a@[::1",
        "sip:a@host;",
        "sip:a@host?x",
        "tel:",
        "tel:hello",
        "<sip:a@host>",
    ],
)
def test_refuses(text: str) -> None:
    with pytest.raises(ParseError) as caught:
        Uri.parse(text)
    assert caught.value.status == 400


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
        ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;newparam=5"),
        ("sip:alice@atlanta.com?a=1&b=2", "sip:alice@atlanta.com?b=2&a=1"),
        ("tel:+1-201-555-0123", "tel:+12015550123"),
    ],
)
def test_equal_by_the_rules(left: str, right: str) -> None:
    assert Uri.parse(left).same_as(Uri.parse(right))
    assert Uri.parse(right).same_as(Uri.parse(left))


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("sip:ALICE@atlanta.com", "sip:alice@atlanta.com"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
        ("sip:bob@biloxi.com", "sips:bob@biloxi.com"),
        ("sip:a@h;security=on", "sip:a@h;security=off"),
        ("sip:a@h", "sip:a@h?subject=x"),
        ("sip:a%3Bb@h", "sip:a;b@h"),
        ("sip:a@h", "tel:a"),
    ],
)
def test_different_by_the_rules(left: str, right: str) -> None:
    assert not Uri.parse(left).same_as(Uri.parse(right))


def test_parts() -> None:
    uri = Uri.parse("sip:al%20ice:pw@[::1]:5062;lr;maddr=10.0.0.1?Replaces=x%3By")
    assert (uri.username, uri.password, uri.host, uri.port) == ("al ice", "pw", "::1", 5062)
    assert uri.is_loose_router
    assert uri.params.get("maddr") == "10.0.0.1"
    assert uri.headers == (("Replaces", "x%3By"),)
    assert str(uri.without_headers()) == "sip:al%20ice:pw@[::1]:5062;lr;maddr=10.0.0.1"


@given(st.text(), st.from_regex(r"[a-z][a-z0-9.]{0,20}", fullmatch=True))
def test_any_user_name_survives(user: str, host: str) -> None:
    try:
        user.encode()
    except UnicodeEncodeError:
        return
    uri = Uri.parse(str(Uri.sip(user, host)))
    assert (uri.username or "") == user
    assert uri.host == host


@given(st.text(alphabet="sip:tel@[];=?&%4a.,<>\"'\\ \0é", max_size=40))
def test_raises_nothing_but_parse_errors(text: str) -> None:
    try:
        uri = Uri.parse(text)
    except ParseError:
        return
    assert Uri.parse(str(uri)) == uri
