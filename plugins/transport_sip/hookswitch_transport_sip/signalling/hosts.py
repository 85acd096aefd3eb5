"""Names of the hosts file, which DNS servers do not know."""

from __future__ import annotations

from pathlib import Path


class HostsFile:
    """Read again whenever it has changed."""

    def __init__(self, path: Path = Path("/etc/hosts")) -> None:
        self._path = path
        self._changed: int | None = None
        self._addresses: dict[str, list[str]] = {}

    def addresses(self, name: str) -> list[str]:
        """The addresses of a name, of either family; none if the file does not know it."""
        name = name.lower().rstrip(".")
        if name == "localhost" or name.endswith(".localhost"):
            return ["127.0.0.1", "::1"]  # RFC 6761
        try:
            changed = self._path.stat().st_mtime_ns
            if changed != self._changed:
                self._addresses = parse(self._path.read_text(errors="replace"))
                self._changed = changed
        except OSError:
            self._addresses = {}
        return self._addresses.get(name, [])


def parse(text: str) -> dict[str, list[str]]:
    """Name in lower case -> addresses."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        address, *names = line.partition("#")[0].split() or [""]
        for name in names:
            found.setdefault(name.lower(), []).append(address)
    return found
