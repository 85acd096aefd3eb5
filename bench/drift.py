"""Whether sound keeps its time for ten minutes: in the files, and in what a client hears.

Run: python -m bench.drift [--seconds 600]. Two WebSocket legs and a telephone (RTP, PCMU), paced by
this machine's clock, say a burst of noise once a second, each at its own moment and each its own
noise; a WebSocket leg listens. The room is recorded, mixed and with a channel for each, and so is
one of the legs. In all that, bursts are found by cross-correlation, to a part of a sample.

``drift`` is how far the bursts of the last ten seconds lie from where those of the first ten would
have them, by the senders' clock. ``steps`` counts seconds at which bursts moved by more than a
sample: a jitter buffer does that when a packet was late, and the mixer when it had to give up
ticks. On a machine that has time for this there are none; ``late`` is the longest that a sender
was, by its own clock. ``between`` is the drift without the steps. All in samples of 16 kHz.

Meanwhile it tells every minute how far what a client hears has drifted.

Each ``--every`` seconds it prints the drift of what the client has heard so far.
"""

from __future__ import annotations

import argparse
import asyncio
import socket
import struct
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import httpx
import numpy as np
import websockets
from numpy.typing import NDArray

from hookswitch.codecs.g711 import MuLaw

from .generator import Load, take_calls
from .server import Server

RATE, FRAMES = 16000, 50
BURST_S = 0.1
SETTLING_S = 10
"""At the beginning: legs come, and their buffers find how much they need."""

TOLERATED_S = 0.5
"""How far from its place, by the one before, a burst is looked for."""

Sound = NDArray[np.float64]


