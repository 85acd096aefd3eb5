"""Silero VAD: the plugin's hooks."""

from __future__ import annotations

from hookswitch.plugin import Settings, hookimpl, load

from .settings import SileroSettings

DETECTOR = "hookswitch_speech_silero.detector:SileroDetector"


@hookimpl
def register_settings() -> type[Settings]:
    return SileroSettings


@hookimpl
def speech_detector_from_settings() -> str | None:
    return DETECTOR if load(SileroSettings).speech_detector == "silero" else None
