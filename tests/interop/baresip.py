"""baresip phones: they play a tone from a file and record what they hear."""

from __future__ import annotations

import asyncio
import json
import wave
from asyncio.subprocess import DEVNULL, STDOUT, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tests.sound import tone

from . import processes
from .client import Api, Events

RATE = 8000
_WAV_HEADER = 44

_CONFIG = """\
poll_method         epoll
sip_listen          {host}:{sip_port}
net_interface       {interface}
prefer_ipv6         {prefer_ipv6}
{more}
call_max_calls      4
audio_source        aufile,{folder}/tone.wav
ausrc_srate         {rate}
auplay_srate        {rate}
ausrc_channels      1
auplay_channels     1
rtp_ports           30000-32700
rtcp_mux            no
jitter_buffer_delay 1-10
module_path         /usr/lib/baresip/modules
module              g711.so
module              g722.so
module              opus.so
module              srtp.so
opus_stereo         no
opus_sprop_stereo   no
opus_inbandfec      yes
module              sndfile.so
module              aufile.so
module_tmp          uuid.so
module_tmp          account.so
module_app          menu.so
module_app          ctrl_tcp.so
ctrl_tcp_listen     127.0.0.1:{control_port}
snd_path            {folder}
menu_bell           no
ringback_disabled   yes
"""


class Baresip:
    """One phone, steered over its control port."""

    def __init__(
        self, folder: Path, uri: str, writer: asyncio.StreamWriter, rate: int = RATE
    ) -> None:
        self.uri, self.rate = uri, rate
        self.events: list[dict[str, Any]] = []
        self._folder = folder
        self._writer = writer
        self._more = asyncio.Condition()

    async def dial(self, uri: str) -> None:
        await self._command("dial", uri)

    async def accept(self) -> None:
        await self._command("accept")

    async def hang_up(self) -> None:
        await self._command("hangup")

    async def hold(self) -> None:
        await self._command("hold")

    async def resume(self) -> None:
        await self._command("resume")

    async def transfer(self, uri: str) -> None:
        """Have the other side of the current call call somebody else."""
        await self._command("transfer", uri)

    async def press(self, digits: str) -> None:
        """Send digits as RFC 4733 events."""
        await self._command("sndcode", digits)

    async def wait(self, event_type: str, count: int = 1, within: float = 10.0) -> list[str]:
        """Wait for events of a type; answers their parameters."""

        def parameters() -> list[str]:
            return [str(e.get("param", "")) for e in self.events if e["type"] == event_type]

        async with asyncio.timeout(within), self._more:
            await self._more.wait_for(lambda: len(parameters()) >= count)
        return parameters()

    def heard(self) -> np.ndarray:
        """What it has heard in its latest call so far, int16 at its rate."""
        files = sorted(self._folder.glob("dump-*-dec.wav"))
        if not files:
            return np.zeros(0, np.int16)
        # the header tells the length only when the call is over
        data = files[-1].read_bytes()
        if len(data) < _WAV_HEADER:
            return np.zeros(0, np.int16)
        channels = int.from_bytes(data[22:24], "little")
        raw = data[_WAV_HEADER:]
        whole = len(raw) // (2 * channels) * 2 * channels
        return np.frombuffer(raw[:whole], "<i2")[::channels]

    async def listen(self, seconds: float) -> np.ndarray:
        """What it hears from now on, for so long."""
        start, length = len(self.heard()), int(seconds * self.rate)
        await processes.until(lambda: len(self.heard()) >= start + length, seconds + 5)
        return self.heard()[start : start + length]

    async def read(self, reader: asyncio.StreamReader) -> None:
        while True:  # netstrings: length, colon, text, comma
            size = int((await reader.readuntil(b":"))[:-1])
            message = json.loads((await reader.readexactly(size + 1))[:-1])
            if "event" in message:
                async with self._more:
                    self.events.append(message)
                    self._more.notify_all()

    async def _command(self, command: str, params: str = "") -> None:
        text = json.dumps(
            {"command": command, "params": params} if params else {"command": command}
        )
        self._writer.write(f"{len(text)}:{text},".encode())
        await self._writer.drain()


