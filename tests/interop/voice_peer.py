"""Media in any codec, for calls whose signalling is SIPp's; it may change in mid-call."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import numpy as np

from hookswitch.codecs.base import CodecInfo, StreamCodecBatch
from hookswitch.plugins.builtin import load_plugins
from hookswitch_transport_sip.rtp.media import load_codec
from tests.sound import level, tone

from .speakers import Speaker, all_speaking

ONE = np.zeros(1, np.intp)


class VoicePeer(Speaker):
    """One RTP socket that says a tone in one codec, and understands that codec only."""

    def __init__(self, frequency: float, codec: str, payload_type: int) -> None:
        super().__init__()
        self.frequency = frequency
        self._target: tuple[str, int] | None = None
        self._sequence = 0
        self.change(codec, payload_type)

    def change(self, codec: str, payload_type: int) -> None:
        """Speak, and understand, another codec from now on."""
        known = load_plugins().collect("register_codecs", CodecInfo)
        self.info = next(each for each in known if each.name == codec)
        self.payload_type = payload_type
        self._codec = load_codec(self.info.batch)
        self._codec.open(0)
        self._tone = tone(self.frequency, 1.0, self.info.sample_rate)
        self._timestamp = 0
        self._heard: list[np.ndarray] = []
        self.foreign = 0

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._target = addr
        if data[1] & 0x7F != self.payload_type:
            self.foreign += 1
            return
        payload = np.frombuffer(data[12:], np.uint8)[None, :]
        if isinstance(self._codec, StreamCodecBatch):
            pcm, _ = self._codec.decode(ONE, payload, np.array([payload.shape[1]]))
        else:
            pcm = self._codec.decode(ONE, payload)
        self._heard.append(pcm[0])

    def speak(self) -> None:
        if self._target is None:
            return
        size = self.info.sample_rate // 50
        start = self._sequence * size % len(self._tone)
        frame = self._tone[None, start : start + size]
        if isinstance(self._codec, StreamCodecBatch):
            payloads, sizes = self._codec.encode(ONE, frame)
            payload = payloads[0, : sizes[0]].tobytes()
        else:
            payload = self._codec.encode(ONE, frame)[0].tobytes()
        numbers = self._sequence & 0xFFFF, self._timestamp, 77
        header = struct.pack("!BBHII", 0x80, self.payload_type, *numbers)
        self._transport.sendto(header + payload, self._target)
        self._sequence += 1
        self._timestamp += self.info.clock_rate // 50

    async def hears(self, frequency: float, dbfs: float = -12.0) -> None:
        """Wait until it hears a tone for 200 ms, undisturbed and as loud as that."""
        async with asyncio.timeout(10):
            while True:
                await asyncio.sleep(0.02)  # the packets' own time
                audio = np.concatenate(self._heard[-10:]) if len(self._heard) >= 10 else None
                if audio is not None:
                    found = level(audio, frequency, self.info.sample_rate)
                    if abs(found - dbfs) < 1.5:
                        return


@asynccontextmanager
async def voice_peers(*voices: tuple[float, str, int]) -> AsyncIterator[list[VoicePeer]]:
    """Peers that speak all the time: frequency, codec, payload type of each."""
    async with all_speaking([partial(VoicePeer, *voice) for voice in voices]) as peers:
        yield peers
