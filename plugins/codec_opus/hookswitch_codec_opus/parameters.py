"""The format parameters of opus (RFC 7587 section 6.1), as the options of an encoder."""

from __future__ import annotations

from .libopus import (
    SET_BITRATE,
    SET_COMPLEXITY,
    SET_DTX,
    SET_INBAND_FEC,
    SET_MAX_BANDWIDTH,
    SET_PACKET_LOSS_PERC,
    SET_VBR,
)

FMTP = "useinbandfec=1"
"""What we say: send forward error correction. Stereo we fold, the rest is as by default."""

_EXPECTED_LOSS = 10
"""Percent of loss that the redundancy is made for."""

_BITRATES = (6000, 510000)
_BANDWIDTHS = ((8000, 1101), (12000, 1102), (16000, 1103), (24000, 1104))
_FULL_BAND = 1105


def parse(fmtp: str) -> dict[str, int]:
    """Names in lower case, with numbers; what is no number is left out."""
    pairs = (part.partition("=") for part in fmtp.split(";"))
    values = {name.strip().lower(): value.strip() for name, _, value in pairs}
    return {n: int(v) for n, v in values.items() if v.isascii() and v.isdigit() and len(v) < 10}


def encoder_options(fmtp: str, bitrate: int, complexity: int) -> dict[int, int]:
    """How to encode for a peer that said ``fmtp``, at ``bitrate`` at most."""
    theirs = parse(fmtp)
    least, most = _BITRATES
    wanted = min(bitrate, theirs.get("maxaveragebitrate", most))
    playback = theirs.get("maxplaybackrate", 48000)
    bandwidth = next((code for rate, code in _BANDWIDTHS if playback <= rate), _FULL_BAND)
    fec = theirs.get("useinbandfec", 0) == 1
    return {
        SET_COMPLEXITY: complexity,
        SET_BITRATE: max(wanted, least),
        SET_MAX_BANDWIDTH: bandwidth,
        SET_VBR: int(theirs.get("cbr", 0) != 1),
        SET_INBAND_FEC: int(fec),
        SET_PACKET_LOSS_PERC: _EXPECTED_LOSS if fec else 0,
        SET_DTX: int(theirs.get("usedtx", 0) == 1),
    }
