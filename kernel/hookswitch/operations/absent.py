"""What is known of this API but comes with a package that is not installed.

Asking for it is answered with the package's name instead of a bare "not found".
"""

from __future__ import annotations

from collections.abc import Iterable

LEG_TYPES = {
    "sip": "sip",
    "whatsapp": "whatsapp",
    "websocket": "ws",
}
"""Type of ``POST /legs`` -> the extra of the distribution ``hookswitch`` that brings it."""

OPERATIONS: tuple[tuple[str, str, str], ...] = (
    ("GET", "/legs/websocket", "ws"),
    ("POST", "/legs/moq", "moq"),
    ("POST", "/webrtc/offer", "webrtc"),
    ("POST", "/legs/{id}/ice-candidates", "webrtc"),
    ("GET", "/legs/{id}/ice-candidates", "webrtc"),
    ("POST", "/legs/{id}/amd", "amd"),
    *(
        ("POST", f"/{kind}/{{id}}/agent/{provider}", f"agent-{provider}")
        for kind in ("legs", "rooms")
        for provider in ("elevenlabs", "vapi", "pipecat", "deepgram")
    ),
)
"""Method, path, extra."""

COMMANDS = {
    "webrtc_offer": "webrtc",
    "webrtc_add_candidate": "webrtc",
    "webrtc_get_candidates": "webrtc",
    "leg_amd_start": "amd",
    **{
        f"{kind}_agent_{provider}": f"agent-{provider}"
        for kind in ("leg", "room")
        for provider in ("elevenlabs", "vapi", "pipecat", "deepgram")
    },
}
"""Command of the event stream -> extra."""


def install_hint(what: str, extra: str) -> str:
    """How to get what is missing."""
    return f"{what} comes with a plugin that is not installed: pip install 'hookswitch[{extra}]'"


def absent_leg_types(installed: Iterable[str]) -> dict[str, str]:
    """Leg type -> what to install, for the types no installed transport serves."""
    have = set(installed)
    return {
        name: install_hint(f"the leg type {name}", extra)
        for name, extra in LEG_TYPES.items()
        if name not in have
    }
