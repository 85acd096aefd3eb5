"""What is known of this API but comes with a package that is not installed.

Asking for it is answered with the package's name instead of a bare "not found".
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import metadata
from typing import NamedTuple

from hookswitch import __version__

LEG_TYPES = {
    "sip": "sip",
    "whatsapp": "whatsapp",
    "websocket": "ws",
}
"""Type of ``POST /legs`` -> the extra of the distribution ``hookswitch`` that brings it."""


class Known(NamedTuple):
    """An operation of a plugin; ``command`` is None for what is no operation but a route."""

    command: str | None
    method: str
    path: str
    extra: str


def _of_places() -> Iterable[Known]:
    """What can be done with legs and rooms alike."""
    for place in ("leg", "room"):
        path = f"/{place}s/{{id}}"
        yield Known(f"{place}_tts", "POST", f"{path}/tts", "tts")
        yield Known(f"{place}_stt_start", "POST", f"{path}/stt", "stt")
        yield Known(f"{place}_stt_stop", "DELETE", f"{path}/stt", "stt")
        for provider in ("elevenlabs", "vapi", "pipecat", "deepgram"):
            yield Known(
                f"{place}_agent_{provider}",
                "POST",
                f"{path}/agent/{provider}",
                f"agent-{provider}",
            )
        yield Known(f"{place}_agent_message", "POST", f"{path}/agent/message", "agent")
        yield Known(f"{place}_agent_stop", "DELETE", f"{path}/agent", "agent")


def _of_sip() -> Iterable[Known]:
    attempt = "/sip/registrations/attempts/{id}"
    for command, method, path in (
        ("get_leg_sip", "GET", "/legs/{id}/sip"),
        ("challenge_leg", "POST", "/legs/{id}/challenge"),
        ("list_sip_registrations", "GET", "/sip/registrations"),
        ("get_sip_registration", "GET", "/sip/registrations/{aor}"),
        ("delete_sip_registration", "DELETE", "/sip/registrations/{aor}"),
        ("challenge_registration", "POST", f"{attempt}/challenge"),
        ("accept_registration", "POST", f"{attempt}/accept"),
        ("reject_registration", "POST", f"{attempt}/reject"),
        ("create_sip_trunk", "POST", "/sip/trunks"),
        ("list_sip_trunks", "GET", "/sip/trunks"),
        ("get_sip_trunk", "GET", "/sip/trunks/{id}"),
        ("delete_sip_trunk", "DELETE", "/sip/trunks/{id}"),
    ):
        yield Known(command, method, path, "sip")


OPERATIONS: tuple[Known, ...] = (
    Known(None, "GET", "/legs/websocket", "ws"),
    Known(None, "POST", "/legs/moq", "moq"),
    Known("webrtc_offer", "POST", "/webrtc/offer", "webrtc"),
    Known("webrtc_add_candidate", "POST", "/legs/{id}/ice-candidates", "webrtc"),
    Known("webrtc_get_candidates", "GET", "/legs/{id}/ice-candidates", "webrtc"),
    Known("leg_amd_start", "POST", "/legs/{id}/amd", "amd"),
    *_of_sip(),
    *_of_places(),
)

COMMANDS = {known.command: known.extra for known in OPERATIONS if known.command is not None}
"""Command of the event stream -> extra."""


def install_hint(what: str, extra: str) -> str:
    """How to get what is missing, if it can be had."""
    missing = f"{what} comes with a plugin that is not installed"
    if extra in (metadata("hookswitch").get_all("Provides-Extra") or ()):
        return f"{missing}: {pip_install(extra)}"
    return f"{missing}, and hookswitch {__version__} brings none for it ({extra})"


def pip_install(extra: str) -> str:
    """The command that brings an extra.

    With the floor: lesser versions that a public index may have are somebody else's package.
    """
    return f"pip install 'hookswitch[{extra}]>=0.1'"


def absent_leg_types(installed: Iterable[str]) -> dict[str, str]:
    """Leg type -> what to install, for the types no installed transport serves."""
    have = set(installed)
    return {
        name: install_hint(f"the leg type {name}", extra)
        for name, extra in LEG_TYPES.items()
        if name not in have
    }
