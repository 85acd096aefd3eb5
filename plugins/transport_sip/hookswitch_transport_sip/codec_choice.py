"""The codecs that are installed, by name, and those of them that a list names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from hookswitch.codecs.base import CodecInfo
from hookswitch.plugin import BadRequest
from hookswitch.settings import SettingsError

SETTING = "SIP_CODECS"
"""The list that is wrong for good, since it is the server's own."""

_EXTRAS = {"g722", "opus"}


class CodecChoice:
    """Looks codecs up, whatever the case of their names."""

    def __init__(self, installed: Mapping[str, CodecInfo]) -> None:
        self._installed = installed

    def named(self, name: str) -> CodecInfo | None:
        """An installed codec."""
        found = (each for each in self._installed.values() if each.name.lower() == name.lower())
        return next(found, None)

    def usual(self, name: str) -> str:
        """A codec's name as we write it, if we have it: offers may use any case."""
        known = self.named(name)
        return known.name if known else name

    def listed(self, names: Iterable[str], field: str) -> tuple[CodecInfo, ...]:
        """The codecs of a list, in its order, each once.

        Raises SettingsError or BadRequest, naming the ``field``, if one is not installed.
        """
        names = tuple(names)
        installed = {name.lower(): codec for name, codec in self._installed.items()}
        unknown = [name for name in names if name.lower() not in installed]
        if unknown or not names:
            have = ", ".join(self._installed)
            problem = f"{field}: {', '.join(unknown) or 'empty'}; installed codecs: {have}"
            for extra in {name.lower() for name in unknown} & _EXTRAS:
                problem += f"; pip install 'hookswitch[{extra}]>=0.1'"
            raise SettingsError(problem) if field == SETTING else BadRequest(problem)
        return tuple(dict.fromkeys(installed[name.lower()] for name in names))
