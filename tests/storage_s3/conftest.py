"""An S3 API in a process of its own (moto's server), which may die and come back."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from typing import Any

import boto3
import pytest
from botocore.config import Config

CREDENTIALS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")


class S3Server:
    """The server; its buckets live as long as it does."""

    def __init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self._port}"
        self._process: asyncio.subprocess.Process | None = None

    async def start(self, **environment: str) -> None:
        """Start it, and wait until it listens."""
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self._port)),
            stdout=PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={**os.environ, **environment},
        )
        assert self._process.stdout is not None
        async with asyncio.timeout(30):
            while b"Running on" not in await self._process.stdout.readline():
                assert self._process.returncode is None
        self._drain = asyncio.create_task(self._process.stdout.read())

    async def stop(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()
            await self._drain

    def client(self, service: str = "s3", keys: tuple[str, str] = ("any", "any")) -> Any:
        """A client of the test's own."""
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id=keys[0],
            aws_secret_access_key=keys[1],
            config=Config(s3={"addressing_style": "path"}),
        )


@pytest.fixture
async def s3(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[S3Server]:
    """A server that runs, with the bucket ``calls`` in it, and credentials in the environment."""
    for name in CREDENTIALS:
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    server = S3Server()
    await server.start()
    server.client().create_bucket(Bucket="calls")
    yield server
    await server.stop()
