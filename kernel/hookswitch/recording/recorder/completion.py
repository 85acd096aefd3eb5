"""Where recordings are completed: threads of their own, so that nobody else waits for them."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from hookswitch.recording.messages import Finished

from .finishing import Abandoned, Finishing
from .mailbox import Mailbox
from .sidecar import Place, Sidecar, staged
from .staged import InUse, StagedFile

log = logging.getLogger(__name__)

PATIENCE = 10
"""How much less urgent than the loop and the writer these threads are, as `nice` counts it."""


class Completion:
    """Publishes recordings, new and found; ``say`` is called in the loop's thread.

    A WAV file needs a header and a rename; it does not wait for those that are encoded or merged.
    """

    def __init__(self, mailbox: Mailbox, say: Callable[[Finished], None]) -> None:
        self._mailbox = mailbox
        self._say = say
        self._abandon = threading.Event()
        self._quick = ThreadPoolExecutor(1, "recorder-publish", _be_patient)
        self._slow = ThreadPoolExecutor(1, "recorder-make", _be_patient)

    def complete(self, place: Place, sidecar: Sidecar, main: StagedFile | None = None) -> None:
        """Publish a recording that is over; ``main``: its staged file, open."""
        self._submit(place, sidecar, main, recovered=False)

    def recover(self, place: Place, sidecar: Sidecar) -> None:
        """Publish a recording that was found staged."""
        self._submit(place, sidecar, None, recovered=True)

    def stop(self) -> None:
        """Break off; what is not done is left staged."""
        self._abandon.set()
        for pool in (self._quick, self._slow):
            pool.shutdown(wait=False, cancel_futures=True)

    def _submit(
        self, place: Place, sidecar: Sidecar, main: StagedFile | None, *, recovered: bool
    ) -> None:
        quick = sidecar.format == "wav" and sidecar.multi_channel_file is None and not recovered
        pool = self._quick if quick else self._slow

        def work() -> None:
            finishing = Finishing(place, sidecar, self._abandon)
            finished = _complete(finishing, sidecar, main, recovered)
            if finished is not None:
                self._mailbox.post(lambda: self._told(place, finished, finishing.whole))

        pool.submit(work)

    def _told(self, place: Place, finished: Finished, whole: bool) -> None:
        self._say(finished)
        if whole:
            self._quick.submit(place.remove)


def _complete(
    finishing: Finishing, sidecar: Sidecar, main: StagedFile | None, recovered: bool
) -> Finished | None:
    try:
        return finishing.run(main, recovered=recovered)
    except (Abandoned, InUse):
        return None
    except OSError as error:
        log.error("recording %s cannot be published; it stays staged: %s", sidecar.id, error)
        return _unpublished(sidecar, error, recovered)
    except Exception as error:  # whatever it is, the other recordings go on
        log.exception("recording %s cannot be published; it stays staged", sidecar.id)
        return _unpublished(sidecar, error, recovered)


def _unpublished(sidecar: Sidecar, error: Exception, recovered: bool) -> Finished:
    duration = (sidecar.frames or 0) * 1000 // sidecar.rate
    context = sidecar.context if recovered else {}
    return Finished(
        sidecar.id,
        sidecar.file,
        duration,
        error=str(error),
        recovered=recovered,
        context=context,
    )


def found(directory: Path) -> dict[str, tuple[Place, Sidecar]]:
    """The staged recordings of a folder by id; one that makes no sense is left where it is."""
    recordings = {}
    for place, data in staged(directory):
        try:
            recordings[place.id] = (place, Sidecar.unpack(data))
        except ValueError as error:
            log.error("%s: %s", place.sidecar, error)
    return recordings


def _be_patient() -> None:
    with suppress(OSError):  # on Linux a priority is a thread's
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), PATIENCE)
