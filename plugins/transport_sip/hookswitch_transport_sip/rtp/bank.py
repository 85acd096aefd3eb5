"""RTP for many ports: the bank the engine pulls from and pushes to (`hookswitch.mixer.bank.Bank`).

Per packet there is one system call and a few list look-ups; everything else is done for all ports
together, in arrays indexed by the port's *slot*. The parts are: `receiver` (sockets in), `intake`
(headers, sequence, decode), `in_order` (codecs with a past), `lane` (playout, concealment),
`sender` (encode, sockets out), `srtp` (protection), `media` (codecs, and which ports go together),
`supervision` (RTCP, statistics, time-outs) and `endpoint` with its `lock` (whose packets count).
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from hookswitch.mixer.bank import TICKS_PER_SECOND, BankError, Frames, PortReport, PortSpec

from .arrivals import Arrivals
from .endpoint import Endpoint
from .inband import Inband
from .intake import NO_AUDIO, Intake
from .lock import Heard
from .media import Media
from .packets import Headers, Words, parse, plain_word
from .params import RtpParams
from .port import RtpPort
from .receiver import Receiver, Round
from .security import Security
from .sender import Member, Numbers
from .srtp import Opener
from .supervision import RTCP_INTERVAL_S, Supervision
from .telephone_events import DigitStarted, EventSender

CAPACITY = 4096
"""Ports one bank can hold. Arrays are reserved for all; untouched memory costs nothing."""

FOREIGN_RUN = 5
"""Packets of another agreed codec after which it is taken for the peer's choice."""

COMFORT_NOISE = 13
"""Sent by many in pauses, agreed on or not (RFC 3389); we make our own."""

_SUPERVISION_TICKS = 5
"""Ticks between looks at RTCP sockets and at what is due now and then."""


