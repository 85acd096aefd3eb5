"""The HTTP client of webhooks against odd servers, and URLs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvloop

from hookswitch.events.endpoint import BadUrl, endpoint
from hookswitch.events.outcome import Outcome
from hookswitch.events.posting import HttpPoster
from hookswitch.events.record import Record, WebhookTarget

# libuv opens a pipe for signals once per process, which is not a leak of the first test using it.
uvloop.new_event_loop().close()

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
Script = Callable[[int], bytes]


class OddServer:
    """Answers the n-th request of a connection with ``script(n)``; b"" closes it silently."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.connections = 0
        self.requests: list[bytes] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            for n in range(100):
                head = await reader.readuntil(b"\r\n\r\n")
                await reader.readexactly(2)
                self.requests.append(head)
                answer = self.script(n)
                writer.write(answer.removesuffix(b"<close>"))
                if not answer or answer.endswith(b"<close>"):
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        writer.close()


@asynccontextmanager
async def served(script: Script) -> AsyncIterator[tuple[OddServer, Callable[[], Any]]]:
    odd = OddServer(script)
    server = await asyncio.start_server(odd.serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"
    poster = HttpPoster(timeout=2.0)
    record = Record(1, "id", None, b"{}", target=WebhookTarget(url))
    try:
        yield odd, lambda: poster.post(record)
    finally:
        await poster.close()
        server.close()
        await server.wait_closed()
        await asyncio.sleep(0.01)  # the server's side of the connections


async def test_connections_are_reused() -> None:
    async with served(lambda n: OK) as (odd, post):
        for _ in range(5):
            assert await post() == Outcome(200)
    assert odd.connections == 1


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n<close>",
        b"HTTP/1.0 200 OK\r\n\r\nuntil the end<close>",
        b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\ncut off<close>",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" + OK,
        b"HTTP/1.1 204 No Content\r\n\r\n",
    ],
)
async def test_all_kinds_of_success(answer: bytes) -> None:
    async with served(lambda n: answer) as (odd, post):
        for _ in range(3):
            assert (await post()).delivered
    assert len(odd.requests) == 3


@pytest.mark.parametrize("answer", [b"", b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 2", b"\0" * 99])
async def test_what_is_no_answer(answer: bytes) -> None:
    async with served(lambda n: answer + b"<close>" if answer else b"") as (_, post):
        outcome = await post()
    assert outcome.unreachable
    assert outcome.error


async def test_an_idle_connection_closed_by_the_receiver_is_no_failure() -> None:
    async with served(lambda n: OK if n == 0 else b"") as (odd, post):
        for _ in range(4):
            assert await post() == Outcome(200)
    assert odd.connections == 4


async def test_nobody_listens() -> None:
    async with served(lambda n: OK) as (_, post):
        pass
    outcome = await post()
    assert outcome.unreachable


def test_with_uvloop() -> None:
    async def main() -> None:
        async with served(lambda n: OK) as (odd, post):
            assert await post() == Outcome(200)
            assert await post() == Outcome(200)
        assert odd.connections == 1

    run(main())


def run(main: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main)


@pytest.mark.parametrize(
    ("url", "origin", "head"),
    [
        ("http://a.example", ("a.example", 80, False), "POST / HTTP/1.1\r\nHost: a.example\r\n"),
        ("https://a.example:443/x?y=1", ("a.example", 443, True), "POST /x?y=1 HTTP/1.1"),
        ("http://[::1]:8080/x", ("::1", 8080, False), "Host: [::1]:8080\r\n"),
        ("http://a/ä b%20?q=\u00fc#f", ("a", 80, False), "POST /%C3%A4%20b%20?q=%C3%BC HTTP"),
        ("http://bücher.example/", ("xn--bcher-kva.example", 80, False), "Host: xn--bcher-kva"),
        ("http://me:p%40ss@a/", ("a", 80, False), "Authorization: Basic bWU6cEBzcw==\r\n"),
        ("http://a/x\r\nX-Evil: 1", ("a", 80, False), "POST /xX-Evil:%201 HTTP/1.1\r\n"),
    ],
)
def test_urls(url: str, origin: tuple[str, int, bool], head: str) -> None:
    found = endpoint(url)
    assert found.origin == origin
    assert head in found.head.decode()


@pytest.mark.parametrize(
    "url", ["", "a", "ftp://a/", "http://", "http://a b/", "http://a:99999/", "http://[::1"]
)
def test_bad_urls(url: str) -> None:
    with pytest.raises(BadUrl, match="bad URL"):
        endpoint(url)
