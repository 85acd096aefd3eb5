"""A border proxy: Kamailio, which speaks UDP to phones and TCP to us, and stays in the route."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from . import processes
from .kamailio import IN_DIALOG, MODULES, running

_CONFIG = """\
#!KAMAILIO
listen=udp:127.0.0.1:{port}
listen=tcp:127.0.0.1:{port}
children=1
tcp_children=1
{modules}modparam("rr", "enable_double_rr", 1)
request_route {{
{in_dialog}    loose_route();
    record_route();
    if ($rU == "inside") $du = "sip:127.0.0.1:{inside};transport=tcp";
    t_relay();
}}
"""


@asynccontextmanager
async def border(folder: Path, inside: int) -> AsyncIterator[int]:
    """Run it before a server on this port; answers its own."""
    port = processes.free_port()
    config = _CONFIG.format(modules=MODULES, in_dialog=IN_DIALOG, port=port, inside=inside)
    async with running(folder, config, port, ("udp", "tcp")):
        yield port