@dataclass(frozen=True, slots=True)
class Line:
    """How a phone speaks SIP; ``tls`` is its certificate with key, and the authorities' file."""

    transport: str = "udp"
    host: str = "127.0.0.1"
    tls: tuple[Path, Path] | None = None

    def uri(self, user: str, sip_port: int) -> str:
        """Its address. Over TLS it listens one port higher."""
        port = sip_port + (self.transport == "tls")
        parameter = "" if self.transport == "udp" else f";transport={self.transport}"
        return f"sip:{user}@{self.host}:{port}{parameter}"

    @property
    def account(self) -> str:
        parameter = "" if self.transport == "udp" else f";transport={self.transport}"
        return f"{self.host}{parameter}"

    def config(self) -> dict[str, str]:
        more = ""
        if self.tls is not None:
            more = f"sip_certificate {self.tls[0]}\nsip_cafile {self.tls[1]}"
        is_ipv6 = self.host.startswith("[")
        return {
            "host": self.host,
            "interface": self.host.strip("[]"),
            "prefer_ipv6": "yes" if is_ipv6 else "no",
            "more": more,
        }


UDP = Line()


@dataclass(frozen=True, slots=True)
class Voice:
    """How a phone speaks: ``codecs`` as baresip names them, ``rate`` of its files, which must be
    theirs, and how it protects its audio (srtp: if the other side can; srtp-mand: or not at all).
    """

    codecs: str = "PCMU"
    rate: int = RATE
    mediaenc: str = ""

    @property
    def account(self) -> str:
        """Its parameters of an account."""
        more = f";mediaenc={self.mediaenc}" if self.mediaenc else ""
        return f"audio_codecs={self.codecs}{more}"


PLAIN = Voice()


@asynccontextmanager
async def baresip(
    folder: Path,
    frequency: float = 440.0,
    dbfs: float = -12.0,
    line: Line = UDP,
    voice: Voice = PLAIN,
    sound: np.ndarray | None = None,
    *,
    account: str = "",
    registers: str | None = None,
) -> AsyncIterator[Baresip]:
    """A phone that plays this tone, or a sound of its own (int16 at its rate, at least a minute).

    The folder's name is its user name. ``account`` are parameters of its account, such as
    ``dtmfmode=info``; ``registers`` is whom it registers as, and where, by default it does not.
    """
    processes.need("baresip")
    sip_port, control_port = processes.free_port(), processes.free_port()
    if sound is None:
        sound = tone(frequency, 60.0, voice.rate, dbfs)
    identity = registers or f"<sip:{folder.name}@{line.account}>;regint=0"
    account = f"{identity};{voice.account};answermode=manual{account and ';' + account}"
    _furnish(folder, line, voice, account, sip_port, control_port)
    _write_wav(folder / "tone.wav", sound, voice.rate)
    with (folder / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            "baresip", "-f", str(folder), stdin=DEVNULL, stdout=log, stderr=STDOUT
        )
    try:
        reader, writer = await _connect(process, control_port, folder)
        phone = Baresip(folder, line.uri(folder.name, sip_port), writer, voice.rate)
        reading = asyncio.create_task(phone.read(reader))
        try:
            yield phone
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
            writer.close()
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def _furnish(
    folder: Path, line: Line, voice: Voice, account: str, sip_port: int, control_port: int
) -> None:
    """The folder a phone is configured by."""
    folder.mkdir()
    config = _CONFIG.format(
        sip_port=sip_port,
        control_port=control_port,
        folder=folder,
        rate=voice.rate,
        **line.config(),
    )
    (folder / "config").write_text(config)
    (folder / "accounts").write_text(f"{account}\n")
    (folder / "contacts").touch()


def _write_wav(path: Path, sound: np.ndarray, rate: int) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(sound.tobytes())


async def call_in(
    phone: Baresip, sip_port: int, api: Api, events: Events, room: str, line: Line = UDP
) -> str:
    """Have a phone call the server, answer, and put it into a room."""
    user = phone.uri.partition("@")[0]
    parameter = "" if line.transport == "udp" else f";transport={line.transport}"
    await phone.dial(f"sip:room@{line.host}:{sip_port}{parameter}")
    ringing = await events.wait("leg.ringing", lambda e: e["from"].startswith(user))
    leg = str(ringing["leg_id"])
    await api.post(f"/legs/{leg}/answer", 202)
    await events.wait("leg.connected", leg_id=leg)
    answer = await api.post(f"/rooms/{room}/legs", 200, leg_id=leg)
    assert answer["status"] == "added"
    await events.wait("leg.joined_room", leg_id=leg, room_id=room)
    return leg


async def _connect(
    process: Process, port: int, folder: Path
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Its control connection, once it listens."""
    async with asyncio.timeout(10):
        while True:
            try:
                return await asyncio.open_connection("127.0.0.1", port)
            except ConnectionRefusedError:
                assert process.returncode is None, (folder / "log").read_text()
                await asyncio.sleep(0.02)
