"""Messages after RFC 4475, by the names it gives them: the feature each one tests."""

from __future__ import annotations

import itertools

import pytest

from hookswitch_transport_sip.sip.errors import ParseError
from hookswitch_transport_sip.sip.message import Request, Response
from hookswitch_transport_sip.sip.parser import parse

from .outcome import REGISTERS, RINGS, SILENCE, STRANGER, let_go, outcome_of
from .pair import B

SDP = "v=0\no=- 1 1 IN IP4 192.0.2.1\ns=-\nt=0 0\n"


NUMBERS = itertools.count(1)
"""No two messages are of one call or transaction unless that is what is tested."""


def wire(text: str, body: str = "") -> bytes:
    return (text + "\n" + body).replace("\n", "\r\n").encode()


def plain(
    start: str,
    *,
    via: str | None = None,
    to: str = "sip:j.user@example.com",
    from_: str = "sip:caller@example.org;tag=33242",
    call_id: str | None = None,
    cseq: str | None = None,
    forwards: str = "Max-Forwards: 70\n",
    extra: str = "",
    body: str = "",
) -> bytes:
    number = next(NUMBERS)
    via = via or f"SIP/2.0/UDP host.example.com;branch=z9hG4bKx{number}"
    call_id = call_id or f"torture.{number}"
    cseq = cseq or f"1 {start.split()[0]}"
    head = f"{start}\nVia: {via}\nTo: {to}\nFrom: {from_}\nCall-ID: {call_id}\nCSeq: {cseq}\n"
    return wire(head + forwards + extra, body)


WSINV = wire(
    """INVITE sip:vivekg@chair-dnrc.example.com;unknownparam SIP/2.0
TO :
 sip:vivekg@chair-dnrc.example.com ;   tag    = 1918181833n
from   : "J Rosenberg \\\\\\""       <sip:jdrosen@example.com>
  ;
  tag = 98asjd8
MaX-fOrWaRdS: 0068
Call-ID: wsinv.ndaksdj@192.0.2.1
Content-Length   : 43
cseq: 0009
  INVITE
Via  : SIP  /   2.0
 /UDP
    192.0.2.2;branch=390skdjuw
s :
NewFangledHeader:   newfangled value
 continued newfangled value
UnknownHeaderWithUnusualValue: ;;,,;;,;
Content-Type: application/sdp
Route:
 <sip:services.example.com;lr;unknownwith=value;unknown-no-value>
v:  SIP  / 2.0  / TCP     spindle.example.com   ;
  branch  =   z9hG4bK9ikj8  ,
 SIP  /    2.0   / UDP  192.168.255.111   ; branch=
 z9hG4bK30239
m:"Quoted string \\"\\"" <sip:jdrosen@example.com> ; newparam =
      newvalue ;
  secondparam ; q = 0.33
""",
    SDP,
)
METHOD = "!interesting-Method0123456789_*+`.%indeed'~"
USER = "1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*"
INTMETH = plain(
    f"{METHOD} sip:{USER}:&it+has=1,weird!*pas$wo~d_too.(doesn't-it)@example.com SIP/2.0",
    via="SIP/2.0/TCP host1.example.com;branch=z9hG4bK-.!%66*_+`'~",
    to=f'"BEL:\\\x07 NUL:\\\x00 DEL:\\\x7f" <sip:{USER}@example.com>',
    from_="token1~` token2'+_ token3*%!.- <sip:mundane@example.com>"
    ";fromParam''~+*_!.-%=\"работающий\";tag=_token~1'+`*%!-.",
    call_id="intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{",
    extra="extensionHeader-!.%*+_`'~:\ufeff大停電\n",
)

