"""The table of a leg's states."""

from __future__ import annotations

from itertools import product

from hookswitch.legs.state import LegState, may_become

RINGING, EARLY, CONNECTED, HELD, HUNG_UP = LegState


def test_a_leg_goes_forwards_and_only_comes_back_from_hold() -> None:
    allowed = {pair for pair in product(LegState, LegState) if may_become(*pair)}
    assert allowed == {
        (RINGING, EARLY),
        (RINGING, CONNECTED),
        (RINGING, HUNG_UP),
        (EARLY, CONNECTED),
        (EARLY, HUNG_UP),
        (CONNECTED, HELD),
        (CONNECTED, HUNG_UP),
        (HELD, CONNECTED),
        (HELD, HUNG_UP),
    }