@dataclass
class Sender:
    """Says its burst once a second; ``when``: in seconds within each."""

    name: str
    seed: int
    when: float
    rate: int
    say: Callable[[int, NDArray[np.int16]], Any] = field(repr=False)
    late: float = 0.0
    leg: str = ""

    @property
    def burst(self) -> Sound:
        """At 16 kHz, with nothing above 3.4 kHz."""
        count = int(BURST_S * RATE)
        spectrum = np.fft.rfft(np.random.default_rng(self.seed).normal(0, 1, count))
        frequencies = np.fft.rfftfreq(count, 1 / RATE)
        spectrum[(frequencies < 300) | (frequencies > 3400)] = 0
        sound = np.fft.irfft(spectrum, count) * np.hanning(count)
        return np.asarray(sound * 12000 / np.abs(sound).max())

    def frame(self, number: int) -> NDArray[np.int16]:
        """20 ms of what it says, by its own clock."""
        size, second = self.rate // FRAMES, np.zeros(self.rate)
        burst = self.burst[:: RATE // self.rate]
        start = int(self.when * self.rate)
        second[start : start + len(burst)] = burst
        place = number % FRAMES * size
        return np.rint(second[place : place + size]).astype(np.int16)

    async def talk(self, seconds: float) -> None:
        """Say it, frame by frame, as time goes; a late frame makes none after it late."""
        loop, frames = asyncio.get_running_loop(), [self.frame(n) for n in range(FRAMES)]
        start = loop.time()
        for number in range(int(seconds * FRAMES)):
            due = start + number / FRAMES
            await asyncio.sleep(max(due - loop.time(), 0))
            self.late = max(self.late, loop.time() - due)
            await self.say(number, frames[number % FRAMES])


async def _websocket(
    stack: AsyncExitStack, http: str, name: str
) -> tuple[websockets.ClientConnection, list[bytes]]:
    url = f"ws://{http}/v1/legs/websocket?room_id=drift&sample_rate={RATE}&app_id={name}"
    stream = await stack.enter_async_context(websockets.connect(url, max_queue=None))
    heard: list[bytes] = []

    async def hear() -> None:
        async for message in stream:
            if isinstance(message, bytes):
                heard.append(message)

    task = asyncio.create_task(hear())
    stack.callback(task.cancel)
    return stream, heard


async def _phone(
    stack: AsyncExitStack, api: httpx.AsyncClient
) -> Callable[[int, NDArray[np.int16]], Any]:
    """A telephone in the room; answers how it says a frame."""
    signalling = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    signalling.bind(("127.0.0.1", 0))
    stack.callback(signalling.close)
    load = Load(1, 1, "PCMU", None)
    answering = threading.Thread(target=take_calls, args=(load, signalling))
    answering.start()
    body = {"type": "sip", "to": f"sip:0@127.0.0.1:{signalling.getsockname()[1]}",
            "room_id": "drift", "codecs": ["PCMU"], "app_id": "rtp"}  # fmt: skip
    (await api.post("/legs", json=body)).raise_for_status()
    await asyncio.to_thread(answering.join)
    phone, codec, one = load.phones[0], MuLaw(), np.zeros(1, np.intp)
    stack.callback(phone.sock.close)

    async def say(number: int, pcm: NDArray[np.int16]) -> None:
        header = struct.pack("!BBHII", 0x80, 0, number & 0xFFFF, number * 160, phone.ssrc)
        phone.sock.send(header + codec.encode(one, pcm[None])[0].tobytes())

    return say


async def measure(http: str, seconds: float, every: float) -> tuple[list[Sender], dict[str, Sound]]:
    """Have it all happen; answers who spoke, and what came of it, by name."""
    async with AsyncExitStack() as stack:
        api = await stack.enter_async_context(
            httpx.AsyncClient(base_url=f"http://{http}/v1", timeout=60)
        )
        room = {"id": "drift", "sample_rate": RATE}
        (await api.post("/rooms", json=room)).raise_for_status()
        senders = []
        for number, name in enumerate(("ws-a", "ws-b")):
            stream, _ = await _websocket(stack, http, name)

            async def say(
                _: int, pcm: NDArray[np.int16], stream: websockets.ClientConnection = stream
            ) -> None:
                await stream.send(pcm.tobytes())

            senders.append(Sender(name, number, 0.3 * number, RATE, say))
        senders.append(Sender("rtp", 2, 0.6, 8000, await _phone(stack, api)))
        _, heard = await _websocket(stack, http, "listener")
        legs = {leg["app_id"]: leg["id"] for leg in (await api.get("/legs")).json()}
        for sender in senders:
            sender.leg = legs[sender.name]
        places = ("rooms/drift", f"legs/{senders[0].leg}")
        talking = asyncio.gather(*(one.talk(SETTLING_S + seconds + 3) for one in senders))
        await asyncio.sleep(SETTLING_S)
        heard.clear()
        for place in places:
            wanted = {"multi_channel": True} if place.startswith("rooms") else {}
            (await api.post(f"/{place}/record", json=wanted)).raise_for_status()
        telling = asyncio.create_task(_tell(senders, heard, every))
        await asyncio.sleep(seconds)
        telling.cancel()
        files = [(await api.request("DELETE", f"/{place}/record")).json() for place in places]
        sounds = {"heard by a client": np.frombuffer(b"".join(heard), "<i2").astype(float)}
        await talking
    sounds["room's file"] = _channel(files[0]["file"], 0)
    for sender in senders:
        channel = files[0]["channels"][sender.leg]["channel"]
        sounds[f"its channel, {sender.name}"] = _channel(files[0]["multi_channel_file"], channel)
    sounds["leg's file, left"] = _channel(files[1]["file"], 0)
    sounds["leg's file, right"] = _channel(files[1]["file"], 1)
    return senders, sounds


async def _tell(senders: Sequence[Sender], heard: Sequence[bytes], every: float) -> None:
    """Print again and again how far the bursts that a client heard have moved."""
    looked_at = 10 * FRAMES
    await asyncio.sleep(11)
    first = await asyncio.to_thread(_moments, senders, heard[:looked_at])
    while True:
        await asyncio.sleep(every)
        start = (len(heard) - looked_at) // FRAMES * FRAMES
        now = await asyncio.to_thread(_moments, senders, heard[start : start + looked_at])
        drifts = (now - first + RATE / 2) % RATE - RATE / 2
        told = ", ".join(f"{one.name} {d:.2f}" for one, d in zip(senders, drifts, strict=True))
        print(f"{len(heard) / FRAMES:.0f} s heard, drift so far: {told}", flush=True)


def _moments(senders: Sequence[Sender], heard: Sequence[bytes]) -> Sound:
    """When each speaks, in samples within a second."""
    sound = np.frombuffer(b"".join(heard), "<i2").astype(float)
    found = [places(sound, one.burst) for one in senders]
    return np.array([np.nanmedian(one - np.arange(len(one)) * RATE) % RATE for one in found])


def _channel(path: str, number: int) -> Sound:
    with av.open(path) as file:
        assert file.streams.audio[0].rate == RATE, path
        parts = [frame.to_ndarray() for frame in file.decode(audio=0)]  # (1, samples · channels)
        channels = file.streams.audio[0].codec_context.layout.nb_channels
    return np.concatenate([part.reshape(-1, channels)[:, number] for part in parts]).astype(float)


def places(sound: Sound, burst: Sound) -> Sound:
    """Where the bursts are, in samples: one a second, NaN where none is found."""
    size = 1 << (RATE * 2 - 1).bit_length()
    spectrum = np.conj(np.fft.rfft(burst, size))
    starts = range(0, len(sound) - 2 * RATE, RATE // 2)  # one of two does not cut the burst
    firsts = (start + _find(sound[start : start + 2 * RATE], spectrum, size) for start in starts)
    last = next((first for first in firsts if not np.isnan(first)), float("nan"))
    found = [last]
    while last + 2 * RATE < len(sound):
        last += RATE
        begin = int(last - TOLERATED_S * RATE)
        part = sound[begin : begin + int(2 * TOLERATED_S * RATE) + len(burst)]
        found.append(begin + _find(part, spectrum, size))
        last = last if np.isnan(found[-1]) else found[-1]
    return np.array(found)


def _find(part: Sound, spectrum: NDArray[np.complex128], size: int) -> float:
    around = np.fft.irfft(np.fft.rfft(part, size) * spectrum, size)
    likeness = around[: len(part)]
    peak = int(likeness.argmax())
    # of a burst at the very first sample, the last of ``around`` is what is before it
    before, at, after = around[peak - 1], around[peak], around[(peak + 1) % size]
    if at <= max(before, after) or at < 8 * np.std(likeness):
        return float("nan")
    return peak + 0.5 * float((before - after) / (before - 2 * at + after))


def report(senders: list[Sender], sounds: Mapping[str, Sound]) -> None:
    """Print how well each sender's time was kept, wherever it is heard."""
    print(
        f"{'where':24}{'sender':8}{'bursts':>7}{'lost':>6}{'drift':>9}{'most off':>10}{'steps':>7}"
        f"{'between':>9}"
    )
    for where, sound in sounds.items():
        for sender in senders:
            alone = where.startswith(("its channel", "leg's file, left"))
            if alone and not where.endswith((sender.name, "left")):
                continue
            if where.startswith("leg's file") and ("left" in where) != (sender is senders[0]):
                continue
            found = places(sound, sender.burst)
            offset = found - np.arange(len(found)) * RATE
            offset -= np.nanmedian(offset[:10])
            moves = np.diff(offset[~np.isnan(offset)])
            steps = int(np.count_nonzero(np.abs(moves) > 1))
            between = float(moves[np.abs(moves) <= 1].sum())
            drift = float(np.nanmedian(offset[-10:]))
            lost = int(np.count_nonzero(np.isnan(found)))
            most = float(np.nanmax(np.abs(offset)))
            print(f"{where:24}{sender.name:8}{len(found):7}{lost:6}{drift:9.2f}{most:10.2f}"
                  f"{steps:7}{between:9.2f}", flush=True)  # fmt: skip
    print("late: " + ", ".join(f"{one.name} {one.late * 1000:.0f} ms" for one in senders))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--every", type=float, default=60.0, help="seconds between what is told")
    args = parser.parse_args()
    seconds = args.seconds
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder), RECORDING_DIR=folder)
        try:
            before = server.ticks()
            senders, sounds = asyncio.run(measure(server.http, seconds, args.every))
            late, ticks = (now - then for now, then in zip(server.ticks(), before, strict=True))
        finally:
            server.stop()
    print(f"{seconds:.0f} s; {late:.0f} of {ticks:.0f} ticks were late")
    report(senders, sounds)


if __name__ == "__main__":
    main()
