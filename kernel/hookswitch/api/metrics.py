"""``/metrics``: what an operator of a mixer asks for, in Prometheus' text format."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from hookswitch.switch import Switch

CALL_SECONDS = (1, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200)


class Metrics:
    """Reads the switch at each scrape; nothing is counted twice."""

    def __init__(self, switch: Switch) -> None:
        self._switch = switch
        self._registry = CollectorRegistry()
        self._durations = Histogram(
            "hookswitch_call_duration_seconds",
            "Seconds that answered calls lasted from their answer on",
            ["leg_type"],
            buckets=CALL_SECONDS,
            registry=self._registry,
        )
        ProcessCollector(registry=self._registry)
        self._registry.register(self)

    def text(self) -> bytes:
        """The whole exposition."""
        ended, self._switch.totals.answered_seconds = self._switch.totals.answered_seconds, []
        for leg_type, seconds in ended:
            self._durations.labels(leg_type).observe(seconds)
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """Called by the registry."""
        yield from self._calls()
        yield from self._events()
        yield from self._media()
        yield from self._recordings()
        for transport in self._switch.transports.values():
            for name, value in transport.metrics().items():
                family = CounterMetricFamily if name.endswith("_total") else GaugeMetricFamily
                yield family(f"hookswitch_{name}", f"Of the {transport.name} transport", value)

    def _calls(self) -> Iterator[Metric]:
        switch = self._switch
        yield GaugeMetricFamily("hookswitch_active_legs", "Legs now", len(switch.legs))
        yield GaugeMetricFamily("hookswitch_active_rooms", "Rooms now", len(switch.rooms))
        yield GaugeMetricFamily("hookswitch_tasks", "Tasks of the server", len(asyncio.all_tasks()))
        legs = GaugeMetricFamily("hookswitch_legs", "Legs now", labels=["leg_type", "state"])
        for key, count in Counter((leg.type, leg.state.value) for leg in switch.legs).items():
            legs.add_metric(key, count)
        yield legs
        created = CounterMetricFamily("hookswitch_legs_created", "Legs so far", labels=["leg_type"])
        for leg_type, count in switch.totals.created.items():
            created.add_metric([leg_type], count)
        yield created
        ended = CounterMetricFamily(
            "hookswitch_legs_ended", "Legs that are over", labels=["leg_type", "reason"]
        )
        for key, count in switch.totals.ended.items():
            ended.add_metric(key, count)
        yield ended
        yield CounterMetricFamily(
            "hookswitch_calls_refused", "Calls refused by drain or overload", switch.totals.refused
        )
        for name, what, value in (
            ("received", "RTP packets received", switch.totals.rtp_received),
            ("lost", "RTP packets lost on the way here", switch.totals.rtp_lost),
        ):
            yield CounterMetricFamily(
                f"hookswitch_rtp_packets_{name}", f"{what}, ended legs", value
            )

    def _events(self) -> Iterator[Metric]:
        counters = self._switch.events.counters
        for name, what in (
            ("emitted", "Events emitted"),
            ("webhooks_delivered", "Webhook deliveries that succeeded"),
            ("webhooks_retried", "Webhook attempts that failed and are made again"),
            ("webhooks_gave_up", "Webhook deliveries given up"),
            ("stream_dropped", "Events dropped for slow readers of the event stream"),
            ("store_errors", "Failures to write events to disk"),
        ):
            yield CounterMetricFamily(f"hookswitch_events_{name}", what, getattr(counters, name))
        yield GaugeMetricFamily(
            "hookswitch_events_webhooks_pending",
            "Webhook deliveries that wait",
            counters.webhooks_pending,
        )

    def _recordings(self) -> Iterator[Metric]:
        recordings, playbacks = self._switch.recordings, self._switch.playbacks
        recorder, storing = recordings.recorder, recordings.storing
        for name, what, count in (
            ("playbacks", "Playbacks now", len(playbacks)),
            ("recordings", "Recordings now", len(recordings)),
            ("recordings_finishing", "Recordings whose files are being made", recordings.finishing),
            ("uploads_pending", "Files of recordings that wait to be stored", storing.pending),
        ):
            yield GaugeMetricFamily(f"hookswitch_{name}", what, count)
        for name, what, count in (
            ("recorder_lost_samples", "Samples that did not get into their files", recorder.lost),
            ("recorder_restarts", "Times the recorder was started again", recorder.restarts),
            ("uploads_stored", "Files of recordings that were stored", storing.stored),
            ("uploads_failed", "Attempts in vain to store one", storing.failed),
        ):
            yield CounterMetricFamily(f"hookswitch_{name}", what, count)

    def _media(self) -> Iterator[Metric]:
        families: dict[str, Metric] = {}
        for name, what, is_counter in _MEDIA:
            family = CounterMetricFamily if is_counter else GaugeMetricFamily
            families[name] = family(f"hookswitch_media_{name}", what, labels=["worker"])
        for number, host in enumerate(self._switch.media.hosts):
            pulse = host.pulse
            values: dict[str, float] = {
                "restarts": host.restarts,
                "ports": len(host.topology.ports),
            }
            if pulse is not None:
                values |= {
                    "ticks": pulse.ticks,
                    "late_ticks": pulse.late,
                    "skipped_ticks": pulse.skipped,
                    "worst_lateness_ms": pulse.worst_ms,
                    "tick_seconds": pulse.busy_s,
                    "cpu_seconds": pulse.cpu_s,
                    "load": pulse.load,
                }
            for name, value in values.items():
                # Counters and gauges both have it; their common base does not.
                families[name].add_metric([str(number)], value)  # type: ignore[attr-defined]
        yield from families.values()
        for name, metric, what in _PLAYOUT:
            count = self._switch.media.playout.counts[name]
            yield CounterMetricFamily(f"hookswitch_playout_{metric}", what, count)


_PLAYOUT = (
    ("underruns", "underruns", "Times that a port's audio ran out"),
    ("concealed", "concealed_frames", "Frames that were made up, wholly or in part"),
    ("dropped", "dropped_frames", "Frames left out to shorten the delay"),
    ("repeated", "repeated_frames", "Frames played twice to lengthen the delay"),
)
"""Counter of a port, metric, meaning."""

_MEDIA = (
    ("ticks", "Ticks done", True),
    ("late_ticks", "Ticks begun more than 5 ms late", True),
    ("skipped_ticks", "Ticks given up because the worker was far behind", True),
    ("tick_seconds", "Time spent in ticks", True),
    ("cpu_seconds", "Processor time of the worker", True),
    ("restarts", "Times a worker was started again", True),
    ("worst_lateness_ms", "Greatest lateness of a tick in the last second", False),
    ("load", "Share of the last second spent in ticks", False),
    ("ports", "Ports open", False),
)
