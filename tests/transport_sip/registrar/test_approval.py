"""When a refresh is no new question."""

from __future__ import annotations

import pytest

from hookswitch_transport_sip.registrar.approval import Approval, Approvals
from hookswitch_transport_sip.sip.hop import Hop

from .registers import AOR, PHONE, location, registration

ONE = "Contact: <sip:alice@192.0.2.10>"


@pytest.mark.parametrize(
    ("fields", "source", "covered"),
    [
        ([ONE], PHONE, True),
        ([ONE, "Expires: 0"], PHONE, True),
        (["Contact: *", "Expires: 0"], PHONE, True),
        ([], PHONE, True),
        ([ONE, "Contact: <sip:mallory@198.51.100.1>"], PHONE, False),
        ([ONE], Hop("192.0.2.10", 5061), False),
        ([ONE], Hop("192.0.2.10", 5060, "TCP"), False),
        (["Contact: *", "Expires: 0"], Hop("198.51.100.1", 5060), False),
    ],
)
def test_more_of_the_same(fields: list[str], source: Hop, covered: bool) -> None:
    table = location()
    table.register(registration(ONE), 0.0)
    again = registration(*fields, cseq=2, source=source)
    assert Approval().covers(again, table.of(AOR)) is covered


def test_approvals_go_with_their_bindings() -> None:
    table, approvals = location(), Approvals()
    first, second = registration(ONE), registration(ONE.replace("10", "11"), call_id="c2")
    for item in (first, second):
        table.register(item, 0.0)
        approvals.put(item, Approval())
    approvals.keep(AOR, table.of(AOR))
    assert len(approvals) == 2
    table.register(registration(ONE, "Expires: 0", cseq=2), 1.0)
    approvals.keep(AOR, table.of(AOR))
    assert approvals.get(first) is None
    assert approvals.get(second) is not None
    approvals.forget(second)
    assert len(approvals) == 0
