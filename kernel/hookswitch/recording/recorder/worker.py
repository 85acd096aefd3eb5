"""The recorder: one process, one loop, for all recordings of a server.

The loop takes what all rings hold and obeys; a thread writes; others complete what is over. None of
them waits for another, so a slow disk or an hour of Opus delays nobody's order or sample.
"""

from __future__ import annotations

import logging
import os
import select
import socket
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from hookswitch.media import link
from hookswitch.recording.messages import (
    AddChannel,
    EndChannel,
    Finish,
    Pause,
    Record,
    RecorderConfig,
    RecorderPulse,
    Resume,
)

from .completion import found
from .mailbox import Mailbox
from .recordings import Recordings
from .sidecar import Place, Sidecar

TARGET = "hookswitch.recording.recorder.worker:main"

log = logging.getLogger(__name__)

TAKE_EVERY = 0.275
"""Seconds between two looks at all rings, each of which holds two; they are emptied at every third
look. No multiple of a tick, so that they are seen in all their phases."""

LOOK_EVERY = 0.025
"""Seconds between two looks at the ring of one who has just come; more than a tick."""

PULSE_EVERY = 1.0

NICENESS = -5
"""Priority of the recorder, where the system lets it: rings do not wait. Media workers come first.
"""

LEAVE_WITHIN = 1.5
"""Seconds for the last samples to be written when control hangs up; it waits 2."""


class Recorder:
    """The recorder's loop between its link, its rings and its threads."""

    def __init__(
        self,
        end: socket.socket,
        config: RecorderConfig,
        clock: Callable[[], float] = time.monotonic,
        take_every: float = TAKE_EVERY,
    ) -> None:
        """``clock`` is the one that the mixer ticks by."""
        self._end = end
        self._config = config
        self._take_every = take_every
        self._mailbox = Mailbox()
        self._unsent: deque[object] = deque()
        self._recordings = Recordings(
            config.directory, _found(config.directory), self._mailbox, self._say, clock
        )
        # At once: the rings of recordings that go on may be about to overflow.
        self._take_at = self._look_at = self._pulse_at = time.monotonic()

    def run(self) -> None:
        """Record and obey until control hangs up."""
        try:
            while True:
                self._wait()
                self._recordings.settle()
                self._do_what_is_due(time.monotonic())
        except link.LinkClosed:
            self._recordings.stop(LEAVE_WITHIN)

    def _wait(self) -> None:
        due = min(self._take_at, self._pulse_at)
        if self._recordings.joining:
            due = min(due, self._look_at)
        timeout = max(due - time.monotonic(), 0.0)
        unsent = [self._end] if self._unsent else []
        watched: list[socket.socket | Mailbox] = [self._end, self._mailbox]
        readable, writable, _ = select.select(watched, unsent, [], timeout)
        if writable:
            self._flush()
        if self._mailbox in readable:
            self._mailbox.empty()
        if self._end in readable:
            self._hear()

    def _do_what_is_due(self, now: float) -> None:
        if self._recordings.joining and now >= self._look_at:
            self._recordings.look()
            self._look_at = now + LOOK_EVERY
        if now >= self._take_at:
            self._recordings.take()
            self._recordings.recover(self._config.ongoing)
            self._take_at = max(self._take_at + self._take_every, now)
        if now >= self._pulse_at:
            self._say(RecorderPulse(len(self._recordings), self._recordings.lost))
            self._pulse_at = now + PULSE_EVERY

    def _hear(self) -> None:
        try:
            while True:
                self._obey(*link.receive(self._end))
        except BlockingIOError:
            return

    def _obey(self, message: object, fds: list[int]) -> None:
        recordings = self._recordings
        match message:
            case Record():
                recordings.record(message, fds)
            case AddChannel():
                recordings.add_channel(message, fds)
            case EndChannel():
                recordings.end_channel(message)
            case Pause():
                recordings.pause(message)
            case Resume():
                recordings.resume(message)
            case Finish():
                recordings.finish(message)
            case _:
                log.error("a recorder does not know %r", message)

    def _say(self, message: object) -> None:
        self._unsent.append(message)
        if len(self._unsent) == 1:
            self._flush()

    def _flush(self) -> None:
        try:
            while self._unsent:
                link.send(self._end, self._unsent[0])
                self._unsent.popleft()
        except BlockingIOError:
            return


def _found(directory: Path) -> dict[str, tuple[Place, Sidecar]]:
    """What is staged; a folder that cannot be used is each recording's own misfortune."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        return found(directory)
    except OSError as error:
        log.error("recordings cannot be staged: %s", error)
        return {}


def main(end: socket.socket) -> None:
    """Run a recorder on its end of the link."""
    select.select([end], [], [])
    config, _ = link.receive(end)
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, NICENESS)
    Recorder(end, config).run()
