"""What can go wrong in the SIP core.

SipError
├── ParseError   bytes or text from the wire that break the grammar
└── StateError   a method called in a state that does not allow it
"""


class SipError(Exception):
    """Base of everything the SIP core raises on purpose."""


class ParseError(SipError, ValueError):
    """Input that is not SIP; `status` is what to answer a request with."""

    def __init__(self, where: str, what: str, status: int = 400) -> None:
        super().__init__(f"{where}: {what}")
        self.where = where
        self.what = what
        self.status = status


class StateError(SipError, RuntimeError):
    """The call or transaction is not in a state that allows this."""
