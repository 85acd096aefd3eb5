"""What is told of a recording that a crash left unfinished: as it would have been without."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from hookswitch.events.record import Record as EventRecord
from hookswitch.events.record import WebhookTarget
from hookswitch.plugin import hookimpl
from hookswitch.recording.recorder.sidecar import SUFFIX
from hookswitch.testing.server import run_switch

from .conftest import Desk, numbers

WEBHOOK = {"webhook_url": "http://127.0.0.1:9/hook", "webhook_secret": "hush"}


class Targets:
    """Where events went, by type."""

    def __init__(self) -> None:
        self.seen: dict[str, WebhookTarget | None] = {}

    @hookimpl
    def event_emitted(self, record: EventRecord) -> None:
        self.seen[record.event.type] = record.target


async def staged_context(data: Path, folder: Path, room: str | None) -> dict[str, Any]:
    """What is kept beside a recording that goes on."""
    async with run_switch(data, recording_dir=folder) as server:
        if room is not None:
            await server.ask("POST", "/v1/rooms", {"id": room, "app_id": "shop", **WEBHOOK})
            call = await server.dial(room_id=room)
            path = f"/v1/rooms/{room}/record"
        else:
            call = await server.dial(app_id="shop", **WEBHOOK)
            path = f"/v1/legs/{call.leg.id}/record"
        await server.ask("POST", path)
        (name,) = (name for name in os.listdir(folder) if name.endswith(SUFFIX))
        sidecar = folder / name
        assert sidecar.stat().st_mode & 0o777 == 0o600
        context: dict[str, Any] = json.loads(sidecar.read_bytes())["context"]
        assert context["room_id" if room else "leg_id"] == (room or call.leg.id)
        await server.ask("DELETE", path)
        return context


@pytest.mark.parametrize("room", [None, "r"])
async def test_it_is_told_as_of_its_place(desk: Desk, tmp_path: Path, room: str | None) -> None:
    context = await staged_context(tmp_path / "before", tmp_path / "elsewhere", room)
    desk.context = context
    desk.record("call", desk.channel("mix", numbers(16000)))
    await desk.play(1.0)
    await desk.stop()
    targets = Targets()
    async with run_switch(tmp_path / "data", targets, recording_dir=desk.files) as server:
        finished = await server.events.wait("recording.finished", recovered=True)
    place = {name: finished.get(name) for name in ("leg_id", "room_id") if name in finished}
    assert place == {"room_id": room} if room else {"leg_id": context["leg_id"]}
    assert finished["app_id"] == "shop"
    assert finished["duration_ms"] == 1000
    assert targets.seen["recording.finished"] == WebhookTarget(*WEBHOOK.values())
