"""Replaces, which names a dialog to take the place of (RFC 3891)."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote, unquote

from .dialog import Dialog, DialogId
from .errors import ParseError
from .grammar import Params
from .uri import Uri


@dataclass(frozen=True, slots=True)
class Replaces:
    """A dialog as the user agent knows it that gets this header: its own tag is `to_tag`."""

    call_id: str
    to_tag: str
    from_tag: str
    early_only: bool = False

    @classmethod
    def parse(cls, text: str, where: str = "Replaces") -> Replaces:
        """Read a value; both tags must be there (section 6.1)."""
        call_id, semicolon, rest = text.partition(";")
        params = Params.parse(semicolon + rest, where)
        to_tag, from_tag = params.get("to-tag"), params.get("from-tag")
        if not call_id.strip() or not to_tag or not from_tag:
            raise ParseError(where, f"bad value {text[:60]!r}")
        return cls(call_id.strip(), to_tag, from_tag, "early-only" in params)

    @classmethod
    def from_uri(cls, uri: Uri) -> Replaces | None:
        """That within a Refer-To URI, if there is one. Raises ParseError."""
        found = [value for name, value in uri.headers if name.lower() == "replaces"]
        return cls.parse(unquote(found[0]), "Refer-To") if found else None

    @classmethod
    def seen_by_peer(cls, dialog: Dialog) -> Replaces:
        """What has the peer of a dialog of ours replace it."""
        return cls(dialog.call_id, dialog.remote.tag or "0", dialog.local.tag or "0")

    @property
    def dialog_ids(self) -> tuple[DialogId, ...]:
        """Where to look in the table of dialogs: a tag of 0 also means none (section 6.1)."""
        remote = (self.from_tag, "") if self.from_tag == "0" else (self.from_tag,)
        return tuple((self.call_id, self.to_tag, tag) for tag in remote)

    def to_uri_header(self) -> tuple[str, str]:
        """As a header of a URI, escaped."""
        return "Replaces", quote(str(self), safe="")

    def __str__(self) -> str:
        early = ";early-only" if self.early_only else ""
        return f"{self.call_id};to-tag={self.to_tag};from-tag={self.from_tag}{early}"
