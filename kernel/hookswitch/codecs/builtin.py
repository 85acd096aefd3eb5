"""The codecs of the kernel, offered like any plugin's."""

from __future__ import annotations

from collections.abc import Sequence

import pluggy

from .base import CodecInfo
from .g711 import PCMA, PCMU

hookimpl = pluggy.HookimplMarker("hookswitch")


@hookimpl
def register_codecs() -> Sequence[CodecInfo]:
    return (PCMU, PCMA)
