"""The media of one call: its sockets, what was agreed, its port in the mixer."""

from __future__ import annotations

import asyncio
import contextlib
import math
import re
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, astuple, replace
from typing import Any

from hookswitch.codecs.base import CodecInfo
from hookswitch.mixer.bank import PortReport, PortSpec
from hookswitch.mixer.commands import SetPort, SignalPort, UpdatePort
from hookswitch.mixer.topology import CommandError
from hookswitch.plugin import Conflict, HookswitchError, Leg, LegState, Switch

from .call_text import CallText
from .numeric import numeric
from .rtp.keys import SrtpKeys
from .rtp.params import Address, RtpParams
from .rtp_ports import PortPair
from .sdp.audio import LocalAudio, NegotiatedAudio, Srtp
from .sdp.direction import Direction
from .sdp.errors import SdpError
from .sdp.negotiation import AudioNegotiation
from .sdp.session import SessionNegotiation
from .settings import InbandDtmf, SipSettings
from .sip.digit_sources import DigitSources
from .totals import Age, KeyLife, Totals

BANK = "hookswitch_transport_sip.rtp.bank:RtpBank"

MEDIA_ERRORS = (CommandError, OSError, HookswitchError, SdpError)
"""What opening or changing media may raise."""

UNDER_WAY = 50
"""Packets that may be sent between a change and the media worker's hearing of it."""


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
        srtp: Srtp | None = None,
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
            srtp=srtp or settings.sip_srtp,
            keys=SrtpKeys.generate(),
        )
        self._cname = f"{leg.id}@{settings.announced_ip}"
        enabled = switch.settings.rtt_enabled
        self.text = CallText(leg, take_ports, signalling_ip, self._cname, enabled=enabled)
        self.negotiation = SessionNegotiation(
            AudioNegotiation(local), self.text.port, SrtpKeys.generate(), offer_text=rtt
        )
        self._inband_dtmf = inband_dtmf or settings.sip_inband_dtmf
        self._opened: PortSpec | None = None
        self._closed = False
        self._numbers = _numbers()
        self._in_use: NegotiatedAudio | None = None
        self._digits = DigitSources()
        self._params_in_use: RtpParams | None = None
        self._rollover = b"", 0
        self._learned: Address | None = None
        self._learned_for: Address | None = None
        self.discarded = 0
        """RTP packets that held no audio we understand, so far."""
        self._told_misunderstood = False
        self._was_silent = False
        """Whether silence was reported before the answer, when it does not count."""
        self._totals, self._key_life = Totals(), KeyLife()
        self.on_worn_keys: Callable[[], None] = _unheard
        """Called when the keys of SRTP should be replaced."""

    @property
    def agreed(self) -> NegotiatedAudio | None:
        """What was agreed last."""
        return self.negotiation.current

    async def apply(self, agreed: NegotiatedAudio) -> None:
        """Open the port, or change it. Raises CommandError, OSError (a name that is none)."""
        await self.text.apply(self.negotiation.text)
        anew = self._needs_another_port(agreed)
        if anew or self._needs_another_source(agreed):
            self._numbers = _numbers()
            if not agreed.direction.sends:
                self._numbers["started_at"] = math.inf
        else:
            self._keep_count(agreed)
        params = await self._params(agreed)
        spec = PortSpec(
            self._leg.id, agreed.codec.sample_rate, BANK, params.pack(), fds=self._ports.fds
        )
        if self._closed:
            raise Conflict("the leg hung up")
        media, before = self._switch.media, self._opened
        # Who is not sent to hears nothing: a recording tells what the peer was sent.
        sent = SetPort(spec.id, unsent=not agreed.direction.sends)
        self._in_use, self._params_in_use = agreed, params
        if before is None:
            placed = self._leg.place(spec.id)
            await media.open_port(spec, self._on_report, placed, sent)
            self._opened = spec
            await self._leg.media_ready(spec.id, placed)
        elif anew:
            await media.reopen_port(spec)
            self._opened = spec
            await media.apply_to(spec.id, sent)
        else:
            await media.apply_to(spec.id, UpdatePort(spec.id, spec.params), sent)

    def _keep_count(self, agreed: NegotiatedAudio) -> None:
        """Where our stream will have got to is told by the time; not while we are on hold.

        A restarted media worker must neither repeat a number (of SRTP, the key stream with it) nor
        run ahead by more than half of their range.
        """
        before = self._params_in_use
        sends = agreed.direction.sends
        if before is None or (before.send, before.ptime_ms) == (sends, agreed.ptime_ms):
            return
        now = time.monotonic()
        sequence, timestamp = before.numbers_at(now)
        margin = UNDER_WAY if before.send else 0
        self._numbers |= {
            "sequence": sequence + margin,
            "timestamp": timestamp,
            "started_at": now if sends else math.inf,
        }

    def _needs_another_port(self, agreed: NegotiatedAudio) -> bool:
        """Whether what we send cannot go on: its rates change (RFC 7160)."""
        if self._in_use is None:
            return False
        old, new = self._in_use.codec, agreed.codec
        return (old.sample_rate, old.clock_rate) != (new.sample_rate, new.clock_rate)

    def _needs_another_source(self, agreed: NegotiatedAudio) -> bool:
        """Whether our key changes: another one begins with a source of its own.

        Peers differ in whether the count of wrapped sequence numbers goes on.
        """
        before = self._in_use.srtp if self._in_use else None
        if before is None or agreed.srtp is None:
            return False
        return before.sends != agreed.srtp.sends

    @property
    def takes_events(self) -> bool:
        """Whether the peer takes digits as RFC 4733 events."""
        agreed, opened = self.agreed, self._opened is not None
        return opened and agreed is not None and agreed.telephone_event_pt is not None

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

    def is_new_digit_by_info(self, digit: str) -> bool:
        """Whether a digit has not come another way already."""
        return self._digits.is_new(digit, "info", asyncio.get_running_loop().time())

    def _is_new(self, digit: str, *, tones: bool) -> bool:
        now = asyncio.get_running_loop().time()
        return self._digits.is_new(digit, "tones" if tones else "events", now, held=not tones)

    async def _params(self, agreed: NegotiatedAudio) -> RtpParams:
        settings = self._settings
        held = not (agreed.direction.sends and agreed.direction.receives)
        remote = await numeric(agreed.remote)
        return RtpParams(
            codec=agreed.codec.batch,
            payload_type=agreed.payload_type,
            receive_payload_type=agreed.receive_payload_type,
            clock_rate=agreed.codec.clock_rate,
            telephone_event=agreed.telephone_event,
            telephone_event_pt=agreed.telephone_event_pt,
            remote=remote,
            remote_rtcp=await numeric(agreed.remote_rtcp),
            rtcp_mux=agreed.rtcp_mux,
            signalling_ip=self._signalling_ip,
            learned=self._learned if remote == self._learned_for else None,
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
            fmtp=_spoken_all_the_time(agreed.fmtp) if agreed.srtp else agreed.fmtp,
            alternatives=tuple(each.receive_payload_type for each in agreed.alternatives),
            impairment=astuple(agreed.codec.impairment),
            srtp=self._with_rollover(agreed.srtp) if agreed.srtp else None,
            **self._numbers,  # type: ignore[arg-type]  # integers and one float, as named
        )

    def _on_report(self, report: PortReport) -> None:
        if report.kind == "srtp_rollover":
            self._remember_rollover(report.data["rollover"])
            return
        if report.kind == "rtp_locked":
            self._remember_source((report.data["host"], report.data["port"]))
        if report.kind == "unknown_payload_type":
            self._misunderstood(report.data["payload_type"])
            return
        if report.kind == "payload_type":
            self._switch.spawn(self._follow(report.data["payload_type"]))
            return
        if report.kind == "stats":
            report = PortReport(report.port, report.kind, self._totals.add(report.data))
            self.discarded = report.data["packets_discarded"]
            self._watch_keys(report.data)
        elif report.kind == "digit":
            if not self._is_new(str(report.data["digit"]), tones="tones" in report.data):
                return
        elif report.kind == "digit_ended":
            now = asyncio.get_running_loop().time()
            self._digits.ended(str(report.data["digit"]), "events", now)
        elif report.kind == "media_timeout":
            if not self._leg.is_answered:
                self._was_silent = True
                return  # nobody has to speak yet
            if self.text.heard_within(self._settings.rtp_timeout):
                self._switch.spawn(self._wait_again())
                return
        self._leg.on_report(report)

    def _watch_keys(self, data: Mapping[str, Any]) -> None:
        keys = self._in_use.srtp if self._in_use else None
        received = data["packets_received"] + self.discarded
        age = self._key_life.age(keys, received, data["packets_sent"])
        if age is Age.WORN:
            self.on_worn_keys()
        elif age is Age.OVER:
            self._leg.hang_up("srtp_key_expired")

    def _misunderstood(self, payload_type: int) -> None:
        """The peer sends what was not agreed on. Told once, also where a worker is started anew."""
        if not self._told_misunderstood:
            self._told_misunderstood = True
            self._leg.log.warning(
                "the peer sends payload type %d, which was not agreed on: it is discarded",
                payload_type,
            )

    def answered(self) -> None:
        """To be called before the leg is: what silence there was in early media counts no more."""
        if self._leg.state is LegState.EARLY_MEDIA or self._was_silent:
            self._switch.spawn(self._wait_again())

    async def _wait_again(self) -> None:
        """Have the silence be measured from now on."""
        agreed, port = self.agreed, self._leg.id
        if agreed is None or agreed.direction is not Direction.SENDRECV:
            return  # on hold meanwhile: nothing is measured
        off, on = (UpdatePort(port, {"timeout_enabled": enabled}) for enabled in (False, True))
        with contextlib.suppress(CommandError):
            await self._switch.media.apply_to(port, off, on)

    def _remember_source(self, source: Address) -> None:
        """Whoever opens the port again goes on with the same source."""
        if self._params_in_use is None:
            return
        self._learned, self._learned_for = source, self._params_in_use.remote
        self._switch.spawn(self._tell({"learned": source}))

    async def _tell(self, params: Mapping[str, Any]) -> None:
        """Change parameters of the port, now and for whoever opens it again."""
        port = self._leg.id
        with contextlib.suppress(CommandError):  # it is closed already
            await self._switch.media.apply_to(port, UpdatePort(port, params))

    def _remember_rollover(self, count: int) -> None:
        """Whoever opens the port again must know it."""
        if self._in_use is None or self._in_use.srtp is None:
            return
        self._rollover = self._in_use.srtp.receives, count
        keys = self._with_rollover(self._in_use.srtp)
        self._switch.spawn(self._tell({"srtp": asdict(keys)}))

    def _with_rollover(self, keys: SrtpKeys) -> SrtpKeys:
        """With what is known of the peer's count, as long as its key is the same."""
        key, count = self._rollover
        return replace(keys, rollover=count) if keys.receives == key else keys

    async def _follow(self, payload_type: int) -> None:
        """The peer speaks another codec that was agreed on: so do we from now on."""
        agreed = self.agreed.with_alternative(payload_type) if self.agreed else None
        if agreed is None or self._closed:
            return
        self._leg.log.info("the peer changed to %s", agreed.codec.name)
        self.negotiation.current = agreed
        try:
            await self.apply(agreed)
        except MEDIA_ERRORS as error:
            self._leg.log.warning("no audio in %s: %s", agreed.codec.name, error)


def _spoken_all_the_time(fmtp: str) -> str:
    """Without the wish for pauses: they would tell what encryption hides (RFC 6562 section 3)."""
    return re.sub(r"\busedtx\s*=\s*1\b", "usedtx=0", fmtp, flags=re.IGNORECASE)


def _unheard() -> None:
    """Nobody renegotiates yet."""


def _numbers() -> dict[str, int | float]:
    """Where a stream of ours begins (RFC 3550 section 5.1: at random).

    Not near the end of the range: who misses the first packets under SRTP takes the count of rounds
    to be zero (RFC 3711 section 3.3.1).
    """
    return {
        "ssrc": secrets.randbits(32),
        "sequence": secrets.randbits(15),
        "timestamp": secrets.randbits(32),
        "started_at": time.monotonic(),
    }
