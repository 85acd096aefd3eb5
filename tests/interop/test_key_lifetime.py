"""A key of SRTP that wears out: the call ends before the key is used longer than it may be."""

from __future__ import annotations

import base64
import secrets
import struct
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from hookswitch_transport_sip.rtp.libsrtp import Context
from hookswitch_transport_sip.totals import UNSEEN

from .client import Api, Events
from .server import Server, serving
from .sipp import session, sipp
from .speakers import Speaker, opened, speaking

SUITE = "AES_CM_128_HMAC_SHA1_80"
LIFE = 1 << 11
SSRC, FRAME = 0x1234, 80

LOWERED = f"""\
import sys
from hookswitch.cli import main
from hookswitch_transport_sip.sdp import crypto
crypto.SHORTEST_LIFE = {LIFE}
sys.exit(main())
"""
"""The shortest lifetime that is taken would be eleven minutes of packets every 10 ms."""


class SecureSpeaker(Speaker):
    """Says something under a key, in packets of 10 ms, as long as the key lasts."""

    def __init__(self, key: bytes) -> None:
        super().__init__()
        self.sent = 0
        self._context = Context(SUITE, key, sends=True, ssrc=SSRC)
        self._target: tuple[str, int] | None = None

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._target = addr

    def speak(self) -> None:
        for _ in range(2):
            if self._target is not None and self.sent < LIFE:
                head = struct.pack("!BBHII", 0x80, 0, self.sent, self.sent * FRAME, SSRC)
                packet = self._context.protect(head + b"\x55" * FRAME)
                assert packet is not None
                self._transport.sendto(packet, self._target)
                self.sent += 1


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("server"), program=("-c", LOWERED)) as running:
        yield running


async def test_a_call_ends_with_its_key(
    server: Server, api: Api, events: Events, tmp_path: Path
) -> None:
    key = secrets.token_bytes(30)
    async with opened(partial(SecureSpeaker, key)) as phone:
        plain = session(phone.port).replace("RTP/AVP", "RTP/SAVP")
        text = base64.b64encode(key).decode()
        fields = {"sdp": f"{plain}\na=crypto:1 {SUITE} inline:{text}|2^11"}
        async with sipp(
            "caller_waits_for_bye.xml",
            tmp_path,
            target=server.sip_port,
            fields=fields,
            timeout_s=60,
        ) as caller:
            leg = (await events.wait("leg.ringing"))["leg_id"]
            await api.post(f"/legs/{leg}/answer", 202)
            await events.wait("leg.connected", leg_id=leg)
            async with speaking([phone]):
                ended = await events.ended(leg, within=40)
            await caller.succeeded()
    assert ended["cdr"]["reason"] == "srtp_key_expired"
    assert LIFE - UNSEEN < phone.sent < LIFE
