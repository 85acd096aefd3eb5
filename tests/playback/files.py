"""Sound files of every kind, made by the libraries others make theirs with."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterable, Iterator
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


def rifx(data: bytes, width: int, *, whole_guid: bool = True) -> bytes:
    """A WAV turned into a big-endian one; ``width``: bytes of a sample.

    Writers of the extensible format turn all numbers of its GUID (libsndfile), or only the format
    tag that it begins with (SoX).
    """
    chunks, at = [], 12
    while at < len(data):
        name, size = struct.unpack_from("<4sI", data, at)
        body = data[at + 8 : at + 8 + size]
        if name == b"fmt ":
            numbers = (2, 2, 4, 4, 2, 2, 2, 2, 4, *((4, 2, 2) if whole_guid else (2,)))
            body = _turned(body, numbers)
        elif name == b"data":
            body = _turned(body, (width,) * (size // width))
        chunks.append(name + struct.pack(">I", len(body)) + body + b"\0" * (len(body) % 2))
        at += 8 + size + size % 2
    whole = b"WAVE" + b"".join(chunks)
    return b"RIFX" + struct.pack(">I", len(whole)) + whole


def _turned(data: bytes, widths: Iterable[int]) -> bytes:
    """The same numbers with their bytes in the other order; what comes after them stays."""
    turned, at = b"", 0
    for width in widths:
        turned += data[at : at + width][::-1]
        at += width
    return turned + data[at:]