VALID = {
    "wsinv": WSINV,
    "intmeth": INTMETH,
    "esc01": plain(
        "INVITE sip:sips%3Auser%40example.com@example.net SIP/2.0",
        to="sip:%75se%72@example.com",
        from_="<sip:I%20have%20spaces@example.net>;tag=938",
        extra="Contact:\n <sip:cal%6Cer@host5.example.net;%6C%72;n%61me=v%61lue%25%34%31>\n",
    ),
    "escnull": plain(
        "REGISTER sip:example.com SIP/2.0",
        to="sip:null-%00-null@example.com",
        from_="sip:null-%00-null@example.com;tag=839923423",
        extra="Contact: <sip:%00@h5.example.com>\nContact: <sip:%00%00@h5.example.com>\nL:0\n",
    ),
    "esc02": plain(
        "RE%47IST%45R sip:registrar.example.com SIP/2.0",
        to='"%Z%45" <sip:resource@example.com>',
        from_='"%Z%45" <sip:resource@example.com>;tag=f232jadfj23',
        extra="Contact:\n <sip:alias3@host.example.com>,\n <sip:alias2@host2.example.com>\n",
    ),
    "lwsdisp": plain("OPTIONS sip:user@example.com SIP/2.0", from_="caller<sip:c@e.org>;tag=323"),
    "longreq": plain(
        "INVITE sip:user@example.com SIP/2.0",
        to='"' + "I have a user name of extreme length " * 20 + '" <sip:u@e.com:6000;'
        + "unknownparam=" + "v" * 500 + ">",
        via=", ".join(f"SIP/2.0/TCP sip{n}.example.com" for n in range(33)),
        from_="sip:amazinglylongcallername" + "x" * 300 + "@example.net;tag=12982" + "4" * 300,
        call_id="longreq.one" + "really" * 20 + "longcallid",
        extra="Unknown-" + "Long" * 20 + "-Name: unknown-" + "long" * 30 + "-value\n",
    ),
    "dblreq": plain("REGISTER sip:example.com SIP/2.0", extra="l: 0\n")
    + plain("INVITE sip:joe@example.com SIP/2.0"),
    "semiuri": plain("OPTIONS sip:user;par=u%40example.net@example.com SIP/2.0"),
    "transports": plain(
        "OPTIONS sip:user@example.com SIP/2.0",
        via="SIP/2.0/UDP t1.example.com;branch=z9hG4bKkdjuw,\n SIP/2.0/SCTP t2,\n SIP/2.0/TLS t3,"
        "\n SIP/2.0/UNKNOWN t4,\n SIP/2.0/TCP t5",
    ),
    "unreason": plain(
        "SIP/2.0 200 = 2**3 * 5**2 но сто девяносто девять - простое", cseq="1 INVITE"
    ),
    "noreason": plain("SIP/2.0 100 ", cseq="1 INVITE"),
    "badbranch": plain("OPTIONS sip:u@e.com SIP/2.0", via="SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK"),
    "inv2543": plain("INVITE sip:u@e.com SIP/2.0", via="SIP/2.0/UDP iftgw", forwards=""),
    "unkscm": plain("OPTIONS nobodyKnowsThisScheme:totallyopaquecontent SIP/2.0"),
    "novelsc": plain("OPTIONS soap.beep://192.0.2.103:3002 SIP/2.0"),
    "unksm2": plain("REGISTER sip:e.com SIP/2.0", to="isbn:2983792873"),
    "cparam01": plain(
        "REGISTER sip:e.com SIP/2.0", extra="Contact: sip:+1972@gw1.example.net;unknownparam\n"
    ),
    "cparam02": plain(
        "REGISTER sip:e.com SIP/2.0", extra="Contact: <sip:+1972@gw1.example.net;unknownparam>\n"
    ),
    "regescrt": plain(
        "REGISTER sip:e.com SIP/2.0",
        extra="Contact: <sip:user@example.com?Route=%3Csip:sip.example.com%3E>\n",
    ),
    "zeromf": plain("OPTIONS sip:u@e.com SIP/2.0", forwards="Max-Forwards: 0\n"),
    "bext01": plain(
        "OPTIONS sip:u@e.com SIP/2.0",
        extra="Require: nothingSupportsThis, nothingSupportsThisEither\n"
        "Proxy-Require: noProxiesSupportThis\n",
    ),
    "invut": plain(
        "INVITE sip:u@e.com SIP/2.0",
        extra="Content-Type: application/unknownformat\nContent-Length: 5\n", body="<odd>",
    ),
    "regaut01": plain(
        "REGISTER sip:e.com SIP/2.0",
        extra='Authorization: UnheardOfScheme opaque-data="here", "there"=3\nContact: <sip:u@h>\n',
    ),
    "mpart01": plain(
        "MESSAGE sip:kumiko@example.org SIP/2.0",
        extra='Content-Type: multipart/mixed;boundary=7a9cbec02ceef655\n',
        body="--7a9cbec02ceef655\nContent-Type: text/plain\n\nhello\n--7a9cbec02ceef655\n"
        "Content-Type: application/octet-stream\nContent-Transfer-Encoding: binary\n\n"
        "\x00\x01--7a9\x02\n--7a9cbec02ceef655--\n",
    ),
    "sdp01": plain(
        "INVITE sip:u@e.com SIP/2.0",
        extra="Contact: <sip:caller@h5.example.net>\nAccept: text/nobodyKnowsThis\n",
    ),
    "bcast": plain(
        "SIP/2.0 200 OK", cseq="1 INVITE",
        via="SIP/2.0/UDP 192.0.2.198;branch=z9hG4bK1324923,"
        "\n SIP/2.0/UDP 255.255.255.255;branch=z9hG4bK1saber23",
    ),
}  # fmt: skip

