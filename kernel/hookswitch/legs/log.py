"""The logger of one leg."""

from __future__ import annotations

import logging

_PARENT = logging.getLogger("hookswitch.leg")


def logger_of(leg_id: str) -> logging.Logger:
    """A child of ``hookswitch.leg`` that is gone with its leg.

    `logging.getLogger` would keep it for ever, as it keeps all by their names.
    """
    log = logging.Logger(f"{_PARENT.name}.{leg_id[:8]}")
    log.parent = _PARENT
    return log
