"""Speech quality as a number: the E-model of ITU-T G.107 in its usual simplified form.

R = 93.2 - Id(delay) - Ie,eff(codec, loss, burstiness); the mean opinion score follows from R
(G.107 annex B). Equipment impairments and loss robustness are those of G.113 appendix I.
"""

from __future__ import annotations

from dataclasses import dataclass

_BASE = 93.2


@dataclass(frozen=True, slots=True)
class CodecImpairment:
    """``ie``: impairment without loss; ``bpl``: robustness against loss."""

    ie: float
    bpl: float


G711 = CodecImpairment(0.0, 25.1)
"""G.711 with concealment of losses."""


def burst_ratio(lost: int, bursts: int, expected: int) -> float:
    """Mean length of the losses over that expected of random loss; 1.0 is random."""
    if lost <= 0 or bursts <= 0 or expected <= lost:
        return 1.0
    random_length = 1.0 / (1.0 - lost / expected)
    return max(lost / bursts / random_length, 1.0)


def rating(
    loss: float, delay_ms: float, burst: float = 1.0, codec: CodecImpairment = G711
) -> float:
    """The transmission rating R, 0..100; ``loss`` is a share, ``delay_ms`` mouth to ear."""
    percent = 100.0 * min(max(loss, 0.0), 1.0)
    effective = codec.ie
    if percent > 0:
        effective += (95.0 - codec.ie) * percent / (percent / max(burst, 1.0) + codec.bpl)
    delay = 0.024 * delay_ms + max(0.0, 0.11 * (delay_ms - 177.3))
    return min(max(_BASE - delay - effective, 0.0), 100.0)


def mean_opinion_score(r: float) -> float:
    """MOS-CQE, 1.0..4.5, of a rating."""
    if r <= 0:
        return 1.0
    if r >= 100:
        return 4.5
    return min(max(1.0 + 0.035 * r + r * (r - 60.0) * (100.0 - r) * 7e-6, 1.0), 4.5)
