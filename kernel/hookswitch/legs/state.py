"""The states of a leg and the ways between them.

    ringing ──► early_media ──► connected ◄──► held
       │             │              │           │
       └─────────────┴──────┬───────┴───────────┘
                            ▼
                         hung_up

A leg may skip states forwards (a WebSocket leg is born connected), never go back but from held.
"""

from __future__ import annotations

from enum import StrEnum


class LegState(StrEnum):
    """Where a leg is in its life."""

    RINGING = "ringing"
    EARLY_MEDIA = "early_media"
    CONNECTED = "connected"
    HELD = "held"
    HUNG_UP = "hung_up"


_NEXT = {
    LegState.RINGING: {LegState.EARLY_MEDIA, LegState.CONNECTED, LegState.HUNG_UP},
    LegState.EARLY_MEDIA: {LegState.CONNECTED, LegState.HUNG_UP},
    LegState.CONNECTED: {LegState.HELD, LegState.HUNG_UP},
    LegState.HELD: {LegState.CONNECTED, LegState.HUNG_UP},
    LegState.HUNG_UP: set[LegState](),
}


def may_become(now: LegState, then: LegState) -> bool:
    """Whether a leg in one state can go to another."""
    return then in _NEXT[now]


UNANSWERED = (LegState.RINGING, LegState.EARLY_MEDIA)
ANSWERED = (LegState.CONNECTED, LegState.HELD)
