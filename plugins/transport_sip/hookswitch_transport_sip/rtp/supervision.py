"""What is due per port only now and then: RTCP, statistics, silence of the peer."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import rtcp
from .intake import Intake
from .lock import SILENCE_S, Heard, LockState
from .port import RtpPort
from .quality import CodecImpairment, burst_ratio, mean_opinion_score, rating
from .sender import Numbers
from .stats import Intervals

RTCP_INTERVAL_S = 5.0
STATS_INTERVAL_S = 5.0

DUE_PER_CALL = 40
"""At most this many ports are served per call by each duty; the others at the next."""

_NEVER = math.inf
# Packetisation and our own tick, for the E-model; the network's share is measured.
_FIXED_DELAY_MS = 40.0


class Schedule:
    """Times by slot at which something is due."""

    def __init__(self, capacity: int) -> None:
        self.at: NDArray[np.float64] = np.full(capacity, _NEVER)

    def due(self, now: float) -> list[int]:
        """Some of the slots whose time has come."""
        late = self.at <= now
        return np.flatnonzero(late)[:DUE_PER_CALL].tolist() if np.count_nonzero(late) else []

    def cancel(self, slot: int) -> None:
        """Nothing is due at the slot."""
        self.at[slot] = _NEVER


class Supervision:
    """The slow duties. ``report(port, kind, data)`` passes on what was noticed.

    ``refused`` counts by slot the packets that SRTP turned away.
    """

    def __init__(
        self,
        capacity: int,
        intake: Intake,
        numbers: Numbers,
        refused: NDArray[np.int64],
        report: Callable[[RtpPort, str, Mapping[str, Any]], None],
    ) -> None:
        self._intake = intake
        self._numbers = numbers
        self._refused = refused
        self._report = report
        self._intervals = Intervals(capacity)
        self._rtcp = Schedule(capacity)
        self._stats = Schedule(capacity)
        self._timeout = np.full(capacity, _NEVER)
        self._locked = np.zeros(capacity, np.bool_)
        self._random = random.Random()

    def open(self, port: RtpPort, now: float) -> None:
        """Begin the duties of a port, at times of its own so that ports spread over time."""
        slot = port.slot
        self._intervals.reset(slot)
        self._rtcp.at[slot] = now + RTCP_INTERVAL_S / 2 * self._random.uniform(0.5, 1.5)
        self._stats.at[slot] = now + STATS_INTERVAL_S * self._random.uniform(0.8, 1.0)
        self.configure(port)

    def configure(self, port: RtpPort) -> None:
        """Take over changed parameters."""
        enabled = port.params.timeout_enabled and port.params.receive and not port.timed_out
        self._timeout[port.slot] = port.params.rtp_timeout_s if enabled else _NEVER
        self._locked[port.slot] = port.endpoint.lock.state is LockState.LOCKED

    def close(self, port: RtpPort, now: float) -> None:
        """Say goodbye and give the final statistics."""
        if not port.handed_over:
            self._say_goodbye(port, now)
        self._report(port, "stats", self.statistics(port))
        for schedule in (self._rtcp, self._stats):
            schedule.cancel(port.slot)
        self._timeout[port.slot] = _NEVER
        self._locked[port.slot] = False

    def change_source(self, port: RtpPort, now: float) -> None:
        """What we send goes on as another source, whose counts begin anew (RFC 3550 section 6.4.1).

        Called while the former one's address and keys still are the port's.
        """
        self._say_goodbye(port, now)
        numbers, slot = self._numbers, port.slot
        port.sent_before = int(numbers.packets[slot]), int(numbers.octets[slot])

    def tick(self, ports: Mapping[int, RtpPort], now: float) -> Iterator[RtpPort]:
        """Do what is due; yields the ports whose source has fallen silent."""
        for slot in self._rtcp.due(now):
            port = ports[slot]
            # Between half and one and a half times the interval (RFC 3550 section 6.3.1).
            self._rtcp.at[slot] = now + RTCP_INTERVAL_S * self._random.uniform(0.5, 1.5)
            port.send_rtcp(self._compound(port, now, bye=False))
        for slot in self._stats.due(now):
            self._stats.at[slot] += STATS_INTERVAL_S
            self._report(ports[slot], "stats", self.statistics(ports[slot]))
            self._watch_rollover(ports[slot])
        silent = now - self._intake.heard
        overdue = silent > self._timeout
        if np.count_nonzero(overdue):
            for slot in np.flatnonzero(overdue).tolist():
                self._time_out(ports[slot])
        lost = self._locked & (silent > SILENCE_S)
        if np.count_nonzero(lost):
            yield from (ports[slot] for slot in np.flatnonzero(lost).tolist())

    def last_heard(self, port: RtpPort) -> Heard:
        """The newest packet of the port's stream."""
        intake, slot = self._intake, port.slot
        return Heard(
            int(intake.sequences.ssrc[slot]),
            int(intake.sequences.highest[slot]) & 0xFFFF,
            int(intake.stamp[slot]),
            float(intake.heard[slot]),
        )

    def receive(self, port: RtpPort, packet: bytes, now: float) -> None:
        """Take a compound packet of the peer."""
        for item in rtcp.parse(packet) or ():
            if isinstance(item, rtcp.Goodbye):
                continue
            if item.sender is not None:
                port.last_report = rtcp.middle(item.sender.ntp), now
            for block in item.blocks:
                if block.ssrc == port.params.ssrc:
                    measured = rtcp.round_trip(block, rtcp.ntp_time(time.time()))
                    port.round_trip = measured if measured is not None else port.round_trip

    def statistics(self, port: RtpPort) -> dict[str, Any]:
        """Everything counted since the port opened.

        Packets that were discarded for what they held are lost to whoever listens: they count so,
        and not as received. RTCP is about the network, and knows them as received.
        """
        slot, intake, numbers = port.slot, self._intake, self._numbers
        sequences = intake.sequences
        expected, received = sequences.expected_of(slot), int(sequences.received[slot])
        discarded = int(intake.discarded.count[slot])
        lost = max(expected - received, 0) + discarded
        data: dict[str, Any] = {
            "packets_received": received - discarded,
            "packets_lost": lost,
            "packets_discarded": discarded,
            "packets_duplicated": int(sequences.duplicates[slot]),
            "octets_received": int(intake.octets[slot]),
            "jitter_ms": round(float(intake.jitter.seconds[slot]) * 1000, 2),
            "packets_sent": int(numbers.packets[slot]),
            "octets_sent": int(numbers.octets[slot]),
            "send_errors": int(numbers.errors[slot]),
            "round_trip_ms": _milliseconds(port.round_trip),
            "mos": None,
        }
        data |= self._playout_counters(slot)
        if port.security is not None:
            data["srtp_refused"] = int(self._refused[slot])
        if received:
            gaps = int(sequences.gaps[slot] + intake.discarded.runs[slot])
            loss = lost / expected if expected else 0.0
            burst = burst_ratio(lost, gaps, expected)
            data["mos"] = self._opinion(port, loss, burst)
        return data

    def _watch_rollover(self, port: RtpPort) -> None:
        """Whoever opens the port again must know how often the peer's numbers have wrapped."""
        if port.security is None:
            return
        count = port.security.rollover(int(self._intake.sequences.ssrc[port.slot]))
        if count and count != port.rollover:
            port.rollover = count
            self._report(port, "srtp_rollover", {"rollover": count})

    def _playout_counters(self, slot: int) -> dict[str, int]:
        which = int(self._intake.decoder[slot])
        if which < 0:
            return {}
        lane, stream = self._intake.decoders[which].lane, self._intake.decoders[which].stream
        playout = lane.playout
        return {
            "recovered": int(stream.recovered[slot]) if stream else 0,
            "late": int(lane.ring.late[slot]),
            "underruns": int(playout.underruns[slot]),
            "concealed": int(playout.concealed[slot]),
            "dropped": int(playout.dropped[slot]),
            "repeated": int(playout.repeated[slot]),
        }

    def _opinion(self, port: RtpPort, loss: float, burst: float) -> float:
        jitter_ms = max(2000 * float(self._intake.jitter.seconds[port.slot]), port.params.jitter_ms)
        delay = _FIXED_DELAY_MS + jitter_ms + 500 * (port.round_trip or 0.0)
        codec = CodecImpairment(*port.params.impairment)
        return round(mean_opinion_score(rating(loss, delay, burst, codec)), 2)

    def _time_out(self, port: RtpPort) -> None:
        port.timed_out = True
        self._timeout[port.slot] = _NEVER
        self._report(port, "media_timeout", {"timeout_s": port.params.rtp_timeout_s})

    def _say_goodbye(self, port: RtpPort, now: float) -> None:
        if port.params.send or port.started:
            port.send_rtcp(self._compound(port, now, bye=True))

    def _compound(self, port: RtpPort, now: float, *, bye: bool) -> bytes:
        slot, numbers = port.slot, self._numbers
        sender = None
        packets, octets = port.sent_before
        if numbers.packets[slot] > packets:
            sender = rtcp.SenderInfo(
                rtcp.ntp_time(time.time()),
                int(numbers.timestamp[slot]),
                int(numbers.packets[slot]) - packets,
                int(numbers.octets[slot]) - octets,
            )
        params = port.params
        return rtcp.build(params.ssrc, params.cname, sender, self._blocks(port, now), bye)

    def _blocks(self, port: RtpPort, now: float) -> list[rtcp.ReportBlock]:
        sequences, slot = self._intake.sequences, port.slot
        if sequences.ssrc[slot] < 0:
            return []
        interval = self._intervals.take(slot, sequences)
        jitter = int(self._intake.jitter.seconds[slot] * port.params.clock_rate)
        lsr, dlsr = 0, 0
        if port.last_report is not None:
            lsr, dlsr = port.last_report[0], int((now - port.last_report[1]) * 65536)
        ssrc = int(sequences.ssrc[slot])
        return [
            rtcp.ReportBlock(
                ssrc, interval.fraction, interval.lost, interval.highest, jitter, lsr, dlsr
            )
        ]


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 2)
