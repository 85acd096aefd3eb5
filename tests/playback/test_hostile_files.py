"""Damaged files are played as far as they can be, or refused; nothing worse."""

from __future__ import annotations

from tests.fuzz.fuzz_audio_files import main as fuzz


def test_damaged_files() -> None:
    assert 50 < fuzz(300, seed=1) < 300
