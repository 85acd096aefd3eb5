"""Header fields of a message: an ordered multi-map that ignores case (RFC 3261 section 7.3)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from .grammar import split_commas

_COMPACT = {
    "a": "Accept-Contact",
    "b": "Referred-By",
    "c": "Content-Type",
    "d": "Request-Disposition",
    "e": "Content-Encoding",
    "f": "From",
    "i": "Call-ID",
    "j": "Reject-Contact",
    "k": "Supported",
    "l": "Content-Length",
    "m": "Contact",
    "o": "Event",
    "r": "Refer-To",
    "s": "Subject",
    "t": "To",
    "u": "Allow-Events",
    "v": "Via",
    "x": "Session-Expires",
    "y": "Identity",
}
_NAMES = (
    "Accept",
    "Accept-Encoding",
    "Accept-Language",
    "Alert-Info",
    "Allow",
    "Authentication-Info",
    "Authorization",
    "Call-Info",
    "Content-Disposition",
    "Content-Language",
    "CSeq",
    "Date",
    "Diversion",
    "Error-Info",
    "Expires",
    "History-Info",
    "In-Reply-To",
    "Max-Forwards",
    "MIME-Version",
    "Min-Expires",
    "Min-SE",
    "Organization",
    "P-Asserted-Identity",
    "P-Preferred-Identity",
    "Path",
    "Priority",
    "Privacy",
    "Proxy-Authenticate",
    "Proxy-Authorization",
    "Proxy-Require",
    "RAck",
    "Reason",
    "Refer-Sub",
    "Record-Route",
    "Replaces",
    "Reply-To",
    "Require",
    "Retry-After",
    "Route",
    "RSeq",
    "Server",
    "Service-Route",
    "Subscription-State",
    "Timestamp",
    "Unsupported",
    "User-Agent",
    "Warning",
    "WWW-Authenticate",
)
_CANONICAL = {name.lower(): name for name in (*_NAMES, *_COMPACT.values())} | _COMPACT
_KEYS = {name: name.lower() for name in _CANONICAL.values()}
KNOWN = _CANONICAL | {name: name for name in _CANONICAL.values()}


def canonical(name: str) -> str:
    """Return a field's long name in its usual spelling; unknown names stay as written."""
    known = KNOWN.get(name)
    return known if known is not None else _CANONICAL.get(name.lower(), name)


def _key(name: str) -> str:
    return _KEYS.get(name) or canonical(name).lower()


class Headers:
    """Header fields in message order; look-up by any spelling or compact form.

    `index` is None after a change and a new object at the next look-up, so whoever keeps
    a value derived from the fields can tell by it whether the value still holds.
    """

    __slots__ = ("_items", "index")

    def __init__(self, items: Iterable[tuple[str, str]] = ()) -> None:
        self._items = [(canonical(name), value) for name, value in items]
        self.index: dict[str, tuple[str, ...]] | None = None

    @classmethod
    def of_canonical(cls, items: list[tuple[str, str]]) -> Headers:
        """Take over a list whose names are canonical already; the parser's short way."""
        headers = cls()
        headers._items = items
        return headers

    def get(self, name: str, default: str | None = None) -> str | None:
        """Return the first field's value."""
        values = self._indexed().get(_key(name))
        return values[0] if values else default

    def get_all(self, name: str) -> list[str]:
        """Return the values of all fields of that name, not split at commas."""
        return list(self._indexed().get(_key(name), ()))

    def repeated(self) -> list[str]:
        """Return the names, in lower case, that occur in more than one field."""
        return [name for name, values in self._indexed().items() if len(values) > 1]

    def split(self, name: str) -> list[str]:
        """Return the elements of a list header, from all its fields."""
        return [item for value in self.get_all(name) for item in split_commas(value)]

    def add(self, name: str, value: str) -> None:
        """Append a field."""
        self._items.append((canonical(name), value))
        self.index = None

    def prepend(self, name: str, value: str) -> None:
        """Put a field before all others."""
        self._items.insert(0, (canonical(name), value))
        self.index = None

    def set(self, name: str, value: str) -> None:
        """Replace all fields of that name by one, at the place of the first."""
        key = _key(name)
        for place, (other, _) in enumerate(self._items):
            if other.lower() == key:
                self._items[place] = (other, value)
                rest = [item for item in self._items[place + 1 :] if item[0].lower() != key]
                self._items[place + 1 :] = rest
                break
        else:
            self._items.append((canonical(name), value))
        self.index = None

    def set_first(self, name: str, value: str) -> None:
        """Replace the first field of that name, leaving further ones."""
        key = _key(name)
        for place, (other, _) in enumerate(self._items):
            if other.lower() == key:
                self._items[place] = (other, value)
                self.index = None
                return
        self.add(name, value)

    def remove(self, name: str) -> None:
        """Drop all fields of that name."""
        key = _key(name)
        self._items = [item for item in self._items if item[0].lower() != key]
        self.index = None

    def extend(self, items: Iterable[tuple[str, str]]) -> None:
        """Append fields."""
        self._items.extend((canonical(name), value) for name, value in items)
        self.index = None

    def _indexed(self) -> dict[str, tuple[str, ...]]:
        if self.index is None:
            index: dict[str, tuple[str, ...]] = {}
            for name, value in self._items:
                key = name.lower()
                known = index.get(key)
                index[key] = (value,) if known is None else (*known, value)
            self.index = index
        return self.index

    def __contains__(self, name: str) -> bool:
        return _key(name) in self._indexed()

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Headers) and self._items == other._items

    def __repr__(self) -> str:
        return f"Headers({self._items!r})"
