"""Fetching over HTTP from a real server: streamed, judged, bounded, cached, shared."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import trustme
from aiohttp import web

from hookswitch.playback.player.cache import HEADER
from hookswitch.playback.player.errors import FetchError, Stopped
from hookswitch.playback.player.fetch import Fetcher
from hookswitch.playback.player.spool import SpoolReader
from hookswitch.playback.player.stop import Stop

from .media_server import MediaServer, until

MakeFetcher = Callable[..., Fetcher]


def read_all(fetcher: Fetcher, url: str, stop: Stop | None = None) -> bytes:
    stop = stop or Stop()
    with fetcher.opened(url, stop) as body:
        reader, data = SpoolReader(body.spool, stop), b""
        while piece := reader.read(65536):
            data += piece
        reader.check()
        return data


async def fetched(fetcher: Fetcher, url: str) -> bytes:
    return await asyncio.to_thread(read_all, fetcher, url)


async def fails(fetcher: Fetcher, url: str, why: str) -> None:
    with pytest.raises(FetchError, match=why):
        await fetched(fetcher, url)


def cached(folder: Path) -> list[Path]:
    return list((folder / "cache").iterdir())


async def test_a_file(fetcher: Fetcher, server: MediaServer) -> None:
    url = server.file("/a.wav", b"x" * 200_000)
    assert await fetched(fetcher, url) == b"x" * 200_000
    assert server.requests[0].headers["User-Agent"].startswith("hookswitch/")


async def test_what_has_come_is_read_before_the_rest(fetcher: Fetcher, server: MediaServer) -> None:
    go_on = asyncio.Event()

    async def slow(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "8", "ETag": '"1"'})
        await response.prepare(request)
        await response.write(b"abcd")
        await go_on.wait()
        await response.write(b"efgh")
        return response

    server.handlers["/slow"] = slow
    stop = Stop()

    def first() -> tuple[object, SpoolReader]:
        context = fetcher.opened(server.url + "/slow", stop)
        reader = SpoolReader(context.__enter__().spool, stop)
        assert reader.read(100) == b"abcd"
        assert reader.seek(0, 2) == -1
        return context, reader

    context, reader = await asyncio.to_thread(first)
    go_on.set()
    assert await asyncio.to_thread(reader.read, 100) == b"efgh"
    assert await asyncio.to_thread(reader.read, 100) == b""
    assert reader.seek(0, 2) == 8
    context.__exit__(None, None, None)  # type: ignore[attr-defined]


async def test_redirects_are_followed(fetcher: Fetcher, server: MediaServer) -> None:
    target = server.file("/end.wav", b"end")

    def to(location: str, status: int) -> Callable[[web.Request], object]:
        async def answer(request: web.Request) -> web.Response:
            return web.Response(status=status, headers={"Location": location})

        return answer

    for number, status in enumerate((301, 302, 303, 307, 308)):
        server.handlers[f"/{number}"] = to(f"/{number + 1}", status)  # type: ignore[assignment]
    server.handlers["/5"] = to(target, 302)  # type: ignore[assignment]
    assert await fetched(fetcher, server.url + "/0") == b"end"
    server.handlers["/round"] = to("/round", 302)  # type: ignore[assignment]
    await fails(fetcher, server.url + "/round", "more than 10 redirects")
    server.handlers["/file"] = to("file:///etc/passwd", 302)  # type: ignore[assignment]
    await fails(fetcher, server.url + "/file", "only http and https")
    server.handlers["/meta"] = to("http://169.254.169.254/latest", 302)  # type: ignore[assignment]
    await fails(fetcher, server.url + "/meta", "forbidden address")
    server.handlers["/bad"] = to("http://[", 302)  # type: ignore[assignment]
    await fails(fetcher, server.url + "/bad", "no URL")
    server.handlers["/none"] = to("", 302)  # type: ignore[assignment]
    await fails(fetcher, server.url + "/none", "redirects to nowhere")


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "2130706433",
        "0x7f.1",
        "0177.0.0.01",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "0.0.0.0",
        "0",
        "[::]",
        "[::ffff:0.0.0.0]",
    ],
)
async def test_forbidden_addresses_in_all_their_disguises(
    make_fetcher: MakeFetcher, server: MediaServer, host: str
) -> None:
    """A name is judged by what it resolves to; nothing is connected to."""
    fetcher = make_fetcher(deny=("127.0.0.0/8", "::1/128"))
    server.file("/a.wav", b"x")
    port = server.url.rpartition(":")[2]
    await fails(fetcher, f"http://{host}:{port}/a.wav", "forbidden address")
    assert server.requests == []


async def test_what_the_server_says_instead(fetcher: Fetcher, server: MediaServer) -> None:
    async def missing(request: web.Request) -> web.Response:
        return web.Response(status=404)

    server.handlers["/secret"] = missing
    url = server.url.replace("http://", "http://user:pass@") + "/secret?token=1"
    with pytest.raises(FetchError) as caught:
        await fetched(fetcher, url)
    assert str(caught.value) == f"404 from {server.url}/secret"


@pytest.mark.parametrize("url", ["", "a.wav", "http://", "ftp://host/a", "http://[", "http://a b/"])
async def test_bad_urls(fetcher: Fetcher, url: str) -> None:
    with pytest.raises(FetchError):
        await fetched(fetcher, url)


async def test_nobody_there(fetcher: Fetcher, unused_tcp_port: int) -> None:
    await fails(fetcher, f"http://127.0.0.1:{unused_tcp_port}/a", "127.0.0.1")
    await fails(fetcher, "http://nowhere.invalid/a", "not known")


@pytest.mark.parametrize(
    ("url", "why"),
    [
        (f"http://{'a' * 5000}/a", "is no name that can be looked up|is not known"),
        (f"http://{'a.' * 2500}invalid/a", "is no name that can be looked up|is not known"),
        (f"http://127.0.0.1:1/{'a' * 5000}", "127.0.0.1:1/aaa"),
        (f"ftp://host/{'a' * 5000}", "only http and https"),
        ("a" * 5000, "is no URL"),
        (f"file:{'a' * 5000}", "File name too long"),
        (f"file://{'a' * 5000}/x", "no other host"),
    ],
)
async def test_what_was_sent_is_repeated_in_short(fetcher: Fetcher, url: str, why: str) -> None:
    with pytest.raises(FetchError, match=why) as caught:
        await fetched(fetcher, url)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"", "closed the connection before it answered"),
        (b"220 mail.example.com ESMTP\r\n", "answered with something that is not HTTP"),
    ],
)
async def test_who_does_not_speak_http(fetcher: Fetcher, answer: bytes, why: str) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        await fails(fetcher, f"http://127.0.0.1:{port}/a", f"/a {why}")


async def test_a_certificate_nobody_trusts(fetcher: Fetcher) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    async with await asyncio.start_server(lambda *_: None, "127.0.0.1", 0, ssl=context) as server:
        port = server.sockets[0].getsockname()[1]
        await fails(fetcher, f"https://127.0.0.1:{port}/a", "certificate of its server is not")


async def test_too_large(make_fetcher: MakeFetcher, server: MediaServer, tmp_path: Path) -> None:
    """By what is announced, before anything is read, and by what comes."""
    fetcher = make_fetcher(max_bytes=1000)

    async def boast(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": str(1 << 40)})
        await response.prepare(request)
        await asyncio.Event().wait()
        return response

    async def pour(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"x" * 400)

    server.handlers |= {"/boast": boast, "/pour": pour}
    await fails(fetcher, server.url + "/boast", "too large")
    await fails(fetcher, server.url + "/pour", "too large")
    await until(lambda: server.open == 0 and cached(tmp_path) == [])


async def test_a_silent_server(make_fetcher: MakeFetcher, server: MediaServer) -> None:
    fetcher = make_fetcher(timeout_s=0.2)

    async def mute(request: web.Request) -> web.Response:
        await asyncio.Event().wait()
        return web.Response()

    async def stalls(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"some")
        await asyncio.Event().wait()
        return response

    server.handlers |= {"/mute": mute, "/stalls": stalls}
    for path in ("/mute", "/stalls"):
        await fails(fetcher, server.url + path, "silent for 0.2 s")


async def test_a_body_that_is_cut_off(
    fetcher: Fetcher, server: MediaServer, tmp_path: Path
) -> None:
    async def cut(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "100", "ETag": '"1"'})
        await response.prepare(request)
        await response.write(b"x" * 50)
        assert request.transport
        request.transport.close()
        return response

    server.handlers["/cut"] = cut
    stop = Stop()

    def read() -> bytes:
        with fetcher.opened(server.url + "/cut", stop) as body:
            reader = SpoolReader(body.spool, stop)
            data = reader.read(1000)
            assert reader.read(1000) == b""
            with pytest.raises(FetchError, match="was cut off"):
                reader.check()
            return data

    assert await asyncio.to_thread(read) == b"x" * 50
    await until(lambda: cached(tmp_path) == [])


@pytest.mark.parametrize(
    "validator", [{"ETag": '"v1"'}, {"Last-Modified": "Wed, 25 Nov 2026 04:00:00 GMT"}]
)
async def test_a_second_play_asks_whether_it_changed(
    make_fetcher: MakeFetcher, server: MediaServer, tmp_path: Path, validator: dict[str, str]
) -> None:
    url = server.file("/a.wav", b"one", mime="audio/flac", **validator)
    first = make_fetcher()
    assert await fetched(first, url) == b"one"
    await until(lambda: [p.suffix for p in cached(tmp_path)] == [".body"])
    # A new process finds what the old one kept.
    second = make_fetcher()
    stop = Stop()

    def reread() -> tuple[str, bytes]:
        with second.opened(url, stop) as body:
            return body.mime_type, SpoolReader(body.spool, stop).read(100)

    assert await asyncio.to_thread(reread) == ("audio/flac", b"one")
    name = {"ETag": "If-None-Match"}.get(next(iter(validator)), "If-Modified-Since")
    assert server.requests[1].headers[name] == next(iter(validator.values()))
    server.file("/a.wav", b"two", ETag='"v2"')
    assert await fetched(second, url) == b"two"
    await until(lambda: [p.suffix for p in cached(tmp_path)] == [".body"])
    assert cached(tmp_path)[0].read_bytes()[HEADER:] == b"two"


@pytest.mark.parametrize("header", [{}, {"ETag": '"1"', "Cache-Control": "private, no-store"}])
async def test_what_may_not_or_cannot_be_kept(
    fetcher: Fetcher, server: MediaServer, tmp_path: Path, header: dict[str, str]
) -> None:
    url = server.file("/a.wav", b"x", **header)
    for _ in range(2):
        assert await fetched(fetcher, url) == b"x"
    await until(lambda: cached(tmp_path) == [])
    assert all("If-None-Match" not in request.headers for request in server.requests)


async def test_plays_at_once_share_a_download(
    fetcher: Fetcher, server: MediaServer, tmp_path: Path
) -> None:
    go_on = asyncio.Event()

    async def slow(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"ETag": '"1"'})
        await response.prepare(request)
        await response.write(b"ab")
        await go_on.wait()
        await response.write(b"cd")
        return response

    server.handlers["/slow"] = slow
    reads = [asyncio.create_task(fetched(fetcher, server.url + "/slow")) for _ in range(5)]
    await until(lambda: server.open == 1)
    go_on.set()
    assert await asyncio.gather(*reads) == [b"abcd"] * 5
    assert len(server.requests) == 1


async def test_what_is_not_to_be_stored_is_not_shared(
    fetcher: Fetcher, server: MediaServer
) -> None:
    go_on = asyncio.Event()

    async def own(request: web.Request) -> web.StreamResponse:
        number = str(len(server.requests)).encode()
        response = web.StreamResponse(headers={"Cache-Control": "no-store"})
        await response.prepare(request)
        await response.write(number)
        await go_on.wait()
        return response

    server.handlers["/own"] = own
    reads = [asyncio.create_task(fetched(fetcher, server.url + "/own")) for _ in range(3)]
    await until(lambda: server.open == 3)
    go_on.set()
    assert sorted(await asyncio.gather(*reads)) == [b"1", b"2", b"3"]


@pytest.mark.parametrize("begun", [False, True])
async def test_who_stops_waits_no_longer_and_the_connection_is_closed(
    fetcher: Fetcher, server: MediaServer, tmp_path: Path, begun: bool
) -> None:
    async def stalls(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        if begun:
            await response.prepare(request)
        await asyncio.Event().wait()
        return response

    server.handlers["/stalls"] = stalls
    stop, other = Stop(), Stop()
    reads = [
        asyncio.create_task(asyncio.to_thread(read_all, fetcher, server.url + "/stalls", one))
        for one in (stop, other)
    ]
    await until(lambda: server.open == 1)
    stop.ask()
    with pytest.raises(Stopped):
        await reads[0]
    assert server.open == 1  # the other one still waits
    other.ask()
    with pytest.raises(Stopped):
        await reads[1]
    await until(lambda: server.open == 0 and cached(tmp_path) == [])


async def test_the_least_recently_used_files_go(
    make_fetcher: MakeFetcher, server: MediaServer, tmp_path: Path
) -> None:
    fetcher = make_fetcher(cache_bytes=2500)
    urls = [server.file(f"/{n}", bytes([n]) * 1000, ETag=f'"{n}"') for n in range(3)]
    big = server.file("/big", b"b" * 3000, ETag='"b"')
    for url in (urls[0], urls[1], urls[0], urls[2], big):
        await fetched(fetcher, url)
        await until(lambda: not [p for p in cached(tmp_path) if p.suffix == ".part"])
    server.requests.clear()
    for url in (urls[0], urls[2]):
        await fetched(fetcher, url)
        assert "If-None-Match" in server.requests[-1].headers
    await fetched(fetcher, urls[1])
    assert "If-None-Match" not in server.requests[-1].headers


async def test_the_disk_is_full(
    make_fetcher: MakeFetcher, server: MediaServer, tmp_path: Path
) -> None:
    (tmp_path / "no folder").write_text("in the way")
    fetcher = make_fetcher(cache_dir=tmp_path / "no folder" / "cache")
    await fails(fetcher, server.file("/a", b"x"), "cannot be stored")


async def test_closing_ends_what_is_under_way(
    make_fetcher: MakeFetcher, server: MediaServer
) -> None:
    async def stalls(request: web.Request) -> web.StreamResponse:
        await asyncio.Event().wait()
        return web.Response()

    server.handlers["/stalls"] = stalls
    fetcher = make_fetcher()
    read = asyncio.create_task(asyncio.to_thread(read_all, fetcher, server.url + "/stalls"))
    await until(lambda: server.open == 1)
    closer = threading.Thread(target=fetcher.close)
    closer.start()
    with pytest.raises(Stopped):
        await read
    await asyncio.to_thread(closer.join)
    await until(lambda: server.open == 0)
