"""SIP messages as text that may be shown: without credentials and media keys."""

from __future__ import annotations

import re
from collections.abc import Callable

from hookswitch_transport_sip.sip.uri import PASSWORD

HIDDEN = "(hidden)"

_FOLDED = r"[^\r\n]*(?:\r\n[ \t][^\r\n]*)*"
_RULES: tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...] = (
    # Digest and the like: the scheme says enough
    (
        re.compile(rf"^((?:Proxy-)?Authorization[ \t]*:[ \t]*\S*){_FOLDED}", re.I | re.M),
        rf"\1 {HIDDEN}",
    ),
    # headers of applications that say by their name what they are
    (
        re.compile(
            rf"^([\w-]*(?:secret|password|token|api-key|cookie)[\w-]*[ \t]*:){_FOLDED}", re.I | re.M
        ),
        rf"\1 {HIDDEN}",
    ),
    # SDES (RFC 4568), MIKEY (RFC 4567), and the old k= line
    (
        re.compile(r"^a=crypto:[^\r\n]*", re.I | re.M),
        lambda line: re.sub(r"inline:[^|;\s]+", f"inline:{HIDDEN}", line[0], flags=re.I),
    ),
    (re.compile(r"^(a=key-mgmt:\S*|k=)[^\r\n]*", re.I | re.M), rf"\1 {HIDDEN}"),
    # sip:user:password@host
    (PASSWORD, rf"\1:{HIDDEN}@"),
)


def shown(data: bytes) -> str:
    """The whole message, credentials hidden."""
    text = data.decode("utf-8", "replace")
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    return text
