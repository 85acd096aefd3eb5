"""The player: a worker process that fetches, decodes and generates what is played.

The thread of `main` serves the link to the control process. Each playback has a thread of its own
(`playback.py`), all downloads together have one (`fetch.py`).
"""

from __future__ import annotations

import logging
import os
import select
import socket
import time
import weakref
from collections.abc import Sequence

from hookswitch.media import link
from hookswitch.media.rings import Arena, ArenaShape
from hookswitch.playback.marks import Marks
from hookswitch.playback.messages import Play, PlayerConfig, PlayerPulse, PlayFailed, StopPlaying

from .fetch import Fetcher
from .outbox import Outbox
from .playback import Playback, Ring, Said
from .sounds import Sounds
from .tones import Tones

log = logging.getLogger(__name__)

PULSE = 1.0
"""Seconds between two pulses."""

LAST_WAIT = 1.0
"""Seconds that threads are given at the end; a decoder may be in the middle of a frame."""


def main(end: socket.socket) -> None:
    """Serve a link until it closes; what a `WorkerSpec` names."""
    outbox = Outbox(end)
    player: Player | None = None
    try:
        config, fds = _first(end)
        player = Player(config, Marks(fds[0]), outbox)
        _serve(end, outbox, player)
    finally:
        if player:
            player.close()
        outbox.close()


def _first(end: socket.socket) -> tuple[PlayerConfig, list[int]]:
    select.select([end], [], [])
    config, fds = link.receive(end)
    assert isinstance(config, PlayerConfig)
    return config, fds


def _serve(end: socket.socket, outbox: Outbox, player: Player) -> None:
    """Returns never: the end of the link is LinkClosed."""
    due = time.monotonic()
    while True:
        now = time.monotonic()
        if now >= due:
            due = now + PULSE
            player.pulse()
        outbox.flush()
        writable = [] if outbox.empty else [end]
        readable, _, _ = select.select([end, outbox.woken], writable, [], max(due - now, 0))
        if end in readable:
            _receive(end, player)


def _receive(end: socket.socket, player: Player) -> None:
    try:
        while True:
            message, fds = link.receive(end)
            player.obey(message, fds)
    except BlockingIOError:
        return


class Player:
    """All playbacks of this process."""

    def __init__(self, config: PlayerConfig, marks: Marks, outbox: Outbox) -> None:
        self._outbox = outbox
        self._fetcher = Fetcher(config)
        self._sounds = Sounds(self._fetcher, Tones(), marks)
        self._playbacks: dict[str, Playback] = {}
        self._arenas: weakref.WeakValueDictionary[str, Arena] = weakref.WeakValueDictionary()
        """Those that somebody plays into."""

    def obey(self, message: object, fds: Sequence[int]) -> None:
        """Do what the control process says; takes over the descriptors."""
        try:
            if isinstance(message, Play):
                self._play(message, fds)
            elif isinstance(message, StopPlaying):
                self._stop(message.id)
            else:
                log.error("the player was told %r", type(message))
        finally:
            _close(fds)

    def pulse(self) -> None:
        """Say that we live, unless what was said before is unread yet; forget what is over."""
        self._playbacks = {k: one for k, one in self._playbacks.items() if not one.over}
        if self._outbox.empty:
            self._outbox.put(PlayerPulse(len(self._playbacks)))

    def close(self) -> None:
        """Stop all, and wait for it a little."""
        playbacks = list(self._playbacks.values())
        for playback in playbacks:
            playback.stop()
        give_up = time.monotonic() + LAST_WAIT
        for playback in playbacks:
            playback.join(max(give_up - time.monotonic(), 0))
        self._fetcher.close()

    def _play(self, play: Play, fds: Sequence[int]) -> None:
        self._stop(play.id)
        try:
            ring = Ring(self._arena(play.arena, fds), play.row)
            playback = Playback(play.id, self._sounds.of(play), ring, self._said)
            playback.start()
        except (OSError, ValueError, IndexError, RuntimeError) as error:
            self._outbox.put(PlayFailed(play.id, f"cannot be played here: {error}"))
            return
        self._playbacks[play.id] = playback

    def _stop(self, name: str) -> None:
        playback = self._playbacks.pop(name, None)
        if playback:
            playback.stop()

    def _said(self, said: Said) -> None:
        self._outbox.put(said)

    def _arena(self, shape: ArenaShape, fds: Sequence[int]) -> Arena:
        arena = self._arenas.get(shape.id)
        if arena is None:
            arena = self._arenas[shape.id] = Arena(shape, fds[0])
        return arena


def _close(fds: Sequence[int]) -> None:
    for fd in fds:
        os.close(fd)
