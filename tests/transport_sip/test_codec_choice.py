"""Codecs that a list names."""

from __future__ import annotations

import pytest

from hookswitch.codecs.g711 import PCMA, PCMU
from hookswitch.errors import BadRequest
from hookswitch_transport_sip.codec_choice import CodecChoice

CHOICE = CodecChoice({"PCMU": PCMU, "PCMA": PCMA})


def test_in_the_order_of_the_list_each_once() -> None:
    assert CHOICE.listed(["pcma", "PCMU", "PCMA", "pcmu"], "codecs") == (PCMA, PCMU)


@pytest.mark.parametrize(("names", "problem"), [([], "empty"), (["PCMU", "G729"], "G729")])
def test_what_is_not_installed_is_named(names: list[str], problem: str) -> None:
    with pytest.raises(BadRequest, match=f"^codecs: {problem}; installed codecs: PCMU, PCMA"):
        CHOICE.listed(names, "codecs")
