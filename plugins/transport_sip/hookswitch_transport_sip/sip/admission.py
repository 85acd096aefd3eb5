"""What is checked of a request before anyone looks at what it asks (RFC 3261 section 8.2)."""

from __future__ import annotations

from dataclasses import dataclass

from . import session_timer
from .config import EXTENSION_METHODS, Config
from .errors import ParseError
from .event_package import ALLOW_EVENTS, REFER, EventPackage
from .message import Request
from .uri import format_host

_SDP_RANGES = {"application/sdp", "application/*", "*/*"}


@dataclass(frozen=True, slots=True)
class Refusal:
    """The response a request must get."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()


def refusal_of(
    request: Request, merged: bool, config: Config, *, secure: bool = True
) -> Refusal | None:
    """Return why the request cannot be processed, None if it can; `secure`: it came over TLS."""
    return (
        _method(request, config)
        or _target(request, merged)
        or _security(request, config, secure)
        or _extensions(request, config)
        or _subscription(request)
        or _acceptable(request)
        or _content(request, config)
        or _session_time(request, config)
    )


def _method(request: Request, config: Config) -> Refusal | None:
    if request.method in config.allow:
        return None
    status = 405 if request.method in EXTENSION_METHODS else 501
    return Refusal(status, (("Allow", ", ".join(config.allow)),))


def _target(request: Request, merged: bool) -> Refusal | None:
    if request.uri.scheme not in ("sip", "sips", "tel"):
        return Refusal(416)
    if merged:
        return Refusal(482)
    outside = request.to.tag is None
    if outside and request.max_forwards == 0 and request.method != "OPTIONS":
        return Refusal(483)
    return None


def _security(request: Request, config: Config, secure: bool) -> Refusal | None:
    """A sips URI promises TLS on every hop: by another way we are not to be reached with one.

    That is 480 with Warning 380 (RFC 5630 section 5.1.2), not 416: we know the scheme.
    """
    outside = request.to.tag is None and request.method != "CANCEL"
    if secure or not outside or request.uri.scheme != "sips":
        return None
    return Refusal(480, (("Warning", f'380 {format_host(config.host)} "SIPS Not Allowed"'),))


def _extensions(request: Request, config: Config) -> Refusal | None:
    if request.method == "CANCEL":
        return None
    known = config.supported
    if request.method == "REGISTER":
        known += config.register_extensions
    unknown = [tag for tag in request.require if tag.lower() not in known]
    if unknown:
        return Refusal(420, (("Unsupported", ", ".join(unknown)),))
    if request.method != "INVITE" or request.to.tag is not None:
        return None
    knows = {tag.lower() for tag in (*request.supported, *request.require)}
    missing = [tag for tag in config.required if tag not in knows]
    return Refusal(421, (("Require", ", ".join(missing)),)) if missing else None


def _subscription(request: Request) -> Refusal | None:
    """Outside a dialog there is none to be had: those we know are made by a REFER (RFC 3515)."""
    if request.method != "SUBSCRIBE" or request.to.tag is not None:
        return None
    try:
        event = EventPackage.parse(request.headers.get("Event") or "")
    except ParseError:
        return Refusal(400)
    return Refusal(403) if event.name == REFER else Refusal(489, (ALLOW_EVENTS,))


def _acceptable(request: Request) -> Refusal | None:
    """Whether the caller reads what we would answer; who says nothing does (section 20.1)."""
    if request.method != "INVITE" or "Accept" not in request.headers:
        return None
    try:
        items = request.headers.split("Accept")
    except ParseError:
        return Refusal(400)
    ranges = {item.partition(";")[0].strip().lower() for item in items}
    return None if _SDP_RANGES & ranges else Refusal(406)


def _content(request: Request, config: Config) -> Refusal | None:
    if len(request.body) > config.max_message:
        return Refusal(513)
    if request.method not in ("INVITE", "UPDATE", "PRACK") or not request.body:
        return None
    if (request.headers.get("Content-Encoding") or "identity").lower() != "identity":
        return Refusal(415, (("Accept-Encoding", "identity"),))
    status = request.content.refusal
    if status is None:
        return None
    headers = (("Accept", ", ".join(config.accept)),) if status == 415 else ()
    return Refusal(status, headers)


def _session_time(request: Request, config: Config) -> Refusal | None:
    if request.method not in ("INVITE", "UPDATE"):
        return None
    refusal = session_timer.refusal_of(request, config.min_se)
    return Refusal(*refusal) if refusal else None
