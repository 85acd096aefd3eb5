"""The call progress tones of some countries, as published.

Frequencies and cadences are those of *Various tones used in national networks*, the list ITU-T
keeps for Recommendation E.180 (Supplement 2 to E.180, 01/94; its latest issue is the annex to
Operational Bulletin 781, 02/2003), unless a row names a national source. Levels are E.180's own:
tones are -10 dBm0, within ±5 dB, measured while they sound and, for several frequencies, all of
them together. North America's plan gives levels per frequency (Supplement 3 to the E.300 series,
*North American precise audible tone plan*). ``docs/tones.md`` tells what is chosen by us.

0 dBm0 is a sine 3.14 dB below full scale: ITU-T G.711 puts the overload point of A-law there
(µ-law: 3.17 dB).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

TYPES = ("ringback", "busy", "dial", "congestion")

DEFAULT_COUNTRY = "us"
"""Whose tone a bare type is."""

NOMINAL = -10.0
"""ITU-T E.180: nominal level of a tone in dBm0."""


@dataclass(frozen=True, slots=True)
class Pulse:
    """A stretch of sound and the silence after it, in milliseconds; ``db`` relative to the tone.

    A pulse without silence whose tone has no other is continuous.
    """

    on: int
    off: int
    db: float = 0.0


CONTINUOUS = (Pulse(1000, 0),)


@dataclass(frozen=True, slots=True)
class Tone:
    """One tone.

    ``frequencies`` in Hz sound together, each at the same level. ``level`` is in dBm0 of all
    together while a pulse of 0 dB sounds. ``modulation`` in Hz changes the amplitude by ``depth``
    (1 is from nothing to double); the level is of the modulated tone.
    """

    frequencies: tuple[int, ...]
    cadence: tuple[Pulse, ...] = CONTINUOUS
    level: float = NOMINAL
    modulation: int = 0
    depth: float = 0.0


def _even(*durations: int) -> tuple[Pulse, ...]:
    """On, off, on, off … in milliseconds."""
    pairs = zip(durations[::2], durations[1::2], strict=True)
    return tuple(Pulse(on, off) for on, off in pairs)


def _each(level: float) -> float:
    """The level of two frequencies of this level each."""
    return level + 3.01


_EVERY_5_S = _even(1000, 4000)
_TWICE = _even(400, 200, 400, 2000)

COUNTRIES: Mapping[str, Mapping[str, Tone]] = {
    # Precise tone plan: -19, -24, -13 and -24 dBm0 per frequency.
    "us": {
        "ringback": Tone((440, 480), _even(2000, 4000), _each(-19.0)),
        "busy": Tone((480, 620), _even(500, 500), _each(-24.0)),
        "dial": Tone((350, 440), level=_each(-13.0)),
        "congestion": Tone((480, 620), _even(250, 250), _each(-24.0)),
    },
    # Also BT SIN 350.
    "gb": {
        "ringback": Tone((400, 450), _TWICE),
        "busy": Tone((400,), _even(375, 375)),
        "dial": Tone((350, 440)),
        "congestion": Tone((400,), _even(400, 350, 225, 525)),
    },
    "de": {
        "ringback": Tone((425,), _EVERY_5_S),
        "busy": Tone((425,), _even(480, 480)),
        "dial": Tone((425,)),
        "congestion": Tone((425,), _even(240, 240)),
    },
    "fr": {
        "ringback": Tone((440,), _even(1500, 3500)),
        "busy": Tone((440,), _even(500, 500)),
        "dial": Tone((440,)),
        "congestion": Tone((440,), _even(250, 250)),
    },
    # 425 Hz modulated by 25 Hz is given as the pair 413+438; every second pulse of the congestion
    # tone is 10 dB weaker.
    "au": {
        "ringback": Tone((413, 438), _TWICE),
        "busy": Tone((425,), _even(375, 375)),
        "dial": Tone((413, 438)),
        "congestion": Tone((425,), (Pulse(375, 375), Pulse(375, 375, -10.0))),
    },
    # 400x16: the list has 15 to 20 Hz. The depth is ours.
    "jp": {
        "ringback": Tone((400,), _even(1000, 2000), modulation=16, depth=0.85),
        "busy": Tone((400,), _even(500, 500)),
        "dial": Tone((400,)),
        "congestion": Tone((400,), _even(500, 500)),
    },
    "it": {
        "ringback": Tone((425,), _EVERY_5_S),
        "busy": Tone((425,), _even(500, 500)),
        "dial": Tone((425,), _even(200, 200, 600, 1000)),
        "congestion": Tone((425,), _even(200, 200)),
    },
    # 400x25. The depth is ours.
    "in": {
        "ringback": Tone((400,), _TWICE, modulation=25, depth=0.9),
        "busy": Tone((400,), _even(750, 750)),
        "dial": Tone((400,), modulation=25, depth=0.9),
        "congestion": Tone((400,), _even(250, 250)),
    },
    "br": {
        "ringback": Tone((425,), _EVERY_5_S),
        "busy": Tone((425,), _even(250, 250)),
        "dial": Tone((425,)),
        "congestion": Tone((425,), _even(250, 250, 750, 250)),
    },
    "pl": {
        "ringback": Tone((425,), _EVERY_5_S),
        "busy": Tone((425,), _even(500, 500)),
        "dial": Tone((425,)),
        "congestion": Tone((425,), _even(500, 500)),
    },
    # National limits: busy 0.3 to 0.4 s, congestion 0.15 to 0.2 s; the middle of each.
    "ru": {
        "ringback": Tone((425,), _even(800, 3200)),
        "busy": Tone((425,), _even(350, 350)),
        "dial": Tone((425,)),
        "congestion": Tone((425,), _even(175, 175)),
    },
}


def tone_names() -> tuple[str, ...]:
    """All names there are: each type alone, which is the default country's, then by country."""
    by_country = (f"{country}_{kind}" for country, tones in COUNTRIES.items() for kind in tones)
    return (*TYPES, *by_country)


def find(name: str) -> Tone | None:
    """The tone of a name such as ``gb_busy`` or ``dial``; None if there is none."""
    country, _, kind = name.rpartition("_")
    return COUNTRIES.get(country or DEFAULT_COUNTRY, {}).get(kind)
