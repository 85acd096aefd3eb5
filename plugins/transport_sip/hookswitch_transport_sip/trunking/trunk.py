"""What trunks of any kind have in common."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from hookswitch.plugin import Switch
from hookswitch_transport_sip.callee import Callee, Waves
from hookswitch_transport_sip.events import TrunkEvent
from hookswitch_transport_sip.settings import SipSettings
from hookswitch_transport_sip.signalling.driver import Signalling
from hookswitch_transport_sip.sip.message import Request
from hookswitch_transport_sip.sip.uri import Uri
from hookswitch_transport_sip.trunks.config import TrunkConfig


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a trunk works with; `offset` added to SIP's clock gives Unix time."""

    switch: Switch
    settings: SipSettings
    signalling: Signalling
    offset: float

    def now(self) -> float:
        return self.signalling.now()


class Trunk(ABC):
    """One trunk: started once, stopped once, told of time by its own timer."""

    def __init__(self, config: TrunkConfig, around: Surroundings) -> None:
        self.config, self.around = config, around
        self.gone = asyncio.Event()
        """Set when nothing of it is left, after `stop`."""
        self._timer: asyncio.TimerHandle | None = None

    @abstractmethod
    def start(self) -> None:
        """Register, or begin to probe."""

    @abstractmethod
    def stop(self) -> None:
        """Unregister, or cease to probe."""

    @abstractmethod
    def call(self, to: Uri | str, callee: Callee) -> Waves:
        """How somebody is called through it: a URI, or a number it knows.

        `callee` has the caller, and credentials that were given for this call alone.
        """

    @abstractmethod
    def is_at(self, host: str) -> bool:
        """Whether requests from this address are its."""

    @abstractmethod
    def view(self) -> Mapping[str, Any]:
        """How it is, without its secrets: `status`, `last_error`, and what its type has."""

    def is_for(self, request: Request) -> bool:
        """Whether an INVITE is for just this trunk, where several are at one address."""
        return False

    @property
    def user(self) -> str | None:
        """The user part calls are placed as."""
        return None

    def close(self) -> None:
        """Let go of the timer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self, due: float | None, action: Callable[[], None]) -> None:
        self.close()
        if due is not None:
            self._timer = asyncio.get_running_loop().call_at(due, action)

    def _tell(self, event: TrunkEvent) -> None:
        self.around.switch.publish(event, app_id=self.config.app_id)
