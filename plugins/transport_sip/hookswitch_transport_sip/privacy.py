"""Who a call says it is from, and what it keeps to itself (RFC 3323, RFC 3325)."""

from __future__ import annotations

from collections.abc import Iterable

from .sip.address import NameAddr
from .sip.errors import ParseError
from .sip.grammar import is_token
from .sip.uri import Uri

ANONYMOUS = NameAddr(Uri.sip("anonymous", "anonymous.invalid"), "Anonymous")

_HIDING = frozenset(("id", "user"))
_IDENTITIES = frozenset(("p-asserted-identity", "p-preferred-identity"))


def caller_of(text: str, domain: str) -> NameAddr:
    """A caller id: a user name or number, a URI, either with a display name. Raises ParseError."""
    display, bracket, rest = text.strip().partition("<")
    if not bracket:
        return NameAddr(_uri(text.strip(), domain))
    inner, closing, params = rest.rpartition(">")
    if not closing or params.strip():
        raise ParseError("address", f"bad address {text[:60]!r}")
    named = NameAddr.parse(f"{display}<sip:placeholder>")
    return NameAddr(_uri(inner.strip(), domain), named.display)


def levels_of(privacy: str) -> frozenset[str]:
    """The words of a Privacy header (RFC 3323 section 4.2). Raises ParseError."""
    words = [word.strip().lower() for word in privacy.replace(",", ";").split(";")]
    if not all(is_token(word) for word in words):
        raise ParseError("Privacy", f"bad value {privacy[:40]!r}")
    if "none" in words and len(words) > 1:
        raise ParseError("Privacy", "none cannot stand with others")
    return frozenset(words)


def shown_caller(caller: NameAddr, levels: frozenset[str]) -> NameAddr:
    """What From says: nobody, where the caller's identity is to be hidden."""
    return ANONYMOUS if levels & _HIDING else caller


def privacy_headers(
    caller: NameAddr, levels: frozenset[str], given: Iterable[str]
) -> list[tuple[str, str]]:
    """Privacy, and for `id` the identity that the first trusted proxy may assert or hide.

    ``given``: names of headers that are there already; an identity among them is left alone.
    """
    if not levels:
        return []
    headers = [("Privacy", ";".join(sorted(levels)))]
    named = _IDENTITIES & {name.lower() for name in given}
    if "id" in levels and not named:
        headers.append(("P-Preferred-Identity", str(caller)))
    return headers


def _uri(text: str, domain: str) -> Uri:
    if text.startswith(("sip:", "sips:", "tel:")):
        return Uri.parse(text)
    host = f"[{domain.strip('[]')}]" if domain.count(":") > 1 else domain
    ours = Uri.parse(f"sip:{host}")
    return Uri.sip(text, ours.host, ours.port)
