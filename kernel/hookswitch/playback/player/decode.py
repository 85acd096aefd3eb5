"""Files of any kind as int16 mono at one rate, in constant memory, over and over without a seam."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from itertools import chain

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.container import InputContainer

from hookswitch.media.rings import Pcm

from .errors import DecodeError
from .formats import CODECS, MOST_CHANNELS, RATES, RIFX, Format, find_format
from .mime import MimeType
from .spool import SpoolReader
from .wav import find_format_of_coming, find_format_of_rifx

_OPTIONS = {
    "protocol_whitelist": "none",
    "codec_whitelist": ",".join(CODECS),
    "probesize": "32768",
    "analyzeduration": "10000",
    "max_size": "8192",
    "max_probe_packets": "1",
}
"""Of every demuxer: it opens nothing else, runs no other decoder, and looks ahead little."""


_KEPT = 1 << 18
"""Bytes of frames up to which a file that is repeated is not decoded again."""

Source = Callable[[], SpoolReader]
"""A file that can be read again from its start."""

Block = tuple[int, Pcm]
"""A rate in Hz, and sound in one channel at that rate."""

Share = Callable[[Format], Iterator[Block]]
"""The sound of a file that others play too, by its format."""

PIECES = 4
"""Frames that a second of a block is converted in: each is cheap and takes little memory."""


def decoded(
    source: Source, mime: MimeType, rate: int, repeat: int, skip: int, share: Share | None = None
) -> Generator[Pcm]:
    """The sound of a file, ``repeat`` times (-1: for ever), without its first ``skip`` samples.

    Raises DecodeError, and whatever reading raised.
    """
    kind = _format(mime, source())
    converter = Converter(rate)
    again = _Again(source, kind)
    passes = 0
    while passes < repeat or repeat < 0:
        if share:
            once = map(converter.pass_on, share(kind))
        else:
            once = map(converter.convert, again.frames())
        length = 0
        for pcm in chain.from_iterable(once):
            length += len(pcm)
            yield pcm[skip:]
            skip = max(skip - len(pcm), 0)
        if not length:
            raise DecodeError("there is no sound in the file")
        passes += 1
        if passes > 1:  # the first is shorter, by what the filters hold back
            whole = _skippable(skip // length, passes, repeat)
            skip -= whole * length
            passes += whole
    for pcm in converter.flush():
        yield pcm[skip:]


def _format(mime: MimeType, file: SpoolReader) -> Format:
    """How to read a file; a WAV that is still coming, without waiting for much of it."""
    kind = find_format(mime, file)
    if kind.demuxer == RIFX:
        return find_format_of_rifx(file)
    if kind.demuxer != "wav" or file.seekable():
        return kind
    return find_format_of_coming(file)


def _skippable(whole: int, passes: int, repeat: int) -> int:
    """How many passes need not even be decoded."""
    return whole if repeat < 0 else min(whole, repeat - passes)


class _Again:
    """The frames of a file as often as they are wanted; those of a short one are kept."""

    def __init__(self, source: Source, file_format: Format) -> None:
        self._source, self._format = source, file_format
        self._kept: list[AudioFrame] | None = None

    def frames(self) -> Iterator[AudioFrame]:
        if self._kept is not None:
            yield from self._kept
            return
        kept, size = [], 0
        for frame in frames(self._source(), self._format):
            size += sum(plane.buffer_size for plane in frame.planes)
            if size <= _KEPT:
                kept.append(frame)
            yield frame
        if size <= _KEPT:
            self._kept = kept


def frames(file: SpoolReader, file_format: Format) -> Generator[AudioFrame]:
    """The frames of a file's first audio stream; damaged ones are left out."""
    with _container(file, file_format) as container:
        if not container.streams.audio:
            raise DecodeError("there is no sound in the file")
        stream = container.streams.audio[0]
        codec = stream.codec_context
        if codec is None or codec.codec.name not in CODECS:
            raise DecodeError(f"{codec.codec.name if codec else 'its codec'} is not played")
        codec.thread_count = 1
        for packet in container.demux(stream):
            try:
                yield from packet.decode()
            except av.error.InvalidDataError:
                continue


@contextmanager
def _container(file: SpoolReader, file_format: Format) -> Iterator[InputContainer]:
    """Open a file; what went wrong while reading goes before what the library makes of it."""
    file.must_seek = file_format.demuxer == "mov"
    file.show(file_format.start, file_format.length)
    try:
        with av.open(
            file,
            mode="r",
            format=file_format.demuxer,
            options={**_OPTIONS, **file_format.options},
            metadata_errors="replace",
        ) as container:
            yield container
    except (av.error.FFmpegError, ValueError, MemoryError) as error:
        file.check()
        why = getattr(error, "strerror", None) or str(error)
        raise DecodeError(f"not to be decoded as {file_format.demuxer}: {why}") from error
    file.check()


class Converter:
    """Frames of any format to int16 mono at one rate, as one stream over any number of files."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._resampler = _resampler(rate)
        self._shape: tuple[str, str, int] | None = None

    def convert(self, frame: AudioFrame) -> Iterator[Pcm]:
        """What comes out for a frame: not all of it, and some of what went in before.

        Raises DecodeError.
        """
        shape = (frame.format.name, frame.layout.name, frame.sample_rate)
        if shape != self._shape:
            yield from self.flush()
            _check(frame)
            self._shape = shape
        frame.pts = None
        try:
            made = self._resampler.resample(frame)
        except av.error.FFmpegError as error:  # as of many channels that stand nowhere
            raise _not_played(frame) from error
        for out in made:
            yield _samples(out)

    def pass_on(self, block: Block) -> Iterator[Pcm]:
        """What comes out for a block; of one at this very rate that is itself. Raises DecodeError.

        A stream has either blocks or frames.
        """
        rate, pcm = block
        if rate == self._rate:
            yield pcm
            return
        for start in range(0, len(pcm), size := rate // PIECES):
            frame = av.AudioFrame.from_ndarray(pcm[None, start : start + size], "s16", "mono")
            frame.sample_rate = rate
            yield from self.convert(frame)

    def flush(self) -> Iterator[Pcm]:
        """What is still in the filters."""
        if self._shape:
            for out in self._resampler.resample(None):
                yield _samples(out)
        self._shape = None
        self._resampler = _resampler(self._rate)


def _check(frame: AudioFrame) -> None:
    """Raises DecodeError for what would take too much."""
    if frame.sample_rate not in RATES or frame.layout.nb_channels > MOST_CHANNELS:
        raise _not_played(frame)


def _not_played(frame: AudioFrame) -> DecodeError:
    what = f"{frame.layout.nb_channels} channels at {frame.sample_rate} Hz"
    return DecodeError(f"{what} are not played")


def _resampler(rate: int) -> av.AudioResampler:
    # In 16 bits, which it would choose for 16-bit files, it costs eight times as much.
    options = {"internal_sample_fmt": "fltp"}
    return av.AudioResampler(format="s16", layout="mono", rate=rate, options=options)


def _samples(frame: AudioFrame) -> Pcm:
    return np.asarray(frame.to_ndarray().reshape(-1), np.int16)
