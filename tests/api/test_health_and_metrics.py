"""What an operator's tools ask: alive, ready, how much."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from prometheus_client.parser import text_string_to_metric_families

from hookswitch.testing.server import RunningSwitch

Samples = Mapping[tuple[str, frozenset[tuple[str, str]]], float]

IN = frozenset({("leg_type", "fake_in")})


async def scrape(server: RunningSwitch) -> Samples:
    answer = await server.http.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def value(samples: Samples, name: str, **labels: str) -> float:
    return samples[f"hookswitch_{name}", frozenset(labels.items())]


async def test_alive_and_ready(running_switch: RunningSwitch) -> None:
    stamp = {"instance_id": "test-instance"}
    ask = running_switch.ask
    assert await ask("GET", "/healthz", status=200) == {**stamp, "status": "ok"}
    assert await ask("GET", "/readyz", status=200) == {**stamp, "status": "ready"}
    running_switch.switch.drain()
    assert "draining" in await running_switch.problem(503, "GET", "/readyz")
    assert await ask("GET", "/healthz", status=200) == {**stamp, "status": "ok"}


async def test_calls_and_rooms_are_counted(running_switch: RunningSwitch) -> None:
    before = await scrape(running_switch)
    assert value(before, "active_legs") == 0
    await running_switch.dial(room_id="r")
    call = await running_switch.dial(room_id="r")
    ringing = running_switch.fake.receive()
    await ringing.hangs_up("caller_cancel")
    during = await scrape(running_switch)
    assert value(during, "active_legs") == 2
    assert value(during, "active_rooms") == 1
    assert value(during, "legs", leg_type="fake_out", state="connected") == 2
    assert value(during, "legs_created_total", leg_type="fake_out") == 2
    assert value(during, "media_ports", worker="0") == 2
    assert value(during, "fake_calls_total") == 3
    await call.hangs_up()
    running_switch.switch.drain()
    await running_switch.problem(503, "POST", "/v1/legs", {"type": "fake", "to": "x"})
    after = await scrape(running_switch)
    assert value(after, "active_legs") == 1
    assert value(after, "legs_ended_total", leg_type="fake_out", reason="remote_bye") == 1
    assert value(after, "legs_ended_total", leg_type="fake_in", reason="caller_cancel") == 1
    assert value(after, "call_duration_seconds_count", leg_type="fake_out") == 1
    assert value(after, "call_duration_seconds_bucket", leg_type="fake_out", le="1.0") == 1
    # whoever was never answered did not talk for no seconds
    assert ("hookswitch_call_duration_seconds_count", IN) not in after
    assert value(after, "calls_refused_total") == 1


async def test_scraping_again_counts_nothing_twice(running_switch: RunningSwitch) -> None:
    await (await running_switch.dial()).hangs_up()
    counts = [
        value(await scrape(running_switch), "call_duration_seconds_count", leg_type="fake_out")
        for _ in range(3)
    ]
    assert counts == [1, 1, 1]


async def test_events_and_media_are_counted(running_switch: RunningSwitch) -> None:
    call = await running_switch.dial()
    await call.hears(1.1)  # a pulse comes once a second
    samples = await scrape(running_switch)
    assert value(samples, "events_emitted_total") == 2
    assert value(samples, "events_webhooks_pending") == 0
    assert value(samples, "events_stream_dropped_total") == 0
    assert value(samples, "media_ticks_total", worker="0") >= 50
    assert 0 < value(samples, "media_tick_seconds_total", worker="0") < 1.0
    assert 0 < value(samples, "media_load", worker="0") < 1.0
    for name in ("late_ticks_total", "skipped_ticks_total", "restarts_total"):
        assert value(samples, f"media_{name}", worker="0") >= 0
    for name in ("received", "lost"):
        assert value(samples, f"rtp_packets_{name}_total") == 0


async def test_audio_that_runs_out_is_counted(running_switch: RunningSwitch) -> None:
    call = await running_switch.dial()
    media = running_switch.switch.media
    stutterer = await media.open_ring("stutterer", 16000, near=call.leg.id)
    stutterer.write(np.ones(1600, np.int16))
    while stutterer.played() < 1600:
        await call.hears(0.1)
    await call.hears(0.1)
    await media.close_port("stutterer")
    samples = await scrape(running_switch)
    assert value(samples, "playout_underruns_total") == 1
    for name in ("concealed", "dropped", "repeated"):
        assert value(samples, f"playout_{name}_frames_total") == 0
