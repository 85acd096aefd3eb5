"""Codecs in use, and where each port's audio comes from and goes to."""

from __future__ import annotations

import importlib

from hookswitch.codecs.base import AnyCodecBatch
from hookswitch.mixer.bank import BankError

from .intake import NO_AUDIO, Decoder, Intake
from .lane import Lane
from .params import RtpParams
from .port import RtpPort
from .sender import GroupKey, Numbers, SendGroup


class Media:
    """One batch per codec, one lane per rate, one group per codec and packet time."""

    def __init__(self, capacity: int, intake: Intake, numbers: Numbers) -> None:
        self.lanes: dict[int, Lane] = {}
        self.groups: dict[GroupKey, SendGroup] = {}
        self._capacity = capacity
        self._intake = intake
        self._numbers = numbers
        self._codecs: dict[str, AnyCodecBatch] = {}
        self._decoders: dict[tuple[str, int], int] = {}

    def prepare(self, codec: str, rate: int) -> int:
        """Index of the decoder for a codec at a rate; made when first used."""
        if (codec, rate) not in self._decoders:
            if codec not in self._codecs:
                self._codecs[codec] = load_codec(codec)
            if rate not in self.lanes:
                self.lanes[rate] = Lane(self._capacity, rate)
            self._decoders[codec, rate] = len(self._intake.decoders)
            decoder = Decoder(self._codecs[codec], self.lanes[rate], self._capacity)
            self._intake.decoders.append(decoder)
        return self._decoders[codec, rate]

    def start(self, port: RtpPort, decoder: int) -> None:
        """Give the port a fresh stream of its codec, both ways."""
        self._codecs[port.params.codec].open(port.slot, port.params.fmtp)
        if (stream := self._intake.decoders[decoder].stream) is not None:
            stream.open(port.slot)
        self.lanes[port.rate].decode_by(port.slot, stream)
        self._intake.in_order[port.slot] = stream is not None
        self._numbers.fresh[port.slot] = True
        self._join(port, decoder)

    def stop(self, port: RtpPort) -> None:
        """Undo `start`."""
        self._leave(port)
        self._codecs[port.params.codec].close(port.slot)
        decoder = self._intake.decoders[self.prepare(port.params.codec, port.rate)]
        if decoder.stream is not None:
            decoder.stream.close(port.slot)
        self.lanes[port.rate].decode_by(port.slot, None)
        self._intake.in_order[port.slot] = False

    def change(self, port: RtpPort, params: RtpParams) -> None:
        """Go on with other parameters; the codec's streams live on unless it is another one."""
        decoder = self.prepare(params.codec, port.rate)
        before = port.params
        same_codec = (params.codec, params.fmtp) == (before.codec, before.fmtp)
        if same_codec:
            self._leave(port)
        else:
            self.stop(port)
        self._numbers.fresh[port.slot] |= params.send and not port.params.send
        port.params = params
        port.member.sends, port.member.digits_pt = params.send, params.telephone_event_pt
        port.member.security = port.security
        port.member.digits.clock_rate = params.event_rate
        if same_codec:
            self._join(port, decoder)
            stream = self._intake.decoders[decoder].stream
            if stream is not None and params.receive and not before.receive:
                stream.open(port.slot)
        else:
            self.start(port, decoder)

    def _join(self, port: RtpPort, decoder: int) -> None:
        slot, params, numbers = port.slot, port.params, self._numbers
        if port.key not in self.groups:
            self.groups[port.key] = SendGroup(port.key, self._codecs[params.codec], numbers)
        group = self.groups[port.key]
        group.members[slot] = port.member
        group.dirty = True
        if not port.member.digits.idle:
            group.dialling.add(slot)
        numbers.ssrc[slot] = params.ssrc
        numbers.payload_type[slot] = params.payload_type
        self._intake.payload_type[slot] = params.receive_type
        self._intake.decoder[slot] = decoder if params.receive else NO_AUDIO

    def _leave(self, port: RtpPort) -> None:
        group = self.groups[port.key]
        del group.members[port.slot]
        group.dirty = True
        group.dialling.discard(port.slot)
        self._intake.decoder[port.slot] = self._intake.plain[port.slot] = NO_AUDIO


def load_codec(reference: str) -> AnyCodecBatch:
    """A batch of a codec named as ``module:Class``. Raises BankError."""
    module, _, name = reference.partition(":")
    try:
        batch: AnyCodecBatch = getattr(importlib.import_module(module), name)()
    except (ImportError, AttributeError, ValueError, TypeError) as error:
        raise BankError(f"codec {reference}: {error}") from None
    return batch