INVALID = {
    "badinv01": plain(
        "INVITE sip:user@example.com SIP/2.0",
        via="SIP/2.0/UDP 192.0.2.15;;,;,,",
        extra='Contact: "Joe" <sip:joe@example.org>;;;;\n',
    ),
    "clerr": plain("INVITE sip:u@e.com SIP/2.0", extra="Content-Length: 9999\n", body=SDP),
    "ncl": plain("INVITE sip:u@e.com SIP/2.0", extra="Content-Length: -999\n", body=SDP),
    "scalar02": plain(
        "REGISTER sip:example.com SIP/2.0", cseq="36893488147419103232 REGISTER",
        forwards="Max-Forwards: 300\n", extra="Expires: 10000000000000000\n",
    ),
    "quotbal": plain("INVITE sip:u@e.com SIP/2.0", to='"Mr. J. User <sip:j.user@example.com>'),
    "ltgtruri": plain("INVITE <sip:user@example.com> SIP/2.0"),
    "lwsruri": plain("INVITE sip:user@example.com; lr SIP/2.0"),
    "lwsstart": plain("INVITE  sip:user@example.com  SIP/2.0"),
    "trws": plain("OPTIONS sip:remote-target@example.com SIP/2.0  "),
    "escruri": plain("INVITE sip:user@example.com?Route=<sip:example.com> SIP/2.0"),
    "baddate": plain(
        "INVITE sip:u@e.com SIP/2.0", extra="Date: Fri, 01 Jan 2010 16:00:00 EST\n"
    ),
    "regbadct": plain(
        "REGISTER sip:e.com SIP/2.0", extra="Contact: sip:u@e.com?Route=%3Csip:sip.e.com%3E\n"
    ),
    "badaspec": plain(
        "OPTIONS sip:u@e.org SIP/2.0", to='"Watson, Thomas" < sip:t.watson@example.org >'
    ),
    "baddn": plain("OPTIONS sip:u@e.org SIP/2.0", from_="Bell, Alexander <sip:a@e.com>;tag=43"),
    "badvers": plain(
        "OPTIONS sip:u@e.org SIP/7.0", via="SIP/7.0/UDP c.example.com;branch=z9hG4bKkdjuw"
    ),
    "mismatch01": plain("OPTIONS sip:u@e.org SIP/2.0", cseq="8 INVITE"),
    "mismatch02": plain("NEWMETHOD sip:u@e.org SIP/2.0", cseq="8 INVITE"),
    "bigcode": plain("SIP/2.0 4294967301 better not break the receiver", cseq="1 INVITE"),
    "scalarlg": plain("SIP/2.0 503 Service Unavailable", cseq="9292394834772304023312 OPTIONS"),
    "insuf": wire(
        "INVITE sip:user@example.com SIP/2.0\nCSeq: 193942 INVITE\n"
        "Via: SIP/2.0/UDP 192.0.2.95;branch=z9hG4bKkdj.insuf\n"
        "Content-Type: application/sdp\n", SDP,
    ),
    "multi01": plain("INVITE sip:u@e.com SIP/2.0", extra="CSeq: 59 INVITE\nTo: sip:other@e.net\n"),
    "mcl01": plain("OPTIONS sip:u@e.com SIP/2.0", extra="Content-Length: 13\nContent-Length: 5\n"),
}  # fmt: skip


@pytest.mark.parametrize("name", VALID)
def test_accepts(name: str) -> None:
    message = parse(VALID[name])
    assert message.vias
    assert bytes(parse(bytes(message))) == bytes(message)


@pytest.mark.parametrize("name", INVALID)
def test_refuses(name: str) -> None:
    with pytest.raises(ParseError) as caught:
        parse(INVALID[name])
    assert caught.value.status == (505 if name == "badvers" else 400)


