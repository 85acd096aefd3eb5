"""The media of one call: its sockets, what was agreed, its port in the mixer."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hookswitch.codecs.base import CodecInfo
from hookswitch.mixer.bank import PortReport, PortSpec
from hookswitch.mixer.commands import SignalPort, UpdatePort
from hookswitch.mixer.topology import CommandError
from hookswitch.plugin import Conflict, Leg, Switch

from .call_text import CallText
from .numeric import numeric
from .rtp.params import RtpParams
from .rtp_ports import PortPair
from .sdp.audio import LocalAudio, NegotiatedAudio
from .sdp.direction import Direction
from .sdp.negotiation import AudioNegotiation
from .sdp.session import SessionNegotiation
from .settings import InbandDtmf, SipSettings
from .sip.digit_sources import DigitSources

BANK = "hookswitch_transport_sip.rtp.bank:RtpBank"

_TOTALS = ("packets_received", "packets_lost", "packets_sent")


class CallMedia:
    """One audio stream, and text beside it where both sides want it.

    ``take_ports`` is asked for ports of the text. `close` undoes everything; it may be called at
    any time.
    """

    def __init__(
        self,
        switch: Switch,
        settings: SipSettings,
        leg: Leg,
        ports: PortPair,
        codecs: Sequence[CodecInfo],
        take_ports: Callable[[], PortPair],
        signalling_ip: str | None = None,
        host: str | None = None,
        *,
        rtt: bool = False,
        inband_dtmf: InbandDtmf | None = None,
    ) -> None:
        """``host`` is announced; default the preferred family's address."""
        self._switch, self._settings, self._leg = switch, settings, leg
        self._ports = ports
        self._signalling_ip = signalling_ip
        local = LocalAudio(
            codecs=tuple(codecs),
            host=host or settings.announced_ip,
            port=ports.port,
            session_id=secrets.randbits(62),
        )
        self._cname = f"{leg.id}@{settings.announced_ip}"
        enabled = switch.settings.rtt_enabled
        self.text = CallText(leg, take_ports, signalling_ip, self._cname, enabled=enabled)
        self.negotiation = SessionNegotiation(
            AudioNegotiation(local), self.text.port, offer_text=rtt
        )
        self._inband_dtmf = inband_dtmf or settings.sip_inband_dtmf
        self._opened = self._closed = False
        self._numbers = {
            "ssrc": secrets.randbits(32),
            "sequence": secrets.randbits(16),
            "timestamp": secrets.randbits(32),
            "started_at": time.monotonic(),
        }
        self._digits = DigitSources()
        self._before: dict[str, int] = dict.fromkeys(_TOTALS, 0)
        self._last: Mapping[str, Any] = {}

    @property
    def agreed(self) -> NegotiatedAudio | None:
        """What was agreed last."""
        return self.negotiation.current

    async def apply(self, agreed: NegotiatedAudio) -> None:
        """Open the port, or change it. Raises CommandError, OSError (a name that is none)."""
        await self.text.apply(self.negotiation.text)
        params = await self._params(agreed)
        if self._opened:
            changed = {k: v for k, v in params.pack().items() if k not in self._numbers}
            await self._switch.media.apply_to(self._leg.id, UpdatePort(self._leg.id, changed))
            return
        spec = PortSpec(
            self._leg.id, agreed.codec.sample_rate, BANK, params.pack(), fds=self._ports.fds
        )
        if self._closed:
            raise Conflict("the leg hung up")
        await self._switch.media.open_port(spec, self._on_report)
        self._opened = True
        await self._leg.media_ready(self._leg.id)

    @property
    def takes_events(self) -> bool:
        """Whether the peer takes digits as RFC 4733 events."""
        agreed = self.agreed
        return self._opened and agreed is not None and agreed.telephone_event_pt is not None

    def send_dtmf(self, digits: str) -> None:
        """Send digits as RFC 4733 events."""
        self._switch.spawn(self._send_events(digits))

    async def _send_events(self, digits: str) -> None:
        port = self._leg.id
        try:
            await self._switch.media.apply_to(port, SignalPort(port, {"dtmf": digits}))
        except CommandError as error:
            self._leg.command_failed("dtmf", str(error))

    def close(self) -> None:
        """Release the sockets; the port in the mixer is closed by the leg's end."""
        self._closed = True
        self._ports.close()
        self.text.close()

    def is_new_digit(self, digit: str, source: str) -> bool:
        """Whether a digit has not come another way already."""
        return self._digits.is_new(digit, source, asyncio.get_running_loop().time())

    async def _params(self, agreed: NegotiatedAudio) -> RtpParams:
        settings = self._settings
        held = not (agreed.direction.sends and agreed.direction.receives)
        return RtpParams(
            codec=agreed.codec.batch,
            payload_type=agreed.payload_type,
            receive_payload_type=agreed.receive_payload_type,
            clock_rate=agreed.codec.clock_rate,
            telephone_event=agreed.telephone_event,
            telephone_event_pt=agreed.telephone_event_pt,
            remote=await numeric(agreed.remote),
            remote_rtcp=await numeric(agreed.remote_rtcp),
            rtcp_mux=agreed.rtcp_mux,
            signalling_ip=self._signalling_ip,
            ptime_ms=agreed.ptime_ms,
            send=agreed.direction.sends,
            receive=agreed.direction.receives,
            inband_dtmf=self._inband_dtmf == "on"
            or (self._inband_dtmf == "auto" and agreed.telephone_event_pt is None),
            jitter_ms=settings.sip_jitter_buffer_ms,
            jitter_max_ms=settings.sip_jitter_buffer_max_ms,
            rtp_timeout_s=settings.rtp_timeout,
            timeout_enabled=not held,
            cname=self._cname,
            **self._numbers,  # type: ignore[arg-type]  # integers and one float, as named
        )

    def _on_report(self, report: PortReport) -> None:
        if report.kind == "stats":
            report = PortReport(report.port, report.kind, self._summed(report.data))
        elif report.kind == "digit":
            source = "tones" if report.data.get("tones") else "events"
            if not self.is_new_digit(str(report.data["digit"]), source):
                return
        elif report.kind == "media_timeout" and self.text.heard_within(self._settings.rtp_timeout):
            self._switch.spawn(self._wait_again())
            return
        self._leg.on_report(report)

    async def _wait_again(self) -> None:
        """Who writes need not speak: have the silence be measured anew."""
        agreed, port = self.agreed, self._leg.id
        if agreed is None or agreed.direction is not Direction.SENDRECV:
            return  # on hold meanwhile: nothing is measured
        off, on = (UpdatePort(port, {"timeout_enabled": enabled}) for enabled in (False, True))
        with contextlib.suppress(CommandError):
            await self._switch.media.apply_to(port, off, on)

    def _summed(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Totals of the whole call: a restarted media worker counts from zero again."""
        if data["packets_received"] < self._last.get("packets_received", 0):
            for name in _TOTALS:
                self._before[name] += self._last[name]
        self._last = data
        return {**data, **{name: data[name] + self._before[name] for name in _TOTALS}}
