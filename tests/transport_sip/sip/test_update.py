"""UPDATE (RFC 3311) before and after the answer, glare, and re-INVITEs without an offer."""

from __future__ import annotations

from hookswitch_transport_sip.sip.dialog import Dialog
from hookswitch_transport_sip.sip.events import (
    Answered,
    OfferReceived,
    ReinviteAcknowledged,
    ReinviteAnswered,
    ReinviteReceived,
)
from hookswitch_transport_sip.sip.message import Request, Response

from .extended import assert_idle, callee, established, messages, network
from .pair import ANSWER, OFFER, A, Address, B, Network

NEW = b"v=0\r\no=new\r\n"


def update(net: Network, source: Address, dialog: Dialog, sdp: bytes = b"") -> Response:
    """Send an UPDATE by hand; answers the response, or the one to be."""
    request = dialog.request("UPDATE")
    branch = f"z9hG4bKu{request.cseq.number}"
    request.headers.prepend("Via", f"SIP/2.0/UDP {source[0]};branch={branch}")
    request.headers.add("Contact", f"<sip:moved@{source[0]}>")
    if sdp:
        request.set_body(sdp, "application/sdp")
    target = B if source == A else A
    net.inject(bytes(request), source, target)
    found = [m for m in _responses(net, target) if m.cseq == request.cseq]
    return found[-1] if found else Response.to_request(request, 100)


def _responses(net: Network, who: Address) -> list[Response]:
    return [m for s in ("200", "481", "488", "491", "500", "415") for m in messages(net, who, s)
            if isinstance(m, Response)]  # fmt: skip


def dialog_of(net: Network, side: Address) -> Dialog:
    event = next(e for e in net.log[side] if hasattr(e, "call"))
    dialog = event.call.dialog
    assert dialog is not None
    return dialog


def test_without_an_offer_it_is_answered_at_once_and_moves_the_target() -> None:
    net = established()
    response = update(net, A, dialog_of(net, A))
    assert response.status == 200
    assert response.contacts
    assert dialog_of(net, B).remote_target.user == "moved"
    assert not net.find(B, OfferReceived)


def test_with_an_offer_it_is_answered_by_the_user() -> None:
    net = established()
    net.react.clear()
    assert update(net, A, dialog_of(net, A), NEW).status == 100
    (offered,) = net.find(B, OfferReceived)
    assert isinstance(offered, OfferReceived)
    assert offered.sdp == NEW
    offered.call.accept_offer(ANSWER, net.now)
    net.flush()
    (accepted,) = [m for m in _responses(net, B) if m.cseq.method == "UPDATE"]
    assert accepted.body == ANSWER
    assert update(net, A, dialog_of(net, A), NEW).status == 100
    offered.call.reject_offer(net.now)
    net.flush()
    assert net.starts(B)[-1] == "488"
    net.log[A][0].call.bye(net.now)  # type: ignore[union-attr]
    assert_idle(net)


def test_a_second_offer_before_our_answer_gets_500() -> None:
    net = established()
    net.react.clear()
    update(net, A, dialog_of(net, A), NEW)
    refused = update(net, A, dialog_of(net, A), NEW)
    assert refused.status == 500
    assert 0 <= int(refused.headers.get("Retry-After") or -1) <= 10
    net.log[A][0].call.reinvite(OFFER, net.now)  # type: ignore[union-attr]
    net.run(0.1)
    assert net.starts(B)[-1] == "500"


def test_an_offer_that_meets_ours_gets_491() -> None:
    net = established()
    net.react.clear()
    net.callee.reinvite(OFFER, net.now)
    assert update(net, A, dialog_of(net, A), NEW).status == 491
    assert update(net, A, dialog_of(net, A)).status == 200  # without an offer nothing meets


def test_a_reinvite_waits_until_their_offer_is_answered() -> None:
    net = established()
    net.react.clear()
    update(net, A, dialog_of(net, A), NEW)
    net.callee.reinvite(OFFER, net.now)
    net.run(0.1)
    assert "INVITE" not in net.starts(B)
    net.callee.accept_offer(ANSWER, net.now)
    net.run(0.1)
    assert "INVITE" in net.starts(B)


def test_before_the_answer_it_must_wait_for_that_of_the_invite() -> None:
    net = network()
    net.call()
    net.run(0.1)
    callee(net).ring(net.now)
    net.run(0.1)
    caller = net.agents[A].calls.pop()
    early = next(iter(caller._early.values()))  # type: ignore[attr-defined]
    assert update(net, A, early, NEW).status == 500  # its own offer is unanswered
    assert update(net, B, dialog_of(net, B), NEW).status == 491
    assert update(net, A, early).status == 200


