"""The server under load, as a process of its own."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import httpx

from .clock import until
from .processes import children, resident_bytes


class Server:
    """The server under load."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self._http, self.sip_port = free_port(socket.SOCK_STREAM), free_port(socket.SOCK_DGRAM)
        environment = {
            **os.environ,
            "DATA_DIR": str(folder),
            "HTTP_ADDR": f"127.0.0.1:{self._http}",
            "SIP_PORT": str(self.sip_port),
            "LOG_LEVEL": "warning",
            **settings,
        }
        self._process = subprocess.Popen(
            [sys.executable, "-m", "hookswitch", "serve"], env=environment
        )
        until(lambda: self._is_up() or self._process.poll() is not None, 20, "the server's start")
        if self._process.poll() is not None:
            raise RuntimeError("the server did not start")

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def http(self) -> str:
        """Address and port of the API."""
        return f"127.0.0.1:{self._http}"

    def memory(self) -> int:
        """Bytes of the control process and its workers."""
        return sum(resident_bytes(pid) for pid in [self.pid, *children(self.pid)])

    def metric(self, name: str) -> float:
        """One of its metrics, summed over its labels."""
        lines = self._get("/metrics").decode().splitlines()
        values = [line.split() for line in lines if line.split("{")[0].split()[0] == name]
        return sum(float(value) for *_, value in values)

    def ticks(self) -> tuple[float, float]:
        """Late ticks and all ticks so far."""
        text = self._get("/metrics").decode()
        totals = {"late_ticks": 0.0, "ticks": 0.0}
        for metric in text.splitlines():
            for name in totals:
                if metric.startswith(f"hookswitch_media_{name}_total"):
                    totals[name] += float(metric.split()[1])
        return totals["late_ticks"], totals["ticks"]

    async def call(
        self,
        legs: int,
        room: int,
        rate: int,
        port: int,
        **fields: Any,
    ) -> list[str]:
        """Open the rooms and call every phone into its own; answers the legs' ids.

        ``fields`` are further ones of each call.
        """
        async with self._api() as api:
            for number in range(-(-legs // room)):
                (
                    await api.post("/rooms", json={"id": f"r{number}", "sample_rate": rate})
                ).raise_for_status()
            ids: list[str] = []
            for number in range(legs):
                answer = await api.post(
                    "/legs",
                    json={
                        "type": "sip",
                        "to": f"sip:{number}@127.0.0.1:{port}",
                        "room_id": f"r{number // room}",
                        **fields,
                    },
                )
                answer.raise_for_status()
                ids.append(answer.json()["id"])
            await asyncio.sleep(1.0)  # the last answers are on their way
        return ids

    async def ask(self, requests: Iterable[tuple[str, dict[str, Any]]]) -> list[dict[str, Any]]:
        """Post to each path; answers the answers."""
        async with self._api() as api:
            answers = [await api.post(path, json=body) for path, body in requests]
        return [answer.raise_for_status().json() for answer in answers]

    async def take_back(self, paths: Iterable[str]) -> None:
        """Delete what is at each path."""
        async with self._api() as api:
            for path in paths:
                (await api.delete(path)).raise_for_status()

    def stop(self) -> None:
        """End it at once, and wait until nobody writes to its folders any more."""
        workers = children(self.pid)
        self._process.send_signal(signal.SIGTERM)
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        gone = [Path(f"/proc/{pid}") for pid in workers]
        until(lambda: not any(path.exists() for path in gone), 20, "the end of its workers")

    def _api(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=f"http://{self.http}/v1", timeout=30.0)

    def _is_up(self) -> bool:
        try:
            self._get("/readyz")
        except OSError:
            return False
        return True

    def _get(self, path: str) -> bytes:
        with urllib.request.urlopen(f"http://127.0.0.1:{self._http}{path}", timeout=5) as answer:
            body: bytes = answer.read()
            return body


def free_port(kind: int) -> int:
    """A port of loopback nobody uses now."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
