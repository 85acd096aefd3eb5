"""Calls over a bad network: they must all end, and both ends must agree."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hookswitch_transport_sip.sip.address import NameAddr
from hookswitch_transport_sip.sip.call import CallState
from hookswitch_transport_sip.sip.events import (
    Answered,
    Cancelled,
    Event,
    Failed,
    InviteReceived,
    ReferReceived,
    ReinviteReceived,
    Released,
)
from hookswitch_transport_sip.sip.uri import Uri

from .extended import SUPPORTED
from .pair import ANSWER, A, B, Network

CAROL = NameAddr(Uri.parse("sip:carol@192.0.2.9"))


def play(net: Network, plan: str) -> None:
    """Follow a plan: answer, reject, cancel, reinvite; hang up by a or b."""

    def callee(event: Event) -> None:
        if isinstance(event, InviteReceived):
            event.call.ring(net.now)
            if "early" in plan:
                event.call.progress(ANSWER, net.now)
            if "reject" in plan:
                event.call.reject(486, net.now)
            elif "answer" in plan:
                event.call.answer(ANSWER, net.now)
        both(event)

    def both(event: Event) -> None:
        if isinstance(event, ReinviteReceived):
            event.call.accept_reinvite(ANSWER, net.now)
        elif isinstance(event, ReferReceived):
            event.call.referral.report(180, None, net.now)
            event.call.referral.report(200, None, net.now)

    net.react = {A: both, B: callee}
    call = net.call()
    net.run(3)
    if "cancel" in plan and call.state is CallState.EARLY:
        call.cancel(net.now)
    net.run(1)
    ends = [call, *(event.call for event in net.log[B] if isinstance(event, InviteReceived))]
    if "reinvite" in plan:
        for end in ends:
            if end.is_confirmed:
                end.reinvite(b"v=0\r\nnew", net.now)
    if "refer" in plan and call.is_confirmed:
        call.refer(CAROL, net.now)
    net.run(5)
    for end in ends if "both" in plan else ends[:1]:
        if end.is_confirmed:
            end.bye(net.now)
    net.run(400)
    # Neither side has a timer of its own while it rings: that is the user's ring timeout.
    if call.state is CallState.EARLY:
        call.cancel(net.now)
    for event in net.find(B, InviteReceived):
        ends.append(event.call)
        if event.call.state is CallState.EARLY:
            event.call.reject(480, net.now)
    for end in ends:
        if end.is_confirmed:
            end.bye(net.now)
    net.run(200)


def judge(net: Network) -> None:
    for agent in net.agents.values():
        assert agent.is_idle
        assert agent.next_timer() is None
    for address in (A, B):
        started = net.find(B, InviteReceived) if address == B else [1]
        released = net.find(address, Released)
        assert len(released) == len(started)
        assert len({id(event.call) for event in released}) == len(released)
        assert [type(event) for event in net.log[address][-1:]] == [Released] * bool(started)
    answered, failed = net.find(A, Answered), net.find(A, Failed)
    assert len(answered) + len(failed) == 1
    if answered:
        assert not net.find(B, Cancelled)


PLANS = ["answer", "answer both", "answer reinvite", "answer reinvite both", "reject", "cancel"]


@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize("loss", [0.0, 0.1, 0.3])
def test_every_call_ends(plan: str, loss: float) -> None:
    for seed in range(12):
        net = Network(seed, loss, copies=0.2, jitter=0.3)
        play(net, plan)
        judge(net)
        assert len(net.find(B, InviteReceived)) == 1


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.integers(0, 2**32),
    st.sampled_from([*PLANS, "answer cancel reinvite both"]),
    st.floats(0, 0.6),
    st.floats(0, 0.5),
    st.floats(0, 3),
)
def test_every_call_ends_however_bad_the_network(
    seed: int, plan: str, loss: float, copies: float, jitter: float
) -> None:
    net = Network(seed, loss, copies, jitter)
    play(net, plan)
    judge(net)


EXTENDED = [
    "answer early",
    "answer early reinvite both",
    "early cancel",
    "early reject",
    "answer refer",
    "answer early refer both reinvite",
]


@pytest.mark.parametrize("plan", EXTENDED)
@pytest.mark.parametrize("loss", [0.0, 0.2])
@pytest.mark.parametrize("insists", [False, True])
def test_every_extended_call_ends(plan: str, loss: float, insists: bool) -> None:
    """Reliable responses, session timers, transfers; a PRACK that never comes fails the call."""
    required = ("100rel",) if insists else ()
    for seed in range(10):
        net = Network(seed, loss, copies=0.2, jitter=0.3)
        for address in (A, B):
            net.add(address, supported=SUPPORTED, required=required, session_expires=100)
        play(net, plan)
        net.run(700)  # a transfer nobody heard the end of
        judge(net)


def test_the_same_seed_gives_the_same_messages() -> None:
    runs = []
    for _ in range(2):
        net = Network(7, 0.3, 0.2, 0.5)
        play(net, "answer reinvite both")
        runs.append(net.sent)
    assert runs[0] == runs[1]
