"""Master key identifiers: cut out of one packet, and out of many at once."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hookswitch_transport_sip.rtp.keys import LONGEST_MKI, SUITES, Secret, SrtpKeys
from hookswitch_transport_sip.rtp.mki import Identifier, Identifiers

STRIDE = 400
SLOTS = 8


def identifier(suite: str, mki: bytes) -> Identifier | None:
    key = Secret(bytes(SUITES[suite][0]))
    return Identifier.of(SrtpKeys(suite, key, key, mki=mki))


SUITE = st.sampled_from(sorted(SUITES))
MKI = st.binary(min_size=1, max_size=LONGEST_MKI)


@given(SUITE, MKI, st.binary(min_size=8, max_size=100), st.binary(min_size=10, max_size=10))
def test_what_is_put_in_is_cut_out(suite: str, mki: bytes, head: bytes, end: bytes) -> None:
    known = identifier(suite, mki)
    assert known is not None
    for rtcp, behind in ((False, known.behind_rtp), (True, known.behind_rtcp)):
        tag = end[:behind]
        assert known.cut(head + mki + tag, rtcp=rtcp) == head + tag
        other = bytes([mki[0] ^ 1]) + mki[1:]
        assert known.cut(head + other + tag, rtcp=rtcp) is None


@st.composite
def packets(draw: st.DrawFn) -> tuple[list[Identifier | None], list[bytes], bool]:
    """A packet for each slot, with its identifier or something like it."""
    rtcp, known, made = draw(st.booleans()), [], []
    for _ in range(SLOTS):
        suite, mki = draw(SUITE), draw(st.one_of(st.just(b""), MKI))
        mine = identifier(suite, mki)
        known.append(mine)
        behind = 0 if mine is None else mine.behind_rtcp if rtcp else mine.behind_rtp
        said = draw(st.sampled_from([mki, mki[:-1], b"\0" + mki, b""]))
        head, tag = draw(st.binary(max_size=60)), draw(st.binary(min_size=behind, max_size=behind))
        made.append(head + said + tag)
    return known, made, rtcp


@given(packets(), st.permutations(range(SLOTS)))
def test_many_at_once_are_cut_as_one_by_one(
    drawn: tuple[list[Identifier | None], list[bytes], bool], order: list[int]
) -> None:
    known, made, rtcp = drawn
    many = Identifiers(SLOTS)
    for slot, each in enumerate(known):
        many.open(slot, each)
    assert bool(many) is any(each is not None for each in known)
    datagrams = np.full((SLOTS, STRIDE), 0xEE, np.uint8)
    lengths = np.array([len(each) for each in made])
    for row, packet in enumerate(made):
        datagrams[row, : len(packet)] = np.frombuffer(packet, np.uint8)
    rows = np.array(order)
    missing = many.cut(datagrams, lengths, rows, rows, rtcp=rtcp)
    for row, is_missing in zip(order, missing.tolist(), strict=True):
        mine = known[row]
        expected = made[row] if mine is None else mine.cut(made[row], rtcp=rtcp)
        assert is_missing is (expected is None)
        if expected is not None:
            assert datagrams[row, : lengths[row]].tobytes() == expected


def test_a_slot_that_is_closed_has_none() -> None:
    many = Identifiers(SLOTS)
    many.open(3, identifier("AEAD_AES_128_GCM", b"\1"))
    assert many
    many.close(3)
    assert not many
