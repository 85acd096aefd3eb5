"""Posting to odd servers, over TLS, to odd URLs; and what is sent."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trustme
import uvloop

from hookswitch.events.outcome import Outcome
from hookswitch.events.posting import BadUrl, HttpPoster, destination
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
        self.server: asyncio.Server | None = None

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
async def served(
    script: Script,
    *,
    path: str = "/hook",
    user: str = "",
    tls: ssl.SSLContext | None = None,
    trust: ssl.SSLContext | None = None,
) -> AsyncIterator[tuple[OddServer, Callable[[], Awaitable[Outcome]]]]:
    odd = OddServer(script)
    server = await asyncio.start_server(odd.serve, "127.0.0.1", 0, ssl=tls, backlog=200)
    odd.server = server
    port = server.sockets[0].getsockname()[1]
    url = f"{'https' if tls else 'http'}://{user}127.0.0.1:{port}{path}"
    poster = HttpPoster(timeout=0.5, context=trust)
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


async def test_garbage_tells_no_secrets() -> None:
    async with served(lambda n: b"SSH-2.0-OpenSSH\r\n", path="/?token=geheim") as (_, post):
        assert "geheim" not in (await post()).error


async def test_an_answer_that_is_cut_off_by_time_counts() -> None:
    async with served(lambda n: b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n") as (odd, post):
        assert await post() == Outcome(200)
        assert await post() == Outcome(200)
    assert odd.connections == 2


async def test_a_receiver_that_never_answers() -> None:
    async with served(lambda n: b"HTTP/1.1 200 ") as (odd, post):
        assert await post() == Outcome(error="no answer in 0.5 s")
        assert await post() == Outcome(error="no answer in 0.5 s")
    assert odd.connections == len(odd.requests) == 2


async def test_an_idle_connection_closed_as_it_is_used_is_no_failure() -> None:
    async with served(lambda n: OK if n == 0 else b"") as (odd, post):
        for _ in range(4):
            assert await post() == Outcome(200)
    assert odd.connections == 4


async def test_an_idle_connection_closed_before_it_is_used_duplicates_nothing() -> None:
    async with served(lambda n: OK + b"<close>") as (odd, post):
        for _ in range(4):
            assert await post() == Outcome(200)
            await asyncio.sleep(0.01)
    assert odd.connections == len(odd.requests) == 4


async def test_a_new_connection_closed_without_an_answer_is_not_tried_again() -> None:
    async with served(lambda n: b"") as (odd, post):
        assert await post() == Outcome(error="connection closed without an answer")
    assert len(odd.requests) == 1


async def test_nobody_listens() -> None:
    async with served(lambda n: OK) as (odd, post):
        assert odd.server
        odd.server.close()
        outcome = await post()
    assert outcome.unreachable
    assert "Cannot connect" in outcome.error


async def test_after_the_end_nothing_is_posted() -> None:
    async with served(lambda n: OK) as (odd, post):
        await post()
    assert "closed" in (await post()).error
    assert len(odd.requests) == 1


async def test_redirects_are_not_followed_and_cookies_not_kept() -> None:
    there = b"HTTP/1.1 307 X\r\nlocation: /\r\nset-cookie: a=b\r\ncontent-length: 0\r\n\r\n"
    async with served(lambda n: there) as (odd, post):
        assert await post() == Outcome(307)
        assert await post() == Outcome(307)
    assert len(odd.requests) == 2
    assert not any(b"cookie" in head.lower() for head in odd.requests)


async def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    async with served(lambda n: OK) as (_, post):
        assert await post() == Outcome(200)


async def test_the_pool_has_no_limit_of_its_own() -> None:
    async with served(lambda n: b"HTTP/1.1 200 ") as (odd, post):
        await asyncio.gather(*(post() for _ in range(150)))
    assert len(odd.requests) == 150


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def presented(authority: trustme.CA, name: str) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(name).configure_cert(context)
    return context


def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


async def test_tls(authority: trustme.CA) -> None:
    tls = presented(authority, "127.0.0.1")
    async with served(lambda n: OK, tls=tls, trust=trusting(authority)) as (odd, post):
        for _ in range(3):
            assert await post() == Outcome(200)
    assert odd.connections == 1


@pytest.mark.parametrize(("name", "trusted"), [("127.0.0.1", False), ("other.example", True)])
async def test_tls_with_a_wrong_certificate(
    authority: trustme.CA, name: str, trusted: bool
) -> None:
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)  # the server's
    trust = trusting(authority) if trusted else None
    async with served(lambda n: OK, tls=presented(authority, name), trust=trust) as (odd, post):
        outcome = await post()
    assert outcome.unreachable
    assert "CERTIFICATE_VERIFY_FAILED" in outcome.error
    assert odd.requests == []


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
    ("path", "line"),
    [
        ("", b"POST / HTTP/1.1\r\n"),
        ("/x?y=1", b"POST /x?y=1 HTTP/1.1\r\n"),
        ("/ä b%20?q=ü#f", b"POST /%C3%A4%20b%20?q=%C3%BC HTTP/1.1\r\n"),
        ("/x%2Fy?sig=a%2Bb%3D+c", b"POST /x%2Fy?sig=a%2Bb%3D+c HTTP/1.1\r\n"),
        ("/x\r\nX-Evil: 1", b"POST /xX-Evil:%201 HTTP/1.1\r\n"),
    ],
)
async def test_what_is_sent(path: str, line: bytes) -> None:
    async with served(lambda n: OK, path=path) as (odd, post):
        assert await post() == Outcome(200)
    (head,) = odd.requests
    assert head.startswith(line)
    names = {row.partition(b":")[0].lower() for row in head.split(b"\r\n")[1:] if row}
    usual = {b"host", b"accept", b"content-type", b"content-length", b"user-agent"}
    assert names == usual | {b"x-event-id"}


async def test_user_and_password() -> None:
    async with served(lambda n: OK, user="me:p%40ssw\u00f6rd\u20ac@") as (odd, post):
        assert await post() == Outcome(200)
    pair = base64.b64encode("me:p@ssw\u00f6rd\u20ac".encode())
    assert b"Authorization: Basic " + pair + b"\r\n" in odd.requests[0]


def test_names_beyond_ascii() -> None:
    assert destination("https://bücher.example/")[0].raw_host == "xn--bcher-kva.example"


@pytest.mark.parametrize(
    "url", ["", "a", "ftp://a/", "http://", "http://a b/", "http://a:99999/", "http://[::1"]
)
def test_bad_urls(url: str) -> None:
    with pytest.raises(BadUrl, match="bad URL"):
        destination(url)
