from hookswitch_transport_sip.sip.dialog import Dialog
from hookswitch_transport_sip.sip.message import Request, Response
from hookswitch_transport_sip.sip.uri import Uri


def invite(**headers: str) -> Request:
    fields = {
        "Via": "SIP/2.0/UDP h;branch=z9hG4bK1",
        "From": "<sip:a@h>;tag=a",
        "To": "<sip:b@h>",
        "Call-ID": "c",
        "CSeq": "5 INVITE",
        "Contact": "<sip:a@1.1.1.1?X=y>",
    }
    fields |= {name.replace("_", "-"): value for name, value in headers.items()}
    return Request("INVITE", Uri.parse("sip:b@h"), fields.items())


def answer(**headers: str) -> Response:
    fields = {"Contact": "<sip:b@2.2.2.2>"}
    fields |= {name.replace("_", "-"): value for name, value in headers.items()}
    return Response.to_request(invite(), 200, to_tag="b", headers=fields.items())


def test_both_ends_name_the_same_dialog() -> None:
    caller, callee = Dialog.uac(invite(), answer()), Dialog.uas(invite(), "b")
    assert caller.id == ("c", "a", "b")
    assert callee.id == ("c", "b", "a")
    assert str(caller.remote_target) == "sip:b@2.2.2.2"
    assert str(callee.remote_target) == "sip:a@1.1.1.1"


def test_requests_count_up_and_follow_a_loose_route() -> None:
    dialog = Dialog.uac(invite(), answer(Record_Route="<sip:p2;lr>, <sip:p1;lr>"))
    first, second = dialog.request("BYE"), dialog.request("BYE")
    assert [first.cseq.number, second.cseq.number] == [6, 7]
    assert str(first.uri) == "sip:b@2.2.2.2"
    assert first.headers.get_all("Route") == ["<sip:p1;lr>", "<sip:p2;lr>"]
    assert str(dialog.next_hop) == "sip:p1;lr"
    assert str(first.to) == "<sip:b@h>;tag=b"


def test_a_strict_router_gets_itself_as_request_uri() -> None:
    dialog = Dialog.uas(invite(Record_Route="<sip:p1;method=X>, <sip:p2;lr>"), "b")
    bye = dialog.request("BYE")
    assert str(bye.uri) == "sip:p1"
    assert bye.headers.get_all("Route") == ["<sip:p2;lr>", "<sip:a@1.1.1.1>"]
    assert dialog.next_hop.host == "p1"


def test_ack_has_the_number_and_credentials_of_its_invite() -> None:
    dialog = Dialog.uac(invite(), answer())
    dialog.request("INFO")
    ack = dialog.ack(invite(Authorization="Digest x"))
    assert (ack.cseq.number, ack.cseq.method) == (5, "ACK")
    assert ack.headers.get("Authorization") == "Digest x"


def test_cseq_must_rise() -> None:
    dialog = Dialog.uas(invite(), "b")
    assert not dialog.accepts(invite(CSeq="5 INVITE"))
    assert dialog.accepts(invite(CSeq="9 INVITE"))
    assert not dialog.accepts(invite(CSeq="8 INVITE"))


def test_the_target_follows_the_contact() -> None:
    dialog = Dialog.uas(invite(), "b")
    dialog.refresh_target(invite(Contact="<sip:a@3.3.3.3>"))
    assert str(dialog.request("BYE").uri) == "sip:a@3.3.3.3"


def test_peers_without_contact_or_tags_still_work() -> None:
    bare = invite(From="<sip:a@h>")
    bare.headers.remove("Contact")
    dialog = Dialog.uas(bare, "b")
    assert dialog.id == ("c", "b", "")
    assert str(dialog.remote_target) == "sip:a@h"
    reply = answer()
    reply.headers.remove("Contact")
    assert str(Dialog.uac(invite(), reply).remote_target) == "sip:b@h"
