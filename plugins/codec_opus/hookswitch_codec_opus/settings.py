"""Settings of the codec."""

from __future__ import annotations

from pydantic import Field

from hookswitch.plugin import Settings


class OpusSettings(Settings):
    """What the codec reads from the environment, in the media worker."""

    opus_complexity: int = Field(
        5, ge=0, le=10, description="Effort of the opus encoder, 0 (cheapest) to 10 (best)"
    )
    opus_bitrate: int = Field(
        32000, ge=6000, le=510000, description="Bits per second of opus we send at most"
    )
