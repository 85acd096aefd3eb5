"""CDR reasons and SIP status codes, both ways."""

from __future__ import annotations

_STATUS = {
    "busy": 486,
    "declined": 603,
    "rejected": 603,
    "unavailable": 480,
    "not_found": 404,
    "forbidden": 403,
    "server_error": 500,
    "not_acceptable": 488,
    "service_unavailable": 503,
}

_REASON = {
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    407: "unauthorized",
    408: "timeout",
    480: "unavailable",
    486: "busy",
    487: "cancelled",
    488: "not_acceptable",
    500: "server_error",
    503: "service_unavailable",
    600: "busy",
    603: "declined",
    604: "not_found",
    606: "not_acceptable",
}


def status_of(reason: str) -> int:
    """The final response to an INVITE that is turned away for a reason."""
    return _STATUS.get(reason, 480)


def reason_of(status: int, *, local: bool) -> str:
    """The CDR reason of an INVITE of ours that failed; ``local`` if nobody answered at all."""
    if local:
        return "timeout" if status == 408 else "connect_failed"
    return _REASON.get(status, f"sip_{status}")
