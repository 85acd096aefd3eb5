"""What the SIP core tells its user, in the past tense.

Every call ends with exactly one `Released`, after which it is out of all tables.
Before it comes the cause, if the other side or time was the cause: `Failed`,
`Cancelled`, `ByeReceived`, `AckTimedOut`, `PrackTimedOut`, `EarlyOfferUnanswered`,
`SessionExpired` or `DialogLost`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .address import NameAddr
from .hop import Hop
from .message import Request, Response
from .replaces import Replaces

if TYPE_CHECKING:
    from .call import Call
    from .transaction.base import ServerTransaction
    from .uac import OutboundCall
    from .uas import InboundCall


@dataclass(frozen=True, slots=True)
class InviteReceived:
    """A new call came in; `request.sdp` is its offer, None if it wants ours."""

    call: InboundCall
    request: Request
    source: Hop
    replaces: Call | None = None
    """The call whose place it wants (RFC 3891)."""


@dataclass(frozen=True, slots=True)
class RegisterReceived:
    """A user agent wants to be registered; answer by `UserAgent.respond`."""

    transaction: ServerTransaction
    request: Request
    source: Hop


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The caller gave up before an answer, by CANCEL or an early BYE."""

    call: InboundCall
    request: Request


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """Our 2xx to the first INVITE arrived; `sdp` is the answer to an offer made in it."""

    call: Call
    request: Request
    sdp: bytes | None


@dataclass(frozen=True, slots=True)
class AckTimedOut:
    """Nobody acknowledged our 2xx; a BYE has been sent (RFC 3261 section 13.3.1.4)."""

    call: Call


@dataclass(frozen=True, slots=True)
class ProvisionalAcknowledged:
    """The PRACK of a reliable response of ours brought the answer to the offer in it."""

    call: InboundCall
    sdp: bytes


@dataclass(frozen=True, slots=True)
class EarlyOfferUnanswered:
    """The PRACK brought no answer to the offer in our response; the INVITE has been refused."""

    call: InboundCall


@dataclass(frozen=True, slots=True)
class PrackTimedOut:
    """Nobody acknowledged a reliable provisional response; the INVITE has been refused."""

    call: InboundCall


@dataclass(frozen=True, slots=True)
class Progressed:
    """A provisional response above 100; `tag` tells the branches of a fork apart.

    If it brings an offer, since our INVITE had none, it is acknowledged by `accept_progress`.
    """

    call: OutboundCall
    response: Response
    sdp: bytes | None
    tag: str
    is_offer: bool = False

    @property
    def status(self) -> int:
        """180, 183, …"""
        return self.response.status


@dataclass(frozen=True, slots=True)
class Answered:
    """The first 2xx arrived and has been acknowledged.

    If it brings an offer, since our INVITE had none, it is acknowledged by `acknowledge`.
    """

    call: OutboundCall
    response: Response
    sdp: bytes | None
    is_offer: bool = False


@dataclass(frozen=True, slots=True)
class Failed:
    """The call we made came to nothing; `local` if no response came at all."""

    call: OutboundCall
    status: int
    reason: str
    response: Response
    local: bool = False


@dataclass(frozen=True, slots=True)
class ByeReceived:
    """The other side hung up; it has been answered."""

    call: Call
    request: Request


@dataclass(frozen=True, slots=True)
class DialogLost:
    """A request of ours within the dialog got 481 or no answer; a BYE has been sent."""

    call: Call
    status: int


@dataclass(frozen=True, slots=True)
class ReinviteReceived:
    """The other side wants to change the session; answer by `accept_reinvite` or reject it."""

    call: Call
    request: Request
    sdp: bytes | None


@dataclass(frozen=True, slots=True)
class ReinviteCancelled:
    """The other side took its re-INVITE back before we answered."""

    call: Call


@dataclass(frozen=True, slots=True)
class ReinviteAcknowledged:
    """Our 2xx to a re-INVITE arrived; `sdp` is the answer to an offer made in it, if one was."""

    call: Call
    request: Request
    sdp: bytes | None
    answers_offer: bool = False


@dataclass(frozen=True, slots=True)
class ReinviteAnswered:
    """Our re-INVITE was accepted; an offer in it is answered by `acknowledge`."""

    call: Call
    response: Response
    sdp: bytes | None
    is_offer: bool = False


@dataclass(frozen=True, slots=True)
class ReinviteFailed:
    """Our re-INVITE was refused; the session stays as it was (section 14.1)."""

    call: Call
    status: int
    reason: str
    response: Response


@dataclass(frozen=True, slots=True)
class OfferReceived:
    """The other side wants to change the session by UPDATE or PRACK.

    Answer by `accept_offer` or `reject_offer`.
    """

    call: Call
    request: Request
    sdp: bytes


@dataclass(frozen=True, slots=True)
class RefreshDue:
    """The session must be refreshed by a re-INVITE, with the session as it is."""

    call: Call


@dataclass(frozen=True, slots=True)
class SessionExpired:
    """The session was not refreshed in time; a BYE has been sent (RFC 4028 section 10)."""

    call: Call


@dataclass(frozen=True, slots=True)
class ReferProgressed:
    """The other side tells how the transfer we asked for goes on."""

    call: Call
    status: int
    reason: str


@dataclass(frozen=True, slots=True)
class ReferFinished:
    """How the transfer we asked for ended; `error` if that was not a response to an INVITE."""

    call: Call
    status: int
    reason: str
    error: str | None = None


@dataclass(frozen=True, slots=True)
class ReferReceived:
    """The other side wants us to call somebody else; it has been answered 202."""

    call: Call
    request: Request
    refer_to: NameAddr
    replaces: Replaces | None


@dataclass(frozen=True, slots=True)
class ReferralDropped:
    """The other side does not want to hear any more how its transfer goes on."""

    call: Call


@dataclass(frozen=True, slots=True)
class InfoReceived:
    """An INFO arrived within the dialog and has been answered."""

    call: Call
    request: Request


@dataclass(frozen=True, slots=True)
class RequestAnswered:
    """The final response to a request sent by `Call.request`; `local` if none came."""

    call: Call
    method: str
    response: Response
    local: bool = False


@dataclass(frozen=True, slots=True)
class Released:
    """The call is over and forgotten."""

    call: Call


CallEvent = (
    InviteReceived
    | Cancelled
    | Acknowledged
    | AckTimedOut
    | ProvisionalAcknowledged
    | EarlyOfferUnanswered
    | PrackTimedOut
    | Progressed
    | Answered
    | Failed
    | ByeReceived
    | DialogLost
    | ReinviteReceived
    | ReinviteCancelled
    | ReinviteAcknowledged
    | ReinviteAnswered
    | ReinviteFailed
    | OfferReceived
    | RefreshDue
    | SessionExpired
    | ReferProgressed
    | ReferFinished
    | ReferReceived
    | ReferralDropped
    | InfoReceived
    | RequestAnswered
    | Released
)
"""What happens to a call, which is its `call`."""

Event = CallEvent | RegisterReceived
