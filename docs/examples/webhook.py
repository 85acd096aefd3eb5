"""Receive events, and believe only those that were signed with our secret."""

import hashlib
import hmac
import json
from http.server import BaseHTTPRequestHandler, HTTPServer

SECRET = b"change me"
seen: set[str] = set()


def is_genuine(body: bytes, signature: str) -> bool:
    expected = "sha256=" + hmac.digest(SECRET, body, hashlib.sha256).hex()
    return hmac.compare_digest(expected.encode(), signature.encode())


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if not is_genuine(body, self.headers.get("X-Signature-256", "")):
            self.send_error(403)
            return
        event = json.loads(body)
        if event["event_id"] not in seen:  # what was not acknowledged is sent again
            seen.add(event["event_id"])
            print(event["type"], event.get("leg_id", ""), flush=True)
        self.send_response(204)
        self.end_headers()


if __name__ == "__main__":
    HTTPServer(("127.0.0.1", 9000), Receiver).serve_forever()
