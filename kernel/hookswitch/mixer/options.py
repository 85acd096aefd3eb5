"""How the engines of a server are to be, from its settings and plugins."""

from __future__ import annotations

from dataclasses import dataclass

SPEECH_DETECTOR = "hookswitch.mixer.speech:SpeechDetector"


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """The same for all engines.

    ``speech_detector`` names, as ``module:Class``, what tells who speaks (`mixer.speech.Detector`);
    ``speech_hangover_ms`` is the silence after which somebody has stopped.
    """

    comfort_noise: bool = True
    speech_detector: str = SPEECH_DETECTOR
    speech_hangover_ms: int = 400
