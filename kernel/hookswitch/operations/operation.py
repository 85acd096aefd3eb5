"""An operation: a name, a request, an answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .model import ApiModel, Request

if TYPE_CHECKING:
    from hookswitch.switch import Switch

Answer = Mapping[str, Any] | list[Mapping[str, Any]]
Handler = Callable[["Switch", Mapping[str, str], Any], Awaitable[Answer]]
"""(switch, the path's ids, the parsed request or None) -> the answer's fields."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing the API can do.

    ``path`` is without ``/v1``; its ``{ids}`` are given to the handler by name. ``command`` is the
    operation's name on the event stream, where the payload is the request plus the path's ids.
    ``errors`` documents further statuses; every operation may answer 400. ``answer`` documents what
    comes back, where that is more than a few words.
    """

    command: str
    method: str
    path: str
    handler: Handler
    summary: str
    request: Request | None = None
    status: int = 200
    errors: Mapping[int, str] = field(default_factory=dict)
    tag: str = "legs"
    answer: type[ApiModel] | None = None

    async def perform(self, switch: Switch, ids: Mapping[str, str], request: Any) -> Answer:
        """Do it. The answer waits for the events it implies to be on disk: what a caller was told
        is told to webhooks too, even if the server is killed the next moment."""
        answer = await self.handler(switch, ids, request)
        if self.method != "GET":
            await switch.events.written()
        return answer
