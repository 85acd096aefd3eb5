"""Making whole files of what is staged, when a recording is over or is found after a crash."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hookswitch.recording.messages import Finished, Span

from .encoding import encode
from .sidecar import Participant, Place, Sidecar
from .staged import StagedFile, publish
from .wav import SAMPLE_BYTES, WavFormat


class Abandoned(Exception):
    """The recorder ends; what is staged is completed at the next start."""


class Finishing:
    """Completes and publishes one recording. Slow: for a thread that has nothing else to do.

    Each step leaves the sidecar saying what is still to be done, so that a crash in between is
    made up for by doing it all again.
    """

    def __init__(self, place: Place, sidecar: Sidecar, abandon: threading.Event) -> None:
        self._place = place
        self._sidecar = sidecar
        self._abandon = abandon
        self._errors = [sidecar.error] if sidecar.error else []
        self.whole = False
        """Whether nothing of what is staged is needed any more."""

    def run(self, main: StagedFile | None = None, *, recovered: bool = False) -> Finished:
        """Publish the files; ``main``: the staged file, if it is open already.

        What is staged is left, to be removed when control has been told (and not before: after a
        crash in between it is told again).

        Raises InUse when another recorder writes it, Abandoned, and OSError when nothing can be
        done; then it stays staged.
        """
        place, sidecar = self._place, self._sidecar
        if recovered and not place.main.exists() and sidecar.frames is None:
            sidecar.frames = self._longest_channel()  # it is published, but the disk was too full
        if not recovered or place.main.exists() or sidecar.frames is None:
            self._publish_main(main or StagedFile(place.main, sidecar.form))
        many = self._publish_channels() if sidecar.multi_channel_file is not None else None
        assert sidecar.frames is not None
        self.whole = many is not None or sidecar.multi_channel_file is None
        return Finished(
            sidecar.id,
            sidecar.file,
            sidecar.frames * 1000 // sidecar.rate,
            many,
            spans(sidecar) if many else {},
            "; ".join(self._errors) or None,
            recovered,
            sidecar.context if recovered else {},
        )

    def _publish_main(self, staged: StagedFile) -> None:
        sidecar = self._sidecar
        with closing(staged):
            if sidecar.frames is None or sidecar.error is not None:
                # It broke off: it is as long as what is there.
                sidecar.frames = staged.frames // sidecar.doubled
            staged.complete(sidecar.frames * sidecar.doubled)
            sidecar.file = self._publish_as_asked(sidecar.frames * sidecar.doubled)
        self._save()
        self._place.main.unlink(missing_ok=True)

    def _publish_as_asked(self, frames: int) -> Path:
        """Publish in the format asked for; as WAV if that cannot be made."""
        place, sidecar = self._place, self._sidecar
        if sidecar.format == "wav":
            return publish(place.main, sidecar.file)
        try:
            encode(self._blocks(frames), sidecar.form, sidecar.format, place.made)
            _sync(place.made)
            return publish(place.made, sidecar.file)
        except OSError as error:
            self._errors.append(f"{error}; kept as WAV")
            place.made.unlink(missing_ok=True)
            return publish(place.main, sidecar.file.with_suffix(".wav"))

    def _publish_channels(self) -> Path | None:
        """Publish the file with a channel per participant, as long as the recording itself.

        It is a WAV file always: none of the other formats has so many channels.
        """
        place, asked_for = self._place, self._sidecar.multi_channel_file
        assert asked_for is not None
        target = asked_for.with_suffix(".wav")
        place.made.unlink(missing_ok=True)
        try:
            self._merge()
            return publish(place.made, target)
        except OSError as error:
            self._errors.append(f"{target.name}: {error}; its channels stay staged")
            place.made.unlink(missing_ok=True)
            return None

    def _longest_channel(self) -> int | None:
        """Frames staged of the participant of whom there is most; None if there are none."""
        form = WavFormat(self._sidecar.rate, 1)
        paths = map(self._place.participant, range(len(self._sidecar.participants)))
        sizes = [path.stat().st_size for path in paths if path.exists()]
        return max(((size - form.header_bytes) // 2 for size in sizes if size), default=None)

    def _merge(self) -> None:
        sidecar, place = self._sidecar, self._place
        count, frames = len(sidecar.participants), sidecar.frames or 0
        form = WavFormat(sidecar.rate, max(count, 1))
        with ExitStack() as opened:
            made = opened.enter_context(closing(StagedFile(place.made, form)))
            channels = [
                _Channel(place.participant(index), sidecar.rate, opened) for index in range(count)
            ]
            for start in range(0, frames, sidecar.rate):
                self._go_on()
                pcm = np.zeros((min(sidecar.rate, frames - start), form.channels), np.int16)
                for index, channel in enumerate(channels):
                    part = channel.read(start, len(pcm))
                    pcm[: len(part), index] = part
                made.write(start, pcm.data)
            made.complete(frames)

    def _blocks(self, frames: int) -> Iterator[NDArray[np.int16]]:
        """The staged samples, a second at a time."""
        form = self._sidecar.form
        with self._place.main.open("rb") as file:
            file.seek(form.header_bytes)
            while frames > 0:
                self._go_on()
                data = file.read(min(form.rate, frames) * form.frame_bytes)
                yield np.frombuffer(data, "<i2").reshape(-1, form.channels)
                frames -= form.rate

    def _save(self) -> None:
        with suppress(OSError):  # the disk may be full: then a crash from here on repeats a step
            self._place.save(self._sidecar.pack())

    def _go_on(self) -> None:
        if self._abandon.is_set():
            raise Abandoned


def spans(sidecar: Sidecar) -> dict[str, Span]:
    """Where each participant is in the multi-channel file."""
    frames, rate = sidecar.frames or 0, sidecar.rate
    return {
        one.name: _span(index, one, frames, rate) for index, one in enumerate(sidecar.participants)
    }


def _span(index: int, one: Participant, frames: int, rate: int) -> Span:
    start = min(one.start if one.start is not None else frames, frames)
    end = max(min(one.end if one.end is not None else frames, frames), start)
    return Span(index, start * 1000 // rate, end * 1000 // rate)


class _Channel:
    """A participant's staged samples; beyond their end, and if there are none, nothing."""

    def __init__(self, path: Path, rate: int, opened: ExitStack) -> None:
        self._header = WavFormat(rate, 1).header_bytes
        self._file = opened.enter_context(path.open("rb")) if path.exists() else None

    def read(self, start: int, count: int) -> NDArray[np.int16]:
        if self._file is None:
            return np.zeros(0, np.int16)
        self._file.seek(self._header + start * SAMPLE_BYTES)
        data = self._file.read(count * SAMPLE_BYTES)
        return np.frombuffer(data[: len(data) // SAMPLE_BYTES * SAMPLE_BYTES], "<i2")


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
