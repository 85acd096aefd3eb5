"""What plugins may decide about inbound legs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Refusal:
    """Turn an inbound leg away; ``reason`` is a CDR reason the transport can express."""

    reason: str = "rejected"

    def __post_init__(self) -> None:
        if not isinstance(self.reason, str):  # here the plugin is told, later its caller suffers
            raise TypeError(f"Refusal.reason must be a string, not {self.reason!r}")


@dataclass(frozen=True, slots=True)
class Route:
    """Answer an inbound leg at once, and put it into a room if one is named."""

    room_id: str | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.room_id, str | None):
            raise TypeError(f"Route.room_id must be a string or None, not {self.room_id!r}")
