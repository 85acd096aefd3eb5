"""The exception tree.

    HookswitchError
    ├── BadRequest           400  the caller's input; the message names the field
    ├── Forbidden            403
    ├── NotFound             404
    ├── Conflict             409  the thing exists, but not in a state for this
    ├── OperationFailed      500
    ├── NotSupported         501  no installed plugin does this
    └── Unavailable          503  not now: draining, overloaded, no free port; retryable

Each carries the HTTP status it is answered with. Plugins raise these too.
"""

from __future__ import annotations

from typing import ClassVar


class HookswitchError(Exception):
    """Base of all errors that are answered to a caller of the API."""

    status: ClassVar[int] = 500
    retryable: ClassVar[bool] = False

    @property
    def message(self) -> str:
        return str(self)


class BadRequest(HookswitchError):
    status = 400


class Forbidden(HookswitchError):
    status = 403


class NotFound(HookswitchError):
    status = 404


class Conflict(HookswitchError):
    status = 409


class OperationFailed(HookswitchError):
    status = 500


class NotSupported(HookswitchError):
    status = 501


class Unavailable(HookswitchError):
    status = 503
    retryable = True
