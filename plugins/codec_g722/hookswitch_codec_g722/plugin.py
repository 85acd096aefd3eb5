"""G.722: the plugin's hooks."""

from __future__ import annotations

from collections.abc import Sequence

from hookswitch.codecs.base import CodecInfo
from hookswitch.plugin import hookimpl

G722 = CodecInfo(
    "G722",
    clock_rate=8000,  # a mistake of long ago that everybody relies on (RFC 3551 section 4.5.2)
    sample_rate=16000,
    batch="hookswitch_codec_g722.codec:G722",
    payload_type=9,
)


@hookimpl
def register_codecs() -> Sequence[CodecInfo]:
    return (G722,)
