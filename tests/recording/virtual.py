"""A recorder whose clock a test turns: what it runs in the recorder's process."""

from __future__ import annotations

import os
import select
import socket

import numpy as np

from hookswitch.media import link
from hookswitch.recording.recorder.worker import Recorder

TARGET = "tests.recording.virtual:main"
CLOCK = "TEST_RECORDER_CLOCK"
"""Variable with the path of a file that holds the time: one float64."""

TAKE_EVERY = 0.01


def main(end: socket.socket) -> None:
    select.select([end], [], [])
    config, _ = link.receive(end)
    time = np.memmap(os.environ[CLOCK], np.float64, "r", shape=(1,))
    Recorder(end, config, lambda: float(time[0]), TAKE_EVERY).run()
