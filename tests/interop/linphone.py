"""Linphones, a second stack: they type and read real-time text, and send digits their own way."""

from __future__ import annotations

import asyncio
import ctypes.util
import json
import os
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from . import processes

RUNNING, RELEASED = 8, 19
"""States of a call: media flows; it is over and forgotten."""

_PROGRAM = Path(__file__).with_name("linphone_phone.py")


class Linphone:
    """One phone; answers every call."""

    def __init__(self, port: int, stdin: asyncio.StreamWriter) -> None:
        self.uri = f"sip:linphone@127.0.0.1:{port}"
        self.events: list[dict[str, Any]] = []
        self._stdin = stdin
        self._more = asyncio.Condition()

    @property
    def text(self) -> str:
        """What it has read so far."""
        return "".join(e["text"] for e in self.events if "text" in e)

    @property
    def digits(self) -> str:
        """What was sent to it so far."""
        return "".join(e["digit"] for e in self.events if "digit" in e)

    async def do(self, **command: Any) -> None:
        """``dial=uri``, ``write=text``, ``press=digits``, ``hang_up=True``, ``quit=True``."""
        self._stdin.write(json.dumps(command).encode() + b"\n")
        await self._stdin.drain()

    async def reads(self, text: str, within: float = 10.0) -> None:
        """Wait until this is all it has read."""
        await self._until(lambda: self.text == text, within, lambda: self.text)

    async def is_sent(self, digits: str, within: float = 10.0) -> None:
        """Wait until these are the digits sent to it."""
        await self._until(lambda: self.digits == digits, within, lambda: self.digits)

    async def reaches(self, state: int, within: float = 10.0) -> None:
        """Wait for a state of a call."""
        await self._until(lambda: {"state": state}.items() <= self._last_state.items(), within,
                          lambda: str(self._last_state))  # fmt: skip

    async def read(self, stdout: asyncio.StreamReader) -> None:
        async for line in stdout:
            if line.startswith(b"{"):  # it logs there too
                async with self._more:
                    self.events.append(json.loads(line))
                    self._more.notify_all()

    async def ready(self) -> None:
        await self._until(lambda: {"ready": True} in self.events, 20, lambda: "not ready")

    @property
    def _last_state(self) -> dict[str, Any]:
        return next((e for e in reversed(self.events) if "state" in e), {})

    async def _until(self, done: Any, within: float, told: Any) -> None:
        try:
            async with asyncio.timeout(within), self._more:
                await self._more.wait_for(done)
        except TimeoutError:
            raise AssertionError(f"only {told()!r} within {within} s") from None


@asynccontextmanager
async def linphone(folder: Path, *lines: str) -> AsyncIterator[Linphone]:
    """A phone; ``lines`` go into the [sip] section of its configuration."""
    if ctypes.util.find_library("linphone") is None:
        message = "liblinphone is not installed (Debian: liblinphone10)"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    (folder / ".local/share/linphone").mkdir(parents=True)
    port = processes.free_port()
    with (folder / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, str(_PROGRAM), str(port), *lines),
            env={"HOME": str(folder), "PATH": os.environ["PATH"], "LANG": "C.UTF-8"},
            cwd=folder,
            stdin=PIPE,
            stdout=PIPE,
            stderr=log,
        )
    assert process.stdin is not None
    assert process.stdout is not None
    phone = Linphone(port, process.stdin)
    reading = asyncio.create_task(phone.read(process.stdout))
    try:
        await phone.ready()
        yield phone
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        await asyncio.gather(reading, return_exceptions=True)
