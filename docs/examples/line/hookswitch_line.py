"""Lines: legs over plain TCP. Each way goes raw PCM: 16-bit little-endian, 16 kHz, mono."""

import asyncio
from collections.abc import Awaitable
from typing import Literal

import numpy as np
from pydantic import Field

from hookswitch import plugin as hs

RATE, SECOND = 16000, 32000  # Hz; bytes
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class LineSettings(hs.Settings):
    line_port: int = Field(7000, ge=1, le=65535, description="TCP port on which lines arrive")


class CreateLine(hs.CreateLeg):
    type: Literal["line"]
    port: int = Field(ge=1, le=65535, description="TCP port to call, on this machine")


class LineCall(hs.Call):
    def __init__(self, switch: hs.Switch, leg: hs.Leg, streams: Awaitable[Streams]) -> None:
        self.switch, self.leg = switch, leg
        self.task = asyncio.create_task(self.run(streams))

    def hang_up(self, reason: str) -> None:  # the leg remembers the reason
        asyncio.get_running_loop().call_soon(self.task.cancel)  # not before it has begun

    async def run(self, streams: Awaitable[Streams]) -> None:
        reason, writer = "connect_failed", None
        try:
            reader, writer = await streams
            reason = "connection_reset"
            await self.talk(reader, writer)
            reason = "hangup"
        except (OSError, EOFError) as problem:
            self.leg.log.info("the line broke: %s", problem)
        finally:
            await self.leg.disconnected(reason)
            await self.switch.media.close_port(self.leg.id)  # if the leg has none yet
            if writer is not None:
                writer.close()

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        def heard() -> None:  # every 20 ms
            writer.write(port.read().astype("<i2").tobytes())
            if writer.transport.get_write_buffer_size() > 5 * SECOND:  # it does not read
                self.leg.hang_up("peer_slow")

        port = await self.switch.media.open_ring(self.leg.id, RATE, self.leg.on_report, heard)
        await self.leg.media_ready(self.leg.id)
        await self.leg.connected()
        while said := await reader.read(SECOND):
            said += await reader.readexactly(len(said) % 2)  # no half samples
            port.write(np.frombuffer(said, "<i2"))


class LineTransport(hs.Transport):
    name, leg_types, request = "line", ("line_in", "line_out"), CreateLine
    server: asyncio.Server | None = None

    def __init__(self, switch: hs.Switch) -> None:
        self.switch, self.port = switch, hs.load(LineSettings).line_port

    async def start(self) -> None:
        self.server = await asyncio.start_server(self.arrived, "127.0.0.1", self.port)

    async def stop(self) -> None:
        if self.server is not None:  # start may have failed, or not been reached
            self.server.close()

    async def originate(self, request: CreateLine) -> hs.Leg:
        leg = self.switch.create_leg("line_out", request.options())
        leg.call = LineCall(self.switch, leg, asyncio.open_connection("127.0.0.1", request.port))
        leg.ringing(uri=f"line:{request.port}")
        return leg

    def arrived(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            leg = self.switch.create_leg("line_in", hs.LegOptions())
        except hs.Unavailable:  # draining, overloaded
            writer.close()
            return
        streams = asyncio.get_running_loop().create_future()
        streams.set_result((reader, writer))
        leg.call = LineCall(self.switch, leg, streams)
        if (refusal := self.switch.admit(leg)) is not None:
            leg.hang_up(refusal)
            return
        leg.ringing(source_address=str(writer.get_extra_info("peername")))
        self.switch.route(leg)


@hs.hookimpl
def register_settings() -> type[hs.Settings]:
    return LineSettings


@hs.hookimpl
def register_transports(switch: hs.Switch) -> list[hs.Transport]:
    return [LineTransport(switch)]
