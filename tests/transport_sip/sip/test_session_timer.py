"""Session timers (RFC 4028): who refreshes, how, and what if nobody does."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookswitch_transport_sip.sip.events import (
    Answered,
    Failed,
    RefreshDue,
    SessionExpired,
)
from hookswitch_transport_sip.sip.message import Request, Response
from hookswitch_transport_sip.sip.session_expires import SessionExpires

from .extended import assert_idle, established, messages, network
from .pair import OFFER, A, Address, B, Network

TIMED = {"session_expires": 1800}
NO_UPDATE = ("INVITE", "ACK", "CANCEL", "BYE", "OPTIONS")


def timed(a: dict[str, Any] | None = None, b: dict[str, Any] | None = None) -> Network:
    return established(network(a, b))


def expires(net: Network, who: Address, start: str) -> list[str | None]:
    return [m.headers.get("Session-Expires") for m in messages(net, who, start)]


def test_the_caller_refreshes_by_update_for_ever() -> None:
    net = timed(TIMED, TIMED)
    assert expires(net, A, "INVITE") == ["1800"]
    assert expires(net, B, "200") == ["1800;refresher=uac"]
    assert messages(net, B, "200")[0].require == ["timer"]
    net.run(10 * 1800)
    assert net.starts(A).count("UPDATE") == 20
    assert set(expires(net, A, "UPDATE")) == {"1800;refresher=uac"}
    assert net.starts(A)[-1] == "UPDATE"
    assert net.names(A) == ["Answered"]
    net.callee.bye(net.now)
    assert_idle(net)


def test_the_callee_refreshes_where_the_caller_knows_no_timer() -> None:
    net = timed({"supported": ()}, TIMED)
    assert expires(net, B, "200") == [None]  # such a caller is left in peace
    net = timed({"supported": (), "session_expires": 1800}, TIMED)  # a proxy asked for it
    assert expires(net, B, "200") == ["1800;refresher=uas"]
    assert messages(net, B, "200")[0].require == []
    net.run(1000)
    assert net.starts(B)[-1] == "UPDATE"


def test_a_callee_without_timers_leaves_the_session_alone() -> None:
    net = timed(TIMED, {"session_expires": 0, "supported": ()})
    net.agents[A].handle_timer(net.now)
    net.run(5000)
    assert net.names(A) == ["Answered"]


def test_the_shorter_time_counts() -> None:
    net = timed({"session_expires": 600}, TIMED)
    assert expires(net, B, "200") == ["600;refresher=uac"]
    net = timed({"session_expires": 3600}, {"session_expires": 200})
    assert expires(net, B, "200") == ["200;refresher=uac"]
    net = timed({"session_expires": 3600, "min_se": 1000}, {"session_expires": 200})
    assert expires(net, B, "200") == ["1000;refresher=uac"]


def test_too_short_a_time_is_refused_and_asked_for_again() -> None:
    net = timed({"session_expires": 100}, {"session_expires": 1800, "min_se": 400})
    refused = messages(net, B, "422")[0]
    assert refused.headers.get("Min-SE") == "400"
    first, second = messages(net, A, "INVITE")
    assert isinstance(second, Request)
    assert (first.call_id, first.from_) == (second.call_id, second.from_)
    assert second.cseq.number == first.cseq.number + 1
    assert second.headers.get("Session-Expires") == "400"
    assert second.headers.get("Min-SE") == "400"
    assert net.names(A) == ["Answered"]
    net.run(2000)
    assert net.names(A) == ["Answered"]


@pytest.mark.parametrize("minimum", ["500", "soon"])
def test_a_422_that_asks_for_nothing_longer_fails_the_call(minimum: str) -> None:
    net = network({"session_expires": 500}, {})
    net.call()
    net.flush()
    invite = messages(net, A, "INVITE")[0]
    assert isinstance(invite, Request)
    response = Response.to_request(invite, 422, to_tag="x", headers=[("Min-SE", minimum)])
    net.inject(bytes(response), B, A)
    failed = net.log[A][0]
    assert isinstance(failed, Failed)
    assert failed.status == 422


@pytest.mark.parametrize("side", [A, B])
def test_a_session_that_is_not_refreshed_ends(side: Address) -> None:
    """Nothing of the other side arrives any more."""
    net = timed(TIMED, TIMED)
    began = net.now
    net.agents.pop(B if side == A else A)
    net.run(1800)
    kinds = net.names(side)
    # the refresher notices by itself, the other one shortly before the time is over
    assert kinds[-2:] == ["DialogLost" if side == A else "SessionExpired", "Released"]
    if side == B:
        bye = messages(net, B, "BYE")[0]
        assert bye.headers.get("Reason") == 'SIP;cause=408;text="Session expired"'
    assert net.now - began == 1800
    net.run(100)
    assert net.agents[side].is_idle


def test_the_bye_comes_a_third_or_32_seconds_before_the_end() -> None:
    for seconds, least, most in ((90, 58, 61), (1800, 1767, 1769)):
        settings = {"session_expires": seconds}
        net = timed(settings, settings)
        net.drop = lambda data: data.startswith((b"UPDATE", b"BYE"))
        net.run(least)
        assert not net.find(B, SessionExpired)
        net.run(most - least)
        assert net.find(B, SessionExpired)


def test_without_update_a_reinvite_is_due_and_refreshes() -> None:
    net = timed(TIMED, {**TIMED, "allow": NO_UPDATE})
    net.run(1000)
    assert net.find(A, RefreshDue)
    net.log[A][0].call.reinvite(OFFER, net.now)  # type: ignore[union-attr]
    net.run(1000)
    assert expires(net, A, "INVITE") == ["1800", "1800;refresher=uac"]
    assert not net.find(B, SessionExpired)
    assert len(net.find(A, RefreshDue)) == 2


def test_a_refresh_that_is_refused_for_now_is_tried_again() -> None:
    net = timed(TIMED, TIMED)
    refused: list[Request] = []

    def once(data: bytes) -> bool:
        if data.startswith(b"UPDATE") and not refused:
            refused.append(messages(net, A, "UPDATE")[0])  # type: ignore[arg-type]
            response = Response.to_request(refused[0], 500)
            net.agents[A].receive_datagram(bytes(response), B, A, net.now)
            return True
        return False

    net.drop = once
    net.run(950)
    assert len(messages(net, A, "UPDATE")) == 2
    net.run(1000)
    assert net.names(A) == ["Answered"]


def test_a_reinvite_of_the_other_side_refreshes_too() -> None:
    net = timed(TIMED, TIMED)
    net.drop = lambda data: data.startswith(b"UPDATE")
    net.run(890)
    net.callee.reinvite(OFFER, net.now)
    net.run(890)
    assert expires(net, B, "INVITE") == ["1800;refresher=uas"]
    assert expires(net, A, "200") == ["1800;refresher=uas"]
    assert not net.find(B, SessionExpired)
    assert not net.starts(A).count("UPDATE")


def test_nonsense_about_time() -> None:
    net = network({}, TIMED)
    net.call(headers=[("Session-Expires", "soon")])
    net.run(1)
    failed = net.log[A][0]
    assert isinstance(failed, Failed)
    assert failed.status == 400


def test_nothing_is_refreshed_after_the_end() -> None:
    net = timed(TIMED, TIMED)
    answered = net.log[A][0]
    assert isinstance(answered, Answered)
    answered.call.bye(net.now)
    assert_idle(net)
    assert "UPDATE" not in net.starts(A)


@given(st.integers(0, 10**9 - 1), st.sampled_from(["uac", "uas", None]))
def test_session_expires_round_trip(seconds: int, refresher: Any) -> None:
    value = SessionExpires(seconds, refresher)
    assert SessionExpires.parse(str(value)) == value