def test_an_early_session_is_changed_and_not_described_again() -> None:
    net = network()
    net.call()
    net.run(0.1)
    callee(net).progress(ANSWER, net.now)
    net.run(0.2)
    early = next(iter(net.agents[A].calls.pop()._early.values()))  # type: ignore[attr-defined]
    update(net, A, early, NEW)
    callee(net).accept_offer(NEW, net.now)
    callee(net).answer(ANSWER, net.now)
    net.run(1)
    (to_invite,) = [m for m in messages(net, B, "200") if m.cseq.method == "INVITE"]
    assert to_invite.body == b""
    answered = net.log[A][-1]
    assert isinstance(answered, Answered)
    net.callee.bye(net.now)
    assert_idle(net)


def test_the_callee_changes_an_early_session_across_the_answer() -> None:
    """The dialog of the 2xx is the early one: an offer that waits in it is still answered."""
    net = network()
    net.call()
    net.run(0.1)
    callee(net).progress(ANSWER, net.now)
    net.run(0.2)
    update(net, B, dialog_of(net, B), NEW)
    (offered,) = net.find(A, OfferReceived)
    assert isinstance(offered, OfferReceived)
    callee(net).answer(ANSWER, net.now)
    net.run(0.5)
    offered.call.accept_offer(ANSWER, net.now)
    net.run(0.5)
    offered.call.reinvite(OFFER, net.now)
    net.run(0.1)
    assert net.find(B, ReinviteReceived)


def test_other_bodies_and_other_dialogs() -> None:
    net = established()
    dialog = dialog_of(net, A)
    request = dialog.request("UPDATE")
    request.headers.prepend("Via", "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKbody")
    request.set_body(b"x", "text/plain")
    net.inject(bytes(request), A, B)
    assert net.starts(B)[-1] == "415"
    stranger = Dialog(dialog.call_id, dialog.local, dialog.remote.with_tag("other"),
                      dialog.remote_target, [], 50, None)  # fmt: skip
    assert update(net, A, stranger).status == 481


def test_a_pending_offer_is_dropped_when_the_call_ends() -> None:
    net = established()
    net.react.clear()
    update(net, A, dialog_of(net, A), NEW)
    net.callee.bye(net.now)
    net.run(1)
    assert "487" in net.starts(B)
    assert_idle(net)


def test_a_reinvite_without_an_offer_of_ours() -> None:
    net = established()
    caller = net.log[A][0].call  # type: ignore[union-attr]
    caller.reinvite(None, net.now)
    net.run(0.5)
    (answered,) = net.find(A, ReinviteAnswered)
    assert isinstance(answered, ReinviteAnswered)
    assert (answered.sdp, answered.is_offer) == (ANSWER, True)
    assert net.starts(A).count("ACK") == 1  # of the first INVITE
    net.callee.reinvite(OFFER, net.now)
    net.run(0.1)
    assert net.starts(A)[-1] != "491"  # theirs has to wait: ours is not through
    caller.acknowledge(NEW, net.now)
    net.run(0.5)
    (acknowledged,) = net.find(B, ReinviteAcknowledged)
    assert isinstance(acknowledged, ReinviteAcknowledged)
    assert acknowledged.sdp == NEW
    assert net.find(B, ReinviteAnswered)  # and then it was had
    caller.bye(net.now)
    assert_idle(net)


def test_hanging_up_acknowledges_a_reinvite_first() -> None:
    net = established()
    caller = net.log[A][0].call  # type: ignore[union-attr]
    caller.reinvite(None, net.now)
    net.run(0.5)
    caller.bye(net.now)
    net.run(1)
    assert net.starts(A)[-2:] == ["ACK", "BYE"]
    assert_idle(net)


def test_a_prack_in_a_confirmed_dialog_means_nothing() -> None:
    net = established()
    for side, other in ((A, B), (B, A)):
        request: Request = dialog_of(net, side).request("PRACK")
        request.headers.prepend("Via", f"SIP/2.0/UDP {side[0]};branch=z9hG4bKprack")
        request.headers.add("RAck", "1 1 INVITE")
        net.inject(bytes(request), side, other)
        assert net.starts(other)[-1] == "481"
