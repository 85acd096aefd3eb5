"""A webhook receiver: Python's own HTTP server."""

from __future__ import annotations

import hashlib
import hmac
import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from .client import Event

SECRET = "sesame"


class Receiver:
    """Takes events on a port of loopback; it can go down and come back there."""

    def __init__(self) -> None:
        self.deliveries: list[Event] = []
        self.problems: list[str] = []
        self.port = 0
        self._server: _HttpServer | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    @property
    def first(self) -> list[Event]:
        """Each event once, in the order of first arrival."""
        return list({e["event_id"]: e for e in reversed(self.deliveries)}.values())[::-1]

    def has(self, event_ids: set[str]) -> bool:
        """Whether all of these have arrived."""
        return event_ids <= {e["event_id"] for e in self.deliveries}

    def open(self) -> None:
        self._server = _HttpServer(self, self.port)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def close(self) -> None:
        """Refuse connections, and break those that are open."""
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._thread.join()
            self._server.hang_up()
            self._server.server_close()
            self._server = None

    def take(self, headers: Any, body: bytes) -> None:
        event = json.loads(body)
        signature = "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        if headers["X-Signature-256"] != signature:
            self.problems.append(f"signature of {event}")
        if headers["X-Event-Id"] != event["event_id"]:
            self.problems.append(f"X-Event-Id of {event}")
        self.deliveries.append(event)


class _HttpServer(ThreadingHTTPServer):
    daemon_threads = False  # server_close waits for them
    request_queue_size = 128  # more than come at once: the system repeats a lost SYN after seconds

    def __init__(self, receiver: Receiver, port: int) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.receiver = receiver
        self.connections: set[socket.socket] = set()

    def hang_up(self) -> None:
        for connection in list(self.connections):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # closed by its thread just now

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection broken on purpose."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _HttpServer

    def setup(self) -> None:
        super().setup()
        self.server.connections.add(self.connection)

    def finish(self) -> None:
        self.server.connections.discard(self.connection)
        super().finish()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.receiver.take(self.headers, body)
        self.send_response(204)
        self.end_headers()

    def log_message(self, *args: Any) -> None:
        """Quiet."""
