"""Calls we place to several targets: one leg, several INVITEs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from hookswitch.plugin import Leg

from .callee import Callee
from .forking.forking import Action, Cancel, Forking, GiveUp, HangUp, PassOver, Place
from .forking.outcome import Outcome
from .outbound import OutboundSipCall
from .reasons import reason_of
from .sip.call import Call as Dialogue
from .sip.call import CallState
from .sip.events import Answered, CallEvent, Failed, Progressed
from .sip.status import reason_phrase
from .sip.uac import OutboundCall

if TYPE_CHECKING:
    from .transport import SipTransport

Dial = Callable[[Callee], OutboundCall]


class ForkedSipCall(OutboundSipCall):
    """Several INVITEs until one is answered; from then on that one's call."""

    def __init__(
        self, transport: SipTransport, leg: Leg, forking: Forking[Callee], dial: Dial
    ) -> None:
        """Calls the first wave. Raises ParseError when it cannot be dialled."""
        self._forking, self._dial = forking, dial
        self._branches: list[OutboundCall] = []
        self._timer: asyncio.TimerHandle | None = None
        self._transport = transport
        first = forking.start(transport.signalling.now())
        self._branches += [dial(action.target) for action in first if isinstance(action, Place)]
        super().__init__(transport, leg, self._branches[0])
        self._arm()

    @property
    def dialogues(self) -> list[Dialogue]:
        return list(self._branches)

    def hang_up(self, reason: str) -> None:
        if self._forking.winner is None:
            self._do(self._forking.cancel())
            self._end(reason)
            self.settle()
        else:
            super().hang_up(reason)

    def handle(self, event: CallEvent) -> None:
        if isinstance(event, Answered):
            self._answered_by(event)
        elif isinstance(event, Failed):
            outcome = Outcome(event.status, event.local)
            branch = self._branches.index(event.call)
            self._do(self._forking.failed(branch, outcome, self.now()))
        elif isinstance(event, Progressed):
            self._forking.progressed(self._branches.index(event.call))
            self._arm()
            if self._forking.winner is None:
                super().handle(event)
        elif event.call is self.dialogue:
            super().handle(event)

    def release(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        super().release()

    def _answered_by(self, event: Answered) -> None:
        branch = self._branches.index(event.call)
        self._do(self._forking.answered(branch))
        if self._forking.winner == branch:
            self.dialogue = event.call
            self._transport.witness.name(self.leg.id, event.call.call_id)
            super().handle(event)

    def _do(self, actions: list[Action[Callee]]) -> None:
        for action in actions:
            if isinstance(action, Place):
                self._place(action.target)
            elif isinstance(action, Cancel):
                self._cancel(self._branches[action.branch])
            elif isinstance(action, HangUp):
                self._hang_up(self._branches[action.branch])
            elif isinstance(action, PassOver):
                if (told := action.target.on_unreachable) is not None:
                    told()
            elif isinstance(action, GiveUp):
                self._failed, status = True, action.outcome.status
                self._tell(status, reason_phrase(status))
                self._end(reason_of(status, local=action.outcome.local))
        self._arm()
        self.settle()

    def _cancel(self, branch: OutboundCall) -> None:
        if branch.state is CallState.EARLY:  # else what ended it is about to be told
            branch.cancel(self.now())

    def _hang_up(self, branch: OutboundCall) -> None:
        if branch.is_confirmed:
            branch.bye(self.now())

    def _place(self, callee: Callee) -> None:
        dialogue = self._dial(callee)
        self._branches.append(dialogue)
        self._transport.watch(dialogue, self)

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        due = self._forking.next_timer()
        loop = asyncio.get_running_loop()
        self._timer = None if due is None else loop.call_at(due, self._timed_out)

    def _timed_out(self) -> None:
        self._timer = None
        self._do(self._forking.handle_timer(self.now(), self._is_silent))

    def _is_silent(self, branch: int) -> bool:
        return not self._branches[branch].was_heard
