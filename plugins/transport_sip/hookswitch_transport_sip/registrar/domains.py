"""Addresses of record: which are ours, and what they are called (RFC 3261 section 10.3)."""

from __future__ import annotations

from collections.abc import Iterable

from hookswitch_transport_sip.sip.uri import Uri


class Domains:
    """The domains and addresses this server registers users of."""

    def __init__(self, names: Iterable[str], ports: Iterable[int] = ()) -> None:
        """`ports`: those an address of record may name, being the server's own."""
        self._names = {name.strip("[]").lower() for name in names if name}
        self._ports = set(ports)

    def aor_of(self, uri: Uri) -> str | None:
        """The canonical address of record a URI means, None if it is none of ours.

        Parameters and our own port say nothing about who is meant; `sips:` is the same user.
        """
        if not uri.is_sip or not uri.username or uri.host.lower() not in self._names:
            return None
        if uri.port is not None and uri.port not in self._ports:
            return None
        return str(Uri.sip(uri.username, uri.host.lower()))
