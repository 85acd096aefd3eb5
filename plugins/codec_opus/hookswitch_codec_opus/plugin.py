"""Opus: the plugin's hooks."""

from __future__ import annotations

from collections.abc import Sequence

from hookswitch.codecs.base import CodecInfo, Impairment
from hookswitch.plugin import Settings, hookimpl

from .libopus import RATE
from .parameters import FMTP
from .settings import OpusSettings

OPUS = CodecInfo(
    "opus",
    clock_rate=RATE,
    sample_rate=RATE,
    batch="hookswitch_codec_opus.codec:Opus",
    channels=2,  # always so in SDP, whatever is sent (RFC 7587 section 4.1)
    fmtp=FMTP,
    packet_times=(10, 20, 40, 60),
    impairment=Impairment(ie=0.0, bpl=30.0),
)


@hookimpl
def register_settings() -> type[Settings]:
    return OpusSettings


@hookimpl
def register_codecs() -> Sequence[CodecInfo]:
    return (OPUS,)