OUTCOMES: dict[str, str | int] = {
    "wsinv": 481,  # of a dialog that is none of ours
    "intmeth": 501,
    "esc01": RINGS,
    "escnull": REGISTERS,
    "esc02": 501,  # its name is escaped, so it is no REGISTER
    "lwsdisp": 200,
    "longreq": RINGS,
    "dblreq": REGISTERS,  # what follows in the datagram is no second request
    "semiuri": 200,
    "transports": 200,
    "unreason": SILENCE,
    "noreason": SILENCE,
    "badbranch": 200,
    "inv2543": RINGS,
    "unkscm": 416,
    "novelsc": 416,
    "unksm2": REGISTERS,
    "cparam01": REGISTERS,
    "cparam02": REGISTERS,
    "regescrt": REGISTERS,
    "zeromf": 200,  # we are where it goes
    "bext01": 420,
    "invut": 415,
    "regaut01": REGISTERS,
    "mpart01": 405,
    "sdp01": 406,
    "bcast": SILENCE,
    **dict.fromkeys(INVALID, 400),
}
OUTCOMES |= {
    "badvers": 505,
    "bigcode": SILENCE,
    "scalarlg": SILENCE,
}


def test_all_have_an_outcome() -> None:
    messages = {**VALID, **INVALID}
    assert set(OUTCOMES) == set(messages)
    ids = [data.split(b"torture.")[1].split(b"\r")[0] for data in messages.values()
           if b"torture." in data]  # fmt: skip
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("name", OUTCOMES)
def test_what_an_agent_makes_of_it(name: str) -> None:
    net, outcome = outcome_of({**VALID, **INVALID}[name])
    assert outcome == OUTCOMES[name]
    let_go(net, B)
    net.run(200)
    assert net.agents[B].is_idle


def test_what_a_refusal_names() -> None:
    net, _ = outcome_of(VALID["bext01"])
    assert b"Unsupported: nothingSupportsThis, nothingSupportsThisEither\r\n" in net.sent[0][1]
    net, _ = outcome_of(VALID["invut"])
    assert b"Accept: application/sdp" in net.sent[0][1]
    net, _ = outcome_of(VALID["mpart01"])
    assert b"Allow: INVITE" in net.sent[0][1]


def test_who_sends_a_messy_via_gets_it_back() -> None:
    """Where it came from: what it says of where an answer goes cannot be read."""
    net, outcome = outcome_of(INVALID["badinv01"])
    assert outcome == 400
    ((_, data, target),) = net.targets
    assert target == STRANGER
    lines = data.split(b"\r\n")
    assert b"Via: SIP/2.0/UDP 192.0.2.15;;,;,," in lines
    assert lines[0] == b"SIP/2.0 400 Bad Request"
    with pytest.raises(ParseError):
        parse(INVALID["badinv01"])


def test_short_tortuous_invite() -> None:
    message = parse(WSINV)
    assert isinstance(message, Request)
    assert message.from_.display == 'J Rosenberg \\"'
    assert (message.from_.tag, message.to.tag) == ("98asjd8", "1918181833n")
    assert (message.max_forwards, message.cseq.number) == (68, 9)
    assert [via.transport for via in message.vias] == ["UDP", "TCP", "UDP"]
    assert message.vias[2].branch == "z9hG4bK30239"
    assert message.headers.get("Subject") == ""
    assert message.headers.get("NewFangledHeader") == "newfangled value continued newfangled value"
    assert message.contacts[0].params.get("q") == "0.33"
    assert message.routes[0].uri.is_loose_router
    assert message.sdp == SDP.replace("\n", "\r\n").encode()


def test_wide_range_of_characters() -> None:
    message = parse(INTMETH)
    assert isinstance(message, Request)
    assert message.method == METHOD
    assert message.uri.user == USER
    assert message.to.display == "BEL:\x07 NUL:\0 DEL:\x7f"
    assert message.from_.tag == "_token~1'+`*%!-."


def test_escapes_are_resolved_once_and_only_where_they_are_escapes() -> None:
    message = parse(VALID["esc01"])
    assert isinstance(message, Request)
    assert message.uri.username == "sips:user@example.com"
    assert message.contacts[0].uri.params.get("n%61me") == "v%61lue%25%34%31"
    method = parse(VALID["esc02"])
    assert isinstance(method, Request)
    assert method.method == "RE%47IST%45R"
    assert parse(VALID["escnull"]).contacts[1].uri.username == "\0\0"


def test_contact_parameters_belong_to_the_header_without_brackets() -> None:
    bare, bracketed = parse(VALID["cparam01"]).contacts[0], parse(VALID["cparam02"]).contacts[0]
    assert "unknownparam" in bare.params
    assert "unknownparam" in bracketed.uri.params


def test_reasons() -> None:
    full, none = parse(VALID["unreason"]), parse(VALID["noreason"])
    assert isinstance(full, Response)
    assert isinstance(none, Response)
    assert full.reason.endswith("простое")
    assert none.reason == ""
