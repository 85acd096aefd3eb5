"""What the lines of the server's log look like, of whatever process they come."""

from __future__ import annotations

import logging
import sys


def write_log(level: str | int) -> None:
    """Have this process log to its standard error, from a level on."""
    logging.basicConfig(
        level=level, format="%(asctime)s %(levelname)-7s %(name)s: %(message)s", stream=sys.stderr
    )
