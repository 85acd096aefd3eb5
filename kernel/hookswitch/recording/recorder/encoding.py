"""Compressed files, made of staged samples when a recording is over."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hookswitch.recording.messages import Format

from .wav import WavFormat

_CODECS: dict[Format, tuple[str, str]] = {"opus": ("ogg", "libopus"), "flac": ("flac", "flac")}
"""Format -> container and codec, as FFmpeg names them."""

OPUS_BITRATE = 48_000
"""Bits per second and channel."""


class EncodingFailed(OSError):
    """FFmpeg cannot make this file; the message says why."""


def encode(
    blocks: Iterator[NDArray[np.int16]], form: WavFormat, kind: Format, target: Path
) -> None:
    """Write interleaved samples, int16 (frames, channels), as another format.

    Raises EncodingFailed, and OSError for what the disk says.
    """
    import av  # heavy, and most recordings are WAV

    try:
        _encode(blocks, form, kind, target)
    except (av.error.FFmpegError, ValueError) as error:
        raise EncodingFailed(f"{kind}: {error}") from error


def _encode(
    blocks: Iterator[NDArray[np.int16]], form: WavFormat, kind: Format, target: Path
) -> None:
    import av

    layout = "mono" if form.channels == 1 else "stereo"
    container_name, codec = _CODECS[kind]
    # Opened and written to here, not by FFmpeg: PyAV holds the interpreter while it does so, and a
    # disk that hangs would stop all recordings.
    with target.open("wb") as file, av.open(file, "w", format=container_name) as container:
        stream = container.add_stream(codec, rate=form.rate, layout=layout)
        assert isinstance(stream, av.AudioStream)
        if kind == "opus":
            stream.bit_rate = OPUS_BITRATE * form.channels
        container.start_encoding()  # also when there is nothing to encode
        position = 0
        for block in blocks:
            frame = av.AudioFrame.from_ndarray(block.reshape(1, -1), "s16", layout)
            frame.sample_rate, frame.pts = form.rate, position
            position += len(block)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
