"""A leg's logger: named after the leg, and gone with it."""

from __future__ import annotations

import logging
import uuid

import pytest

from hookswitch.legs.log import logger_of


def test_it_tells_which_leg_and_leaves_nothing_behind(caplog: pytest.LogCaptureFixture) -> None:
    leg_id = str(uuid.uuid4())
    caplog.set_level("INFO", "hookswitch")
    logger_of(leg_id).info("hello")
    assert caplog.record_tuples == [(f"hookswitch.leg.{leg_id[:8]}", logging.INFO, "hello")]
    assert f"hookswitch.leg.{leg_id[:8]}" not in logging.root.manager.loggerDict


def test_it_is_as_quiet_as_its_parent(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("WARNING", "hookswitch.leg")
    logger_of(str(uuid.uuid4())).info("hello")
    assert caplog.records == []
