"""Timer values (RFC 3261 table 4, RFC 6026 section 6)."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timers:
    """Base intervals in seconds; the lettered timers follow from them."""

    t1: float = 0.5
    t2: float = 4.0
    t4: float = 5.0
    trying: float = 0.2
    """How long the user may take before an INVITE is answered by 100 (section 17.2.1)."""

    @property
    def patience(self) -> float:
        """Timers B, F, H, J, L and M, and the wait for the ACK of a 2xx."""
        return 64 * self.t1

    def absorb_responses(self, reliable: bool) -> float:
        """Timer D, at least 32 s over an unreliable transport."""
        return 0.0 if reliable else max(32.0, self.patience)

    def absorb_requests(self, reliable: bool) -> float:
        """Timer J."""
        return 0.0 if reliable else self.patience

    def linger(self, reliable: bool) -> float:
        """Timers I and K."""
        return 0.0 if reliable else self.t4
