"""Running it all: the switch, the HTTP server, signals, drain."""

from __future__ import annotations

import asyncio
import gc
import logging
import resource
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from hookswitch.plugins.builtin import load_plugins
from hookswitch.plugins.manager import Plugins
from hookswitch.settings import KernelSettings, SettingsError
from hookswitch.switch import Switch

from .app import create_app
from .folders import instance_id, prepare_folders
from .keys import check_exposure, parse_keys
from .uvicorn_websocket import WebSocketProtocol

log = logging.getLogger("hookswitch")

MAX_FRAME = 1 << 20
"""Longest WebSocket message in bytes that is accepted."""


class HttpServer(uvicorn.Server):
    """uvicorn without its signal handling: ours drains first."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def listen(address: str) -> socket.socket:
    """A listening socket on ``host:port``. Raises SettingsError saying what is in the way."""
    host, _, port = address.rpartition(":")
    host = host.strip("[]") or "0.0.0.0"
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, int(port)), family=family, backlog=2048)
    except OSError as error:
        raise SettingsError(f"HTTP_ADDR: cannot listen on {address}: {error.strerror}") from None
    # Connections inherit it. asyncio itself does not set it on them, and an answer's second packet
    # would wait 40 ms for the acknowledgement of its first.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def http_server(switch: Switch) -> HttpServer:
    """The HTTP server of a switch."""
    config = uvicorn.Config(
        create_app(switch),
        lifespan="off",
        proxy_headers=False,  # the guard alone decides whose X-Forwarded-For counts
        log_config=None,
        log_level="warning",
        access_log=False,
        ws=WebSocketProtocol,
        ws_max_size=MAX_FRAME,
        ws_ping_interval=None,
        ws_per_message_deflate=False,  # audio does not shrink, it only costs time
        timeout_graceful_shutdown=5,
        server_header=False,
    )
    return HttpServer(config)


PREPARED_AFTER = 0.5
"""Seconds after the API is up at which what can wait is started."""


async def serve(settings: KernelSettings, plugins: Plugins | None = None) -> None:
    """Run a server until SIGTERM or SIGINT. Raises SettingsError, OSError, EventStoreError."""
    check_exposure(settings)
    parse_keys(settings.api_keys)
    prepare_folders(settings)
    _raise_descriptor_limit()
    with listen(settings.http_addr) as listener:
        switch = Switch(settings, plugins or load_plugins(), instance_id(settings))
        try:
            await switch.start()
            await _serve_until_told(switch, listener)
        finally:
            await switch.stop()


async def _serve_until_told(switch: Switch, listener: socket.socket) -> None:
    http = http_server(switch)
    told, again = asyncio.Event(), asyncio.Event()

    def tell() -> None:
        (again if told.is_set() else told).set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, tell)
    _settle_memory()
    serving = asyncio.create_task(http.serve([listener]))
    log.info("API on http://%s:%s, docs at /docs", *listener.getsockname()[:2])
    stop = asyncio.create_task(told.wait())
    preparing = loop.call_later(PREPARED_AFTER, switch.playbacks.prepare)
    await asyncio.wait([serving, stop], return_when=asyncio.FIRST_COMPLETED)
    preparing.cancel()
    stop.cancel()
    log.info("draining: no new calls; %d legs have %g s (again to stop at once)",
             len(switch.legs), switch.settings.drain_timeout)  # fmt: skip
    switch.drain()
    hurry = asyncio.create_task(again.wait())
    drained = asyncio.create_task(switch.drained(switch.settings.drain_timeout))
    await asyncio.wait([hurry, drained], return_when=asyncio.FIRST_COMPLETED)
    for task in (hurry, drained):
        task.cancel()
    await switch.stop()
    http.should_exit = True
    await serving


def _settle_memory() -> None:
    """What is there now stays. A full collection that looked at all of it again would stop the
    process for 80 ms, signalling included.

    Of calls there is as much to look at while many come: what SIP keeps of each for half a minute.
    So full collections are made a fifth as often as Python would.
    """
    gc.collect()
    gc.freeze()
    young, middle, old = gc.get_threshold()
    gc.set_threshold(young, middle, 5 * old)


def _raise_descriptor_limit() -> None:
    """Every RTP leg needs two sockets; take all the descriptors we may have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