class RtpBank:
    """Implements the Bank protocol over UDP sockets.

    ``clock`` gives the monotonic time on the scale of the ``now`` of `pull` and `push`.
    """

    def __init__(
        self, capacity: int = CAPACITY, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._capacity = capacity
        self._clock = clock
        self._ports: dict[str, RtpPort] = {}
        self._by_slot: dict[int, RtpPort] = {}
        self._free = list(range(capacity - 1, -1, -1))
        self._reports: list[PortReport] = []
        self._watched = np.zeros(capacity, np.bool_)
        self._waiting = np.zeros(capacity, np.bool_)
        self._numbers = Numbers(capacity)
        arrivals = Arrivals(capacity)
        self._receiver = Receiver(capacity, self._numbers.errors, arrivals, self._settled)
        self._opener = Opener(capacity, self._receiver.staging)
        self._intake = Intake(capacity, arrivals, self._take_special)
        self._media = Media(capacity, self._intake, self._numbers)
        self._inband = Inband(capacity)
        self._supervision = Supervision(
            capacity, self._intake, self._numbers, self._opener.refused, self._report
        )
        self._ticks = 0

    # Ports

    def open(self, spec: PortSpec, row: int) -> None:
        """Add a port with ``spec.params`` as `RtpParams`, ``spec.fds`` (RTP, RTCP) sockets."""
        with contextlib.ExitStack() as undo:
            for fd in spec.fds:
                undo.callback(_close_quietly, fd)
            params = RtpParams.unpack(spec.params)
            if spec.id in self._ports:
                raise BankError(f"port {spec.id} is open already")
            if not self._free:
                raise BankError(f"all {self._capacity} RTP ports are in use")
            decoder = self._media.prepare(params.codec, spec.rate)
            undo.pop_all()
            self._add(spec, row, params, decoder)

    def _add(self, spec: PortSpec, row: int, params: RtpParams, decoder: int) -> None:
        slot, now = self._free.pop(), self._clock()
        try:
            endpoint = Endpoint(spec.id, slot, spec.fds, params, self._visited)
        except BankError:
            self._free.append(slot)
            raise
        digits = EventSender(params.event_rate)
        security = _security(params, now)
        member = Member(
            endpoint, row, params.send, digits, params.telephone_event_pt, security=security
        )
        port = RtpPort(spec.id, slot, row, spec.rate, params, endpoint, member)
        self._secure(port, security)
        self._ports[spec.id] = self._by_slot[slot] = port
        self._watched[slot] = self._waiting[slot] = True
        self._intake.open(slot, params.clock_rate, now)
        self._numbers.open(slot, *params.numbers_at(now))
        self._media.lanes[port.rate].open(slot, row, params.jitter_ms, params.jitter_max_ms)
        self._media.start(port, decoder)
        self._mark_plain(port)
        self._inband.watch(slot, row, port.rate, wanted=params.inband_dtmf)
        self._receiver.add(endpoint)
        self._supervision.open(port, now)

    def update(self, port: str, params: Mapping[str, Any]) -> None:
        """Change parameters: direction, codec, addresses, packet time, jitter, time-out."""
        known = self._known(port)
        old, new, slot = known.params, known.params.merged(params), known.slot
        if new.clock_rate != old.clock_rate:
            raise BankError("clock_rate cannot change; open another port")
        another_source = new.ssrc != old.ssrc
        if another_source:
            now = self._clock()
            self._supervision.change_source(known, now)
            self._numbers.begin(slot, *new.numbers_at(now))
        same_keys = new.srtp.same_as(old.srtp) if new.srtp else old.srtp is None
        if another_source or not same_keys:
            self._secure(known, self._rekeyed(known, new))
            known.rollover = 0  # what was reported was that of the former key
        self._media.change(known, new)
        known.foreign = 0
        if (old.jitter_ms, old.jitter_max_ms) != (new.jitter_ms, new.jitter_max_ms):
            self._media.lanes[known.rate].configure(slot, new.jitter_ms, new.jitter_max_ms)
        authenticated = new.srtp is not None
        lock = known.endpoint.lock
        if lock.renegotiate(new.remote, new.signalling_ip, authenticated=authenticated):
            known.endpoint.unconnect()
            self._relink(known)
        if old.remote_rtcp != new.remote_rtcp:
            known.endpoint.rtcp_learned = None
        self._inband.watch(slot, known.row, known.rate, wanted=new.inband_dtmf)
        if new.timeout_enabled and not old.timeout_enabled:
            self._intake.heard[slot], known.timed_out = self._clock(), False
        self._mark_plain(known)
        self._supervision.configure(known)

    def signal(self, port: str, message: Mapping[str, Any]) -> None:
        """``{"dtmf": "12#", "duration_ms": 100, "gap_ms": 60}``: send digits (RFC 4733).

        ``{"handover": True}``: another bank goes on with the port, so closing it says no BYE.
        """
        known = self._known(port)
        if message.get("handover"):
            known.handed_over = True
            return
        if "dtmf" not in message:
            raise BankError(f"unknown signal: {', '.join(sorted(message))}")
        if known.params.telephone_event_pt is None:
            raise BankError("the peer takes no telephone events")
        duration, gap = message.get("duration_ms", 100), message.get("gap_ms", 60)
        try:
            known.member.digits.send(message["dtmf"], duration, gap)
        except ValueError as error:
            raise BankError(str(error)) from None
        self._media.groups[known.key].dialling.add(known.slot)

    def close(self, port: str) -> None:
        """Send RTCP BYE, report the final statistics, close the sockets."""
        known = self._known(port)
        slot = known.slot
        self._supervision.close(known, self._clock())
        self._receiver.remove(known.endpoint)
        self._watched[slot] = self._waiting[slot] = False
        self._opener.close(slot)
        self._inband.watch(slot, known.row, known.rate, wanted=False)
        self._media.lanes[known.rate].close(slot)
        self._media.stop(known)
        known.endpoint.close()
        del self._ports[port], self._by_slot[slot]
        self._free.append(slot)

    def shutdown(self) -> None:
        """Close all ports and what they shared."""
        for port in list(self._ports):
            self.close(port)
        self._receiver.close()

    def reports(self) -> Sequence[PortReport]:
        """What was noticed since the last call."""
        reports, self._reports = self._reports, []
        return reports

    # Ticks

    def catch_up(self) -> None:
        """The clock gave up ticks: what piled up meanwhile is skipped."""
        for lane in self._media.lanes.values():
            lane.playout.catch_up()

    def gather(self, now: float) -> None:
        """Take what has arrived ahead of the tick, which then finds little left to do."""
        for batch in self._receiver.drain(now):
            self._opener.take(batch)
            self._take(batch, now)

    def pull(self, inputs: Frames, now: float) -> None:
        """Take what has arrived and write the next 20 ms of every port into its input row."""
        self.gather(now)
        self._ticks += 1
        if self._ticks % _SUPERVISION_TICKS == 0:
            self._receive_rtcp(now)
        if self._ticks % TICKS_PER_SECOND == 0:
            self._receiver.turn()
        for rate, lane in self._media.lanes.items():
            if rate in inputs:
                lane.pull(inputs[rate])
        for slot, digit in self._inband.detect(inputs):
            self._report(self._by_slot[slot], "digit", {"digit": digit, "tones": True})

    def push(self, outputs: Frames, now: float) -> None:
        """Encode and send 20 ms of every port; then do what is due now and then."""
        for key, group in self._media.groups.items():
            if group.members:
                group.push(outputs[key.rate])
        if self._ticks % _SUPERVISION_TICKS:
            return
        for port in self._supervision.tick(self._by_slot, now):
            port.endpoint.lose(self._supervision.last_heard(port))
            self._relink(port)

    def _take(self, batch: Round, now: float) -> None:
        words = Words.read(batch.datagrams)
        if self._intake.is_plain(batch, words):
            self._intake.take_plain(batch, words, now)
            return
        headers = parse(batch.datagrams, batch.lengths, words)
        slots = batch.slots
        watched = self._watched[slots]
        if watched.any():
            self._filter(np.flatnonzero(watched & headers.valid), slots, headers, now)
        if headers.rtcp.any():
            self._take_muxed(batch, headers, now)
        self._intake.take(batch, headers, now)
        waiting = self._waiting[slots] & headers.valid
        if waiting.any():
            self._note_started(slots[waiting].tolist())

    def _filter(self, which: Any, slots: Any, headers: Headers, now: float) -> None:
        """Ask the locks of ports that are open, or have a visitor who may take over."""
        for i in which.tolist():
            port = self._by_slot[int(slots[i])]
            packet = Heard(
                int(headers.ssrc[i]), int(headers.sequence[i]), int(headers.timestamp[i]), now
            )
            accepted, locked = port.endpoint.offer(packet)
            headers.valid[i] = accepted
            if locked:
                self._intake.sequences.welcome(port.slot, packet.ssrc, packet.sequence)
                host, number = port.endpoint.source
                self._report(port, "rtp_locked", {"host": host, "port": number})
                self._relink(port)
            elif port.endpoint.settled:
                self._settled(port.slot)

    def _note_started(self, slots: list[int]) -> None:
        for slot in slots:
            port = self._by_slot[slot]
            port.started = True
            self._waiting[slot] = False
            self._mark_plain(port)
            self._report(port, "media_started", {})

    def _take_muxed(self, batch: Round, headers: Headers, now: float) -> None:
        for i in np.flatnonzero(headers.rtcp).tolist():
            port = self._by_slot[int(batch.slots[i])]
            if port.endpoint.connected or port.endpoint.source == port.endpoint.lock.locked:
                packet = batch.datagrams[i, : int(batch.lengths[i])].tobytes()
                self._supervision.receive(port, packet, now)

    def _receive_rtcp(self, now: float) -> None:
        for slot in self._receiver.rtcp_ready():
            port = self._by_slot[slot]
            packet = port.receive_rtcp()
            if packet is not None:
                self._supervision.receive(port, packet, now)

    def _take_special(self, slot: int, headers: Headers, index: int, payload: bytes) -> None:
        """A packet that is not the port's audio: a telephone event, comfort noise, or unknown."""
        port, payload_type = self._by_slot[slot], int(headers.payload_type[index])
        clock_rate = port.params.telephone_event.get(payload_type)
        if clock_rate is None:
            self._note_foreign(port, payload_type)
            if payload and payload_type not in {COMFORT_NOISE, *port.params.alternatives}:
                self._discard(port, payload_type, int(headers.sequence[index]))
            return
        stamp, marker = int(headers.timestamp[index]), bool(headers.marker[index])
        for event in port.events.receive(payload, stamp, marker, clock_rate):
            if isinstance(event, DigitStarted):
                self._report(port, "digit", {"digit": event.digit})
            else:
                data = {"digit": event.digit, "duration_ms": event.duration_ms}
                self._report(port, "digit_ended", data)

    def _note_foreign(self, port: RtpPort, payload_type: int) -> None:
        """The peer may have changed to another codec that was agreed on (RFC 3264 section 6.1)."""
        if payload_type not in port.params.alternatives:
            return
        port.foreign += 1
        if port.foreign == FOREIGN_RUN:
            self._report(port, "payload_type", {"payload_type": payload_type})

    def _discard(self, port: RtpPort, payload_type: int, sequence: int) -> None:
        """Audio that was not agreed on is as good as lost. Without payload it keeps a NAT open."""
        if not port.params.receive:
            return
        self._intake.discarded.add(port.slot, sequence)
        if not port.misunderstood:
            port.misunderstood = True
            self._report(port, "unknown_payload_type", {"payload_type": payload_type})

    # Helpers

    def _secure(self, port: RtpPort, security: Security | None) -> None:
        """Protect the port's packets so, or no longer."""
        port.security = security
        self._opener.open(port.slot, security)

    def _rekeyed(self, port: RtpPort, params: RtpParams) -> Security | None:
        """Contexts for new keys, or another source; the rounds of sequence numbers go on."""
        security, keys = port.security, params.srtp
        if keys is None:
            return None
        sequence = int(self._numbers.sequence[port.slot])
        if security is None:
            return Security(keys, params.ssrc, sequence)
        known = security.rollover(int(self._intake.sequences.ssrc[port.slot]))
        before = security.keys
        keys = replace(keys, rollover=before.rollover if known is None else known)
        ours = (before.suite, before.sends, port.params.ssrc)
        if (keys.suite, keys.sends, params.ssrc) != ours:
            security.send_under(keys, params.ssrc, sequence)
        security.rekey(keys)
        return security

    def _known(self, port: str) -> RtpPort:
        try:
            return self._ports[port]
        except KeyError:
            raise BankError(f"port {port} is not open") from None

    def _report(self, port: RtpPort, kind: str, data: Mapping[str, Any]) -> None:
        self._reports.append(PortReport(port.id, kind, data))

    def _visited(self, slot: int) -> None:
        """The lock must see the packet that comes next."""
        self._watched[slot] = True
        self._intake.plain[slot] = NO_AUDIO

    def _settled(self, slot: int) -> None:
        self._watched[slot] = False
        self._mark_plain(self._by_slot[slot])

    def _mark_plain(self, port: RtpPort) -> None:
        """Tell the intake whether this port's packets may take the short way."""
        slot = port.slot
        special = self._watched[slot] or self._waiting[slot] or self._intake.decoder[slot] < 0
        self._intake.plain[slot] = NO_AUDIO if special else plain_word(port.params.receive_type)

    def _relink(self, port: RtpPort) -> None:
        """The endpoint was connected or disconnected: use its new receive and send."""
        self._watched[port.slot] = True
        self._receiver.refresh(port.endpoint)
        self._mark_plain(port)
        self._media.groups[port.key].dirty = True
        self._supervision.configure(port)


def _security(params: RtpParams, now: float) -> Security | None:
    """The contexts of a port that is opened, maybe in the middle of a call."""
    if params.srtp is None:
        return None
    elapsed = max(now - params.started_at, 0.0)
    reports = int(elapsed / (RTCP_INTERVAL_S / 2))
    return Security(params.srtp, params.ssrc, params.numbers_at(now)[0], reports)


def _close_quietly(fd: int) -> None:
    with contextlib.suppress(OSError):
        os.close(fd)
