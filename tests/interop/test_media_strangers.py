"""Those who send audio to a call that is not theirs: before, while and after its phone speaks."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path

from . import processes
from .client import Api, Events
from .rtp_peer import RtpPeer
from .server import Server
from .sipp import Sipp, sipp
from .speakers import opened, speaking

PHONE, LISTENER, STRANGER = 1000.0, 1400.0, 440.0
STRANGERS_HOST = "127.0.0.2"


async def answer(api: Api, events: Events, after: dict[str, object] | None) -> dict[str, object]:
    """Answer the next call into the room."""
    ringing = await events.wait("leg.ringing", after=after)
    await api.post(f"/legs/{ringing['leg_id']}/answer", 202)
    await events.wait("leg.connected", leg_id=ringing["leg_id"])
    await api.post("/rooms/guarded/legs", 200, leg_id=ringing["leg_id"])
    return ringing


async def count_of(peer: RtpPeer, more: int) -> None:
    """Wait until a peer has got so many more packets."""
    wanted = len(peer.heard) + more
    await processes.until(lambda: len(peer.heard) >= wanted, 20)


def calls_in(server: Server, tmp_path: Path, *named: RtpPeer) -> AbstractAsyncContextManager[Sipp]:
    """As many calls, each with one of these as its media's address in SDP."""
    ports = tmp_path / "ports.csv"
    ports.write_text("SEQUENTIAL\n" + "".join(f"{peer.port}\n" for peer in named))
    return sipp(
        "caller_with_media_elsewhere.xml",
        tmp_path,
        *("-inf", str(ports), "-r", "2"),
        target=server.sip_port,
        calls=len(named),
    )


async def test_who_speaks_first_does_not_keep_the_call(
    server: Server, api: Api, events: Events, tmp_path: Path
) -> None:
    """The stranger sends from before the phone's first packet, and never stops."""
    loop = asyncio.get_running_loop()
    async with (
        opened(partial(RtpPeer, PHONE)) as phone,
        opened(partial(RtpPeer, LISTENER)) as listener,
        opened(partial(RtpPeer, STRANGER), STRANGERS_HOST) as stranger,
        calls_in(server, tmp_path, phone, listener) as callers,
    ):
        first = await answer(api, events, None)
        second = await answer(api, events, first)
        await phone.hears_after(0)  # it is silent, and gets what is sent to its SDP's address
        await listener.hears_after(0)
        stranger.target = phone.heard[-1].source
        for _ in range(3):
            stranger.speak()
        await count_of(phone, 50)
        assert stranger.heard == []
        async with speaking([stranger, listener]):
            await stranger.hears(LISTENER)  # nobody else spoke: it may be a phone behind a NAT
            await listener.hears(STRANGER)
            async with speaking([phone]):
                since = loop.time()
                await phone.hears(LISTENER, since)
                await listener.hears(PHONE, since)
                lost = len(stranger.heard)
                await count_of(phone, 200)
                assert len(stranger.heard) == lost
            # the phone is silent now; another stream is none of its
            await count_of(phone, 150)
            assert len(stranger.heard) == lost
        for ringing in (first, second):
            await api.delete(f"/legs/{ringing['leg_id']}", 202)
            await events.ended(str(ringing["leg_id"]))
        await callers.succeeded(2)


async def test_a_source_that_was_found_is_known_to_the_next_media_worker(
    server: Server, api: Api, events: Events, tmp_path: Path
) -> None:
    """The phone is where nobody said it would be, and silent when the worker dies."""
    server.expected.append(r"worker media-0 died \(status -9\)")
    loop = asyncio.get_running_loop()
    async with (
        opened(partial(RtpPeer, PHONE), "127.0.0.3") as phone,
        opened(partial(RtpPeer, LISTENER)) as named,
        calls_in(server, tmp_path, named) as caller,
    ):
        ringing = await answer(api, events, None)
        await named.hears_after(0)
        phone.target = named.heard[-1].source
        async with speaking([phone]):
            await count_of(phone, 20)
        (worker,) = server.media_workers
        os.kill(worker, signal.SIGKILL)
        await processes.until(lambda: server.media_workers not in ([], [worker]), 10)
        before = len(named.heard)
        await phone.hears_after(loop.time())
        await count_of(phone, 20)
        assert len(named.heard) == before
        await api.delete(f"/legs/{ringing['leg_id']}", 202)
        await events.ended(str(ringing["leg_id"]))
        await caller.succeeded()
