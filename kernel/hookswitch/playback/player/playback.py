"""One playback: a thread that keeps a ring filled ahead of the mixer, and sleeps in between."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Generator
from contextlib import closing, suppress

import numpy as np

from hookswitch.media.rings import Arena, Pcm, RingWriter
from hookswitch.mixer.bank import frame_samples
from hookswitch.playback.messages import PlayEnded, PlayFailed, PlayStarted

from .errors import PlaybackError, Stopped
from .stop import Stop

log = logging.getLogger(__name__)

Said = PlayStarted | PlayEnded | PlayFailed

Sound = Callable[[Stop, int], Generator[Pcm]]
"""Makes the blocks of a source without its first so many samples; raises PlaybackError, Stopped."""

_LEAST_PAUSE = 0.02


class Ring:
    """The *said* ring of one row, with what `RingWriter` leaves to its user."""

    def __init__(self, arena: Arena, row: int) -> None:
        self.rate = arena.shape.rate
        self.size = self.rate
        self._arena, self._row = arena, row
        self._writer = RingWriter(arena, row)

    @property
    def written(self) -> int:
        """Samples ever written."""
        return int(self._arena.said_in[self._row])

    @property
    def waiting(self) -> int:
        """Samples the mixer has not taken yet."""
        return self.size - self._writer.free()

    def write(self, pcm: Pcm) -> int:
        """Write as far as there is room; answers how many samples were taken."""
        return self._writer.write(pcm)


class Playback:
    """Plays a sound into a ring. ``say`` is called with what becomes of it, from its thread."""

    def __init__(self, name: str, sound: Sound, ring: Ring, say: Callable[[Said], None]) -> None:
        self.id = name
        self._sound, self._ring, self._say = sound, ring, say
        self._stop = Stop()
        self._writing = threading.Lock()
        self._started = False
        self._thread = threading.Thread(target=self._run, name=f"play-{name}", daemon=True)

    def start(self) -> None:
        """Begin; raises RuntimeError if there cannot be one more thread."""
        self._thread.start()

    def stop(self) -> None:
        """Once this returns, nothing more is written and nothing more is said."""
        with self._writing:
            self._stop.ask()

    @property
    def over(self) -> bool:
        """Whether its thread is gone."""
        return not self._thread.is_alive()

    def join(self, timeout: float) -> None:
        """Wait for the thread to be gone."""
        self._thread.join(timeout)

    def _run(self) -> None:
        with suppress(Stopped):
            failure = self._play()
            self._fill_up()
            self._await_the_last()
            self._tell(failure or PlayEnded(self.id))

    def _play(self) -> PlayFailed | None:
        """Write it all; what came before a failure is heard, and then the failure told."""
        try:
            with closing(self._sound(self._stop, self._ring.written)) as blocks:
                for block in blocks:
                    self._write(block)
        except PlaybackError as error:
            return PlayFailed(self.id, str(error))
        except Stopped:
            raise
        except Exception:
            log.exception("playback %s", self.id)
            return PlayFailed(self.id, "it cannot be played")
        return None

    def _write(self, block: Pcm) -> None:
        while len(block):
            with self._writing:
                self._stop.check()
                taken = self._ring.write(block)
            block = block[taken:]
            if taken and not self._started:
                self._started = True
                self._tell(PlayStarted(self.id))
            if len(block):
                # Awake twice a second: when half of the ring has been played.
                self._pause(self._ring.waiting - self._ring.size // 2)

    def _fill_up(self) -> None:
        """The mixer takes whole frames: the last one ends in silence."""
        self._write(np.zeros(-self._ring.written % frame_samples(self._ring.rate), np.int16))

    def _await_the_last(self) -> None:
        while waiting := self._ring.waiting:
            self._pause(waiting)

    def _pause(self, samples: int) -> None:
        self._stop.wait(max(samples / self._ring.rate, _LEAST_PAUSE))

    def _tell(self, said: Said) -> None:
        with self._writing:
            if not self._stop.asked:
                self._say(said)
