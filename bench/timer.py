"""A bare timer loop: how late a process that only sleeps is woken on this machine, meanwhile."""

from __future__ import annotations

import sys
import threading

from .clock import Beat
from .processes import say

LATE = 0.005


def main() -> None:
    """Ticks every 20 ms until stdin ends, then says how many ticks were late."""
    ended = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.readline(), ended.set()), daemon=True).start()
    ticks = late = 0
    worst = 0.0
    beat = Beat()
    while not ended.is_set():
        lateness = beat.wait()
        ticks += 1
        late += lateness > LATE
        worst = max(worst, lateness)
        if lateness > 0.1:
            beat.skip()
    say(ticks=ticks, late=late, worst_ms=worst * 1000)


if __name__ == "__main__":
    main()
