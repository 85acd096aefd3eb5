"""Settings of the detector."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from hookswitch.plugin import Settings


class SileroSettings(Settings):
    """What the plugin reads from the environment, here and in the media workers."""

    speech_detector: Literal["level", "silero"] = Field(
        "level",
        description="What tells speech from noise: `level`, the built-in one, or `silero`, a small "
        "neural network that takes music and tones for speech more seldom, and far more CPU",
    )
    speech_silero_model: Path | None = Field(
        None,
        description="ONNX file of another version of Silero VAD, 5 or later; default the one "
        "installed with the plugin",
    )
