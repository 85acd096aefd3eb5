"""The transport of the test kit is a transport like any other."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace

from hookswitch.plugin import hookimpl
from hookswitch.testing.fake_transport import ANSWERS
from hookswitch.testing.server import RunningSwitch
from hookswitch.testing.transport import FarEnd, TransportContract


@hookimpl
def server_started(switch: object) -> None:
    """A server of the kit has the transport already; this plugin adds nothing."""


class TestFakeTransport(TransportContract):
    plugin = SimpleNamespace(server_started=server_started)

    @asynccontextmanager
    async def far_end(self, server: RunningSwitch) -> AsyncIterator[FarEnd]:
        async def hang_up() -> None:
            for call in server.fake.calls.values():
                await call.hangs_up()

        yield FarEnd({"type": "fake", "to": ANSWERS}, hang_up)
