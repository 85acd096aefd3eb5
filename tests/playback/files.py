"""Sound files of every kind, made by the libraries others make theirs with."""

from __future__ import annotations

import io
from collections.abc import Iterator
from fractions import Fraction

import av
import numpy as np

from tests.sound import tone


def encoded(
    pcm: np.ndarray,
    rate: int,
    *,
    container: str = "wav",
    codec: str = "pcm_s16le",
    layout: str = "mono",
    out_rate: int | None = None,
    picture: bool = False,
    **options: str,
) -> bytes:
    """A file of int16 samples: (n,) is the same in all channels, (channels, n) is each its own.

    ``options`` are the muxer's.
    """
    file = io.BytesIO()
    with av.open(file, "w", format=container, options=options) as output:
        stream = output.add_stream(codec, rate=out_rate or rate, layout=layout)
        video = output.add_stream("mpeg4", rate=25, width=32, height=32) if picture else None
        if video:
            video.pix_fmt = "yuv420p"
            frame = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8))
            for number in range(25):
                frame.pts = number
                output.mux(video.encode(frame))
            output.mux(video.encode(None))
        for part in _frames(pcm, rate, stream, layout):
            output.mux(stream.encode(part))
        output.mux(stream.encode(None))
    return file.getvalue()


def _frames(
    pcm: np.ndarray, rate: int, stream: av.AudioStream, layout: str
) -> Iterator[av.AudioFrame]:
    codec = stream.codec_context
    channels = np.broadcast_to(pcm, (codec.layout.nb_channels, np.shape(pcm)[-1]))
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(channels), "s16p", layout)
    frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
    resampler = av.AudioResampler(codec.format, layout, codec.rate, codec.frame_size or 1024)
    yield from resampler.resample(frame)
    yield from resampler.resample(None)


def wav(frequency: float = 440, seconds: float = 1.0, rate: int = 8000, **how: object) -> bytes:
    """A WAV of one tone at -12 dBFS."""
    return encoded(tone(frequency, seconds, rate), rate, **how)  # type: ignore[arg-type]
