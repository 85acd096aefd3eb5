"""What a transport provides for each leg: the call itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hookswitch.errors import BadRequest, Conflict, OperationFailed

if TYPE_CHECKING:
    from .leg import Leg


class Call:
    """The transport's side of a leg. Override what the transport can do.

    Every method returns at once. What takes time happens in the background and ends in a call to
    the leg (`connected`, `disconnected`, `command_failed`, …).
    """

    def answer(self, codec: str | None) -> None:
        """Accept an inbound call, with this codec of its offer if one is named."""
        raise Conflict("this leg cannot be answered")

    def ring(self) -> None:
        """Tell the caller that somebody is being alerted."""
        raise Conflict("this leg cannot ring")

    def early_media(self, codec: str | None) -> None:
        """Open the media of an inbound call before answering it."""
        raise Conflict("this leg has no early media")

    def hang_up(self, reason: str) -> None:
        """End the call. Must lead to `Leg.disconnected`, whatever the peer does."""
        raise NotImplementedError  # there is no transport that cannot, and no default that would

    def release(self) -> None:
        """The leg is over and its port closed: let go of everything. Called exactly once."""

    def hold(self) -> None:
        """Put the peer on hold; leads to `Leg.held`.

        Raises BadRequest when the leg is of no kind that knows hold, Conflict when only this one
        does not.
        """
        raise BadRequest("this leg cannot be put on hold: it is not a SIP leg")

    def unhold(self) -> None:
        """Take the peer off hold; leads to `Leg.unheld`. Raises as `hold` does."""
        raise BadRequest("this leg cannot be put on hold: it is not a SIP leg")

    def transfer(self, target: str, replaces: Leg | None) -> None:
        """Have the peer call somebody else, or take the place of another leg there.

        Raises BadRequest for a target that is none, Conflict when it cannot be done.
        """
        raise Conflict("this leg cannot be transferred: it is not a SIP leg")

    def accept_transfer(self) -> None:
        """The application carries out the transfer that the peer asked for."""
        raise Conflict("this leg has no transfer to decide about")

    def report_transfer(self, status: int, reason: str | None) -> None:
        """Tell the peer how its transfer goes: a SIP status, from 200 on the last word."""
        raise Conflict("this leg has no transfer to decide about")

    def decline_transfer(self, status: int, reason: str | None) -> None:
        """Refuse the transfer that the peer asked for."""
        raise Conflict("this leg has no transfer to decide about")

    def send_dtmf(self, digits: str) -> None:
        """Send digits to the peer."""
        raise OperationFailed("DTMF writer unavailable: this leg's transport carries no digits")

    def send_text(self, text: str) -> None:
        """Send real-time text to the peer."""
        raise Conflict("real-time text was not negotiated for this leg")

    @property
    def takes_dtmf(self) -> bool:
        """Whether digits of other legs in the room can be passed on to this one."""
        return False

    @property
    def takes_text(self) -> bool:
        """Whether text of other legs in the room can be passed on to this one."""
        return False
