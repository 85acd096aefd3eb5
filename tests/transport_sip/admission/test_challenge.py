from __future__ import annotations

import hashlib

import pytest

from hookswitch_transport_sip.admission.challenge import (
    TRIES,
    Challenge,
    Demand,
    PendingChallenges,
    Result,
)
from hookswitch_transport_sip.sip.digest import Ha1
from hookswitch_transport_sip.sip.digest_client import DigestClient
from hookswitch_transport_sip.sip.message import Request, Response
from hookswitch_transport_sip.sip.uri import Uri

ASKED = 1000.0


def challenge(lifetime: float = 60.0, **demand: object) -> Challenge:
    fields = {"realm": "r", "secret": "pw", **demand}
    return Challenge(Demand(**fields), b"key", lifetime)  # type: ignore[arg-type]


class Caller:
    """Answers challenges with one name and password."""

    def __init__(self, username: str = "alice", password: str = "pw") -> None:
        self._digest = DigestClient(username, password, lambda: "c0ffee")

    def answer(self, asked: Challenge, now: float = ASKED) -> Request:
        response = Response(401, headers=asked.headers(now))
        assert self._digest.accept(response)
        return self.again()

    def again(self) -> Request:
        headers = self._digest.authorize("INVITE", "sip:h")
        return Request("INVITE", Uri.parse("sip:h"), headers)


def test_who_knows_the_password_is_accepted() -> None:
    asked = challenge()
    assert asked.check(Caller().answer(asked), ASKED + 1) is Result.ACCEPTED
    assert asked.claimed == "alice"


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
def test_a_hash_stands_for_the_password(algorithm: str) -> None:
    function = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256}[algorithm]
    secret = Ha1(function(b"alice:r:pw").hexdigest().upper())
    asked = challenge(secret=secret, algorithms=(algorithm,))
    assert asked.check(Caller().answer(asked), ASKED + 1) is Result.ACCEPTED
    again = challenge(secret=secret, algorithms=(algorithm,))
    assert again.check(Caller("bob").answer(again), ASKED + 1) is Result.ASK_AGAIN


def test_another_user_is_not_the_one_that_was_asked_for() -> None:
    asked = challenge(username="alice")
    assert asked.check(Caller("bob").answer(asked), ASKED + 1) is Result.ASK_AGAIN
    assert asked.check(Caller("alice").answer(asked), ASKED + 1) is Result.ACCEPTED


def test_wrong_answers_are_counted() -> None:
    asked = challenge()
    results = [asked.check(Caller("eve", "x").answer(asked), ASKED + n) for n in range(TRIES)]
    assert results == [Result.ASK_AGAIN] * (TRIES - 1) + [Result.REFUSED]


def test_a_replayed_answer_is_asked_anew_and_told_why() -> None:
    asked, caller = challenge(), Caller()
    request = caller.answer(asked)
    assert asked.check(request, ASKED + 1) is Result.ACCEPTED
    assert asked.check(request, ASKED + 2) is Result.ASK_AGAIN
    assert "stale=true" in asked.headers(ASKED + 2)[0][1]
    assert asked.check(caller.again(), ASKED + 2) is Result.ACCEPTED, "with the next count"


def test_an_old_nonce_is_stale() -> None:
    asked, caller = challenge(lifetime=10), Caller()
    request = caller.answer(asked)
    assert asked.check(request, ASKED + 11) is Result.ASK_AGAIN
    assert "stale=true" in asked.headers(ASKED + 11)[0][1]
    assert asked.check(Caller().answer(asked, ASKED + 11), ASKED + 12) is Result.ACCEPTED


def test_no_answer_costs_a_try() -> None:
    asked = challenge()
    bare = Request("INVITE", Uri.parse("sip:h"))
    assert [asked.check(bare, ASKED) for _ in range(TRIES)][-1] is Result.REFUSED
    assert asked.claimed is None


def test_a_nonce_is_good_for_one_challenge_only() -> None:
    one, other = challenge(), Challenge(Demand("r", "pw"), b"another key", 60.0)
    assert other.check(Caller().answer(one), ASKED + 1) is Result.ASK_AGAIN


def test_pending_challenges_are_forgotten() -> None:
    pending = PendingChallenges(lifetime=10.0, limit=2)
    first, second, third = challenge(), challenge(), challenge()
    pending.put(("1", "sip:alice@h"), first, 0.0)
    assert pending.get(("1", "sip:alice@h"), 9.0) is first
    assert pending.get(("1", "sip:bob@h"), 9.0) is None, "another user"
    assert pending.get(("1", "sip:alice@h"), 10.0) is None
    for number, item in enumerate((first, second, third)):
        pending.put((str(number), ""), item, 20.0)
    assert [pending.get((str(n), ""), 21.0) for n in range(3)] == [None, second, third]
    pending.drop(("1", ""))
    assert len(pending) == 1
