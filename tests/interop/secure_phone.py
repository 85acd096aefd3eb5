"""A phone that protects its audio by keys in SDP: it may change them, limit them, identify them."""

from __future__ import annotations

import asyncio
import base64
import re
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Literal

import pylibsrtp
from pylibsrtp import Policy

from hookswitch_transport_sip.sip.events import Event, ReinviteAnswered, ReinviteReceived
from hookswitch_transport_sip.sip.uac import OutboundCall
from tests.transport_sip.phone import Phone

from . import processes
from .rtp_peer import RtpPeer
from .speakers import opened

SUITES = {
    "AES_CM_128_HMAC_SHA1_80": (Policy.SRTP_PROFILE_AES128_CM_SHA1_80, 30, 10),
    "AES_CM_128_HMAC_SHA1_32": (Policy.SRTP_PROFILE_AES128_CM_SHA1_32, 30, 4),
    "AEAD_AES_256_GCM": (Policy.SRTP_PROFILE_AEAD_AES_256_GCM, 44, 0),
}
"""Profile, bytes of a key, and how many bytes stand behind an identifier."""

LAG_S = 0.3
"""How long an answer of the server takes to a phone that changes its key: it is far away."""

_LINE = r"m={kind} .*?a=crypto:(\d+) \S+ inline:([\w+/=]+)"


@dataclass
class Sealer:
    """What one stream of ours is protected by, and what says so."""

    suite: str
    lifetime: str = ""
    mki: str = ""
    """``value:length``"""

    def __post_init__(self) -> None:
        self.change()

    def change(self) -> None:
        """Another key from now on."""
        profile, size, _ = SUITES[self.suite]
        self.key = secrets.token_bytes(size)
        self._session = pylibsrtp.Session(Policy(self.key, Policy.SSRC_ANY_OUTBOUND, 0, profile))

    def line(self, tag: str = "1") -> str:
        parts = [base64.b64encode(self.key).decode(), self.lifetime, self.mki]
        inline = "|".join(filter(None, parts))
        return f"a=crypto:{tag} {self.suite} inline:{inline}"

    def seal(self, packet: bytes) -> bytes:
        value, _, size = (self.mki or "0:0").partition(":")
        sealed = self._session.protect(packet)
        end = len(sealed) - SUITES[self.suite][2]
        return sealed[:end] + int(value).to_bytes(int(size), "big") + sealed[end:]


class SecureVoice(RtpPeer):
    """Audio under keys."""

    def __init__(self, frequency: float, sealer: Sealer) -> None:
        super().__init__(frequency)
        self.sealer = sealer
        self.refused = 0
        self._unseals: list[pylibsrtp.Session] = []

    def hear_under(self, key: bytes) -> None:
        """Another key of the server's; those before are still understood."""
        profile = SUITES[self.sealer.suite][0]
        policy = Policy(key, Policy.SSRC_ANY_INBOUND, 0, profile)
        self._unseals.insert(0, pylibsrtp.Session(policy))

    def sealed(self, packet: bytes) -> bytes:
        return self.sealer.seal(packet)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        for session in self._unseals:
            try:
                plain = session.unprotect(data)
            except pylibsrtp.Error:
                continue
            super().datagram_received(plain, addr)
            return
        self.refused += bool(self._unseals)  # the first may come before the answer


OnReinvite = Literal["fresh key", "same key", "refuse"]


class SecurePhone(Phone):
    """Calls the server; to its re-INVITEs it answers as told."""

    def __init__(self, server_port: int, voice: SecureVoice, more_sdp: str = "") -> None:
        super().__init__(server_port)
        self.voice, self._more_sdp = voice, more_sdp
        self.on_reinvite: OnReinvite = "fresh key"
        self.server_keys: list[bytes] = []
        self.answer = ""
        """Of the server, to our last offer."""
        self._version = 0
        self._call: OutboundCall

    async def dial(self) -> None:
        """Call the server, and speak once it has answered."""
        self._call = self.call("sip:alice@127.0.0.1", offer=self._session())

    def rekey(self) -> None:
        """Offer another key; it goes on with the one before until the answer would be there."""
        self._fresh = Sealer(self.voice.sealer.suite, self.voice.sealer.lifetime)
        self._call.reinvite(self._session(sealer=self._fresh), self.now())
        self.settle()

    def hang_up(self) -> None:
        self._call.bye(self.now())
        self.settle()

    def handle(self, event: Event) -> None:
        sdp = getattr(event, "sdp", None)
        if isinstance(event, ReinviteReceived):
            self._reinvited(event)
        elif sdp is not None:
            self.answer = sdp.decode()
            if isinstance(event, ReinviteAnswered):
                asyncio.get_running_loop().call_later(LAG_S, self._speak_under, self._fresh)
            self._take_key(self.answer)

    def _speak_under(self, sealer: Sealer) -> None:
        self.voice.sealer = sealer

    def _reinvited(self, event: ReinviteReceived) -> None:
        assert event.sdp is not None
        if self.on_reinvite == "refuse":
            event.call.reject_reinvite(self.now(), 488)
        else:
            if self.on_reinvite == "fresh key":
                self.voice.sealer.change()
            tag = self._take_key(event.sdp.decode())
            event.call.accept_reinvite(self._session(tag), self.now())
        self.settle()

    def _take_key(self, sdp: str) -> str:
        """Hear the server under its key; answers the tag of its line."""
        tag, key = key_in(sdp, "audio")
        if key not in self.server_keys:
            self.server_keys.append(key)
            self.voice.hear_under(key)
        port = re.search(r"m=audio (\d+)", sdp)
        assert port is not None
        self.voice.target = ("127.0.0.1", int(port[1]))
        return tag

    def _session(self, tag: str = "1", sealer: Sealer | None = None) -> bytes:
        self._version += 1
        lines = [
            "v=0",
            f"o=- 1 {self._version} IN IP4 127.0.0.1",
            "s=-",
            "c=IN IP4 127.0.0.1",
            "t=0 0",
            f"m=audio {self.voice.port} RTP/SAVP 0",
            (sealer or self.voice.sealer).line(tag),
        ]
        return ("\r\n".join(lines) + "\r\n" + self._more_sdp).encode()


def key_in(sdp: str, kind: str) -> tuple[str, bytes]:
    """Tag and key of a stream."""
    found = re.search(_LINE.format(kind=kind), sdp, re.DOTALL)
    assert found is not None, sdp
    return found[1], base64.b64decode(found[2])


@asynccontextmanager
async def secure_phone(
    server_port: int, frequency: float, sealer: Sealer, more_sdp: str = ""
) -> AsyncIterator[SecurePhone]:
    """A phone that says a tone under keys; see `speaking`."""
    loop = asyncio.get_running_loop()
    async with opened(partial(SecureVoice, frequency, sealer)) as voice:
        _, phone = await loop.create_datagram_endpoint(
            lambda: SecurePhone(server_port, voice, more_sdp), local_addr=("127.0.0.1", 0)
        )
        try:
            yield phone
        finally:
            phone.close()


async def answered(phone: SecurePhone) -> None:
    """Wait until the server has answered its call."""
    await processes.until(lambda: bool(phone.server_keys), 10)
