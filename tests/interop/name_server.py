"""dnsmasq: a real DNS server on loopback, with the names a test wants."""

from __future__ import annotations

import asyncio
import getpass
from asyncio.subprocess import DEVNULL
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from . import processes


@asynccontextmanager
async def name_server(log: Path, port: int, *records: str) -> AsyncIterator[None]:
    """Serve these records, each as an option of dnsmasq without its dashes."""
    processes.need("dnsmasq")
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *("dnsmasq", "--keep-in-foreground", f"--port={port}", f"--user={getpass.getuser()}"),
            *("--listen-address=127.0.0.1", "--bind-interfaces", "--conf-file=/dev/null"),
            *("--no-resolv", "--no-hosts", "--log-queries", "--log-facility=-", "--local-ttl=60"),
            *("--pid-file=", *(f"--{record}" for record in records)),
            stdin=DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        await processes.until_bound(port)
        yield
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
