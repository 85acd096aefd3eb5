"""Where a message goes to or came from."""

from typing import NamedTuple


class Hop(NamedTuple):
    """An element next to us; `host` may be a name until the shell resolves it."""

    host: str
    port: int
    transport: str = "UDP"

    @property
    def address(self) -> tuple[str, int]:
        """What a socket wants."""
        return self.host, self.port

    @property
    def reliable(self) -> bool:
        """Whether the transport itself retransmits."""
        return self.transport != "UDP"
