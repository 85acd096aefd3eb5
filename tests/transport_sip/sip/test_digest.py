import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookswitch_transport_sip.sip.digest import Challenge, Credentials
from hookswitch_transport_sip.sip.digest_client import DigestClient
from hookswitch_transport_sip.sip.digest_server import DigestServer, Verdict
from hookswitch_transport_sip.sip.errors import ParseError
from hookswitch_transport_sip.sip.events import Answered, Failed, InviteReceived
from hookswitch_transport_sip.sip.message import Request, Response
from hookswitch_transport_sip.sip.parser import parse
from hookswitch_transport_sip.sip.uri import Uri

from .pair import ANSWER, A, B, Network

MD5 = 'Digest realm="r", nonce="n1", qop="auth", algorithm=MD5'
SHA = 'Digest realm="r", nonce="n2", qop="auth,auth-int", algorithm=SHA-256, opaque="o"'


def client() -> DigestClient:
    numbers = itertools.count()
    return DigestClient("Mufasa", "Circle of Life", lambda: f"cn{next(numbers)}")


def challenged(*values: str, status: int = 401) -> Response:
    name = "WWW-Authenticate" if status == 401 else "Proxy-Authenticate"
    return Response(status, headers=[(name, value) for value in values])


@pytest.mark.parametrize(
    ("algorithm", "expected"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_published_example(algorithm: str, expected: str) -> None:
    """RFC 7616 section 3.9.1."""
    credentials = Credentials(
        "Mufasa",
        "http-auth@example.org",
        "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
        "/dir/index.html",
        expected,
        algorithm,
        qop="auth",
        cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
        nc="00000001",
    )
    assert credentials.expected("Circle of Life", "GET") == expected
    assert Credentials.parse(str(credentials)) == credentials


def test_published_example_of_old() -> None:
    """RFC 2617 section 3.5, with and without qop."""
    text = (
        'Digest username="Mufasa", realm="testrealm@host.com", uri="/dir/index.html",'
        ' nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", nc=00000001, cnonce="0a4f113b", qop=auth,'
        ' response="6629fae49393a05397450978507c4ef1"'
    )
    credentials = Credentials.parse(text)
    assert credentials.expected("Circle Of Life", "GET") == credentials.response
    old = Credentials.parse(text.replace('cnonce="0a4f113b", qop=auth,', ""))
    assert old.expected("Circle Of Life", "GET") == "670fd8c2df070c60b045671b8b24ff02"


def test_challenges_round_trip() -> None:
    challenge = Challenge.parse(SHA + ", stale=TRUE")
    assert challenge == Challenge("r", "n2", "SHA-256", ("auth", "auth-int"), "o", True)
    assert Challenge.parse(str(challenge)) == challenge


@pytest.mark.parametrize(
    "text", ["", "Basic x", 'Digest realm="r"', 'Digest realm="r" nonce', "Digest realm=,nonce=x"]
)
def test_bad_challenges(text: str) -> None:
    with pytest.raises(ParseError):
        Challenge.parse(text)


@given(st.text())
def test_any_text_is_a_challenge_or_an_error(text: str) -> None:
    try:
        challenge = Challenge.parse("Digest " + text)
    except ParseError:
        return
    assert Challenge.parse(str(challenge)) == challenge


def test_the_strongest_challenge_is_answered() -> None:
    digest = client()
    assert digest.accept(challenged(MD5, SHA, 'Digest realm="r", nonce="x", algorithm=FOO'))
    ((name, value),) = digest.authorize("INVITE", "sip:a@b")
    credentials = Credentials.parse(value)
    assert name == "Authorization"
    assert (credentials.algorithm, credentials.opaque, credentials.qop) == ("SHA-256", "o", "auth")
    assert credentials.response == credentials.expected("Circle of Life", "INVITE")


def test_the_nonce_count_rises() -> None:
    digest = client()
    assert digest.accept(challenged(MD5))
    counts = [Credentials.parse(digest.authorize("BYE", "sip:a")[0][1]).count for _ in range(3)]
    assert counts == [1, 2, 3]


def test_proxy_and_server_are_answered_together() -> None:
    digest = client()
    assert digest.accept(challenged(MD5, status=407))
    assert digest.accept(challenged(MD5))
    assert [n for n, _ in digest.authorize("INVITE", "sip:a")] == [
        "Proxy-Authorization",
        "Authorization",
    ]


def test_a_refusal_is_final_but_a_stale_nonce_gets_one_more_try() -> None:
    digest = client()
    assert digest.accept(challenged(MD5))
    assert not digest.accept(challenged(MD5))
    assert digest.accept(challenged(MD5 + ", stale=true"))
    assert not digest.accept(challenged(MD5 + ", stale=true"))
    digest.succeeded()
    assert digest.accept(challenged(MD5))


@pytest.mark.parametrize(
    "values", [(), ("Basic realm=x",), (MD5.replace("MD5", "X"),), (MD5.replace("auth", "odd"),)]
)
def test_nothing_usable(values: tuple[str, ...]) -> None:
    assert not client().accept(challenged(*values))


@pytest.mark.parametrize("extra", ["", ", algorithm=MD5-sess", ", algorithm=SHA-256-sess"])
@pytest.mark.parametrize("qop", ["", ', qop="auth-int"'])
def test_variants_verify(extra: str, qop: str) -> None:
    digest = client()
    assert digest.accept(challenged('Digest realm="r", nonce="n"' + extra + qop))
    credentials = Credentials.parse(digest.authorize("INVITE", "sip:a@b", b"body")[0][1])
    assert credentials.response == credentials.expected("Circle of Life", "INVITE", b"body")
    assert ("sess" in extra or bool(qop)) == (credentials.cnonce is not None)
    if qop:
        assert credentials.response != credentials.expected("Circle of Life", "INVITE", b"other")


def signed(digest: DigestClient) -> Request:
    headers = digest.authorize("REGISTER", "sip:h")
    return Request("REGISTER", Uri.parse("sip:h"), headers)


def test_the_server_side() -> None:
    server = DigestServer("r", b"key", lifetime=60)
    digest = client()
    passwords = {"Mufasa": "Circle of Life"}.get
    bare = Request("REGISTER", Uri.parse("sip:h"))
    assert server.verify(bare, passwords, 1000.0) == (Verdict.MISSING, None)
    assert digest.accept(challenged(*server.challenges(1000.0)))
    request = signed(digest)
    assert server.verify(request, passwords, 1001.0) == (Verdict.ACCEPTED, "Mufasa")
    assert server.verify(request, passwords, 1001.0)[0] is Verdict.STALE, "replayed"
    assert server.verify(signed(digest), passwords, 1002.0)[0] is Verdict.ACCEPTED
    assert server.verify(signed(digest), passwords, 1061.0)[0] is Verdict.STALE
    assert server.verify(signed(digest), {"Mufasa": "x"}.get, 1002.0)[0] is Verdict.REFUSED
    assert server.verify(signed(digest), {}.get, 1002.0)[0] is Verdict.REFUSED
    other = DigestServer("r", b"another key")
    assert other.verify(signed(digest), passwords, 1002.0)[0] is Verdict.STALE, "not its nonce"


class Guard:
    """A callee that wants a password for every call."""

    def __init__(self, net: Network, status: int) -> None:
        self.net, self.status = net, status
        self.server = DigestServer("r", b"key")
        self.seen: list[int] = []
        net.react[B] = self.react

    def react(self, event: object) -> None:
        if not isinstance(event, InviteReceived):
            return
        self.seen.append(event.request.cseq.number)
        asking, answering = {
            401: ("WWW-Authenticate", "Authorization"),
            407: ("Proxy-Authenticate", "Proxy-Authorization"),
        }[self.status]
        verdict, _ = self.server.verify(event.request, {"bob": "pw"}.get, self.net.now, answering)
        if verdict is Verdict.ACCEPTED:
            event.call.answer(ANSWER, self.net.now)
            return
        headers = [(asking, value) for value in self.server.challenges(self.net.now)]
        event.call.reject(self.status, self.net.now, headers=headers)


@pytest.mark.parametrize("status", [401, 407])
def test_a_challenged_call_goes_through(status: int) -> None:
    net = Network()
    guard = Guard(net, status)
    call = net.call(username="bob", password="pw")
    net.run(1)
    assert net.names(A) == ["Answered"]
    assert guard.seen == [1, 2]
    name = b"Authorization: Digest" if status == 401 else b"Proxy-Authorization: Digest"
    ack = [data for who, data in net.sent if who == A and data.startswith(b"ACK")][-1]
    assert name in ack
    call.bye(net.now)
    net.run(100)
    assert all(agent.is_idle for agent in net.agents.values())


@pytest.mark.parametrize(("username", "tries"), [(None, 1), ("bob", 2), ("eve", 2)])
def test_wrong_or_no_password_fails_with_the_status(username: str | None, tries: int) -> None:
    net = Network()
    guard = Guard(net, 401)
    net.call(username=username, password="wrong")
    net.run(1)
    (failed,) = net.find(A, Failed)
    assert isinstance(failed, Failed)
    assert failed.status == 401
    assert len(guard.seen) == tries
    assert not net.find(A, Answered)


def test_a_message_with_credentials_survives_the_wire() -> None:
    net = Network()
    Guard(net, 401)
    net.call(username="bob", password="pw")
    net.run(1)
    again = [data for who, data in net.sent if who == A and data.startswith(b"INVITE")][1]
    credentials = Credentials.parse(parse(again).headers.get("Authorization") or "")
    assert credentials.uri == "sip:bob@192.0.2.2"


def test_unreadable_and_foreign_credentials_count_as_none() -> None:
    server = DigestServer("r", b"key")
    headers = [("Authorization", "Digest x"), ("Authorization", "Basic y")]
    digest = client()
    assert digest.accept(challenged('Digest realm="elsewhere", nonce="n", qop="auth"'))
    request = Request("REGISTER", Uri.parse("sip:h"), [*headers, *digest.authorize("R", "sip:h")])
    assert server.verify(request, {}.get, 0.0)[0] is Verdict.MISSING
    with pytest.raises(ParseError):
        Credentials.parse('Digest username="a"')


def test_an_algorithm_not_offered_is_refused() -> None:
    server = DigestServer("r", b"key", algorithms=("SHA-256",))
    digest = client()
    (challenge,) = server.challenges(0.0)
    assert digest.accept(challenged(challenge.replace("SHA-256", "MD5")))
    verdict, _ = server.verify(signed(digest), {"Mufasa": "Circle of Life"}.get, 1.0)
    assert verdict is Verdict.REFUSED


def test_used_nonces_are_forgotten_when_they_expire() -> None:
    server = DigestServer("r", b"key", lifetime=10)
    for number in range(1200):
        digest = client()
        assert digest.accept(challenged(*server.challenges(float(number))))
        verdict, _ = server.verify(signed(digest), {"Mufasa": "Circle of Life"}.get, number + 0.5)
        assert verdict is Verdict.ACCEPTED
    assert len(server._counts) < 300
