"""G.722 in batches (ITU-T G.722 at 64 kbit/s; RFC 3551 section 4.5.2)."""

from __future__ import annotations

from hookswitch.codecs.base import Flags, Ints, Payloads, Pcm, Rows
from hookswitch.codecs.crew import Crew

from .library import Library, Stream
from .spandsp import Spandsp, find_spandsp
from .wheel import Wheel


class G722:
    """A `hookswitch.codecs.base.StreamCodecBatch`: two samples in a byte, never a byte lost."""

    def __init__(self, library: Library | None = None) -> None:
        self._library = library or best_library()
        self._streams: dict[int, Stream] = {}

    def open(self, row: int, fmtp: str = "") -> None:
        self._streams[row] = self._library.stream()

    def close(self, row: int) -> None:
        del self._streams[row]

    def samples(self, payloads: Payloads, sizes: Ints) -> Ints:
        return sizes * 2

    def decode(self, rows: Rows, payloads: Payloads, sizes: Ints) -> tuple[Pcm, Ints]:
        return self._library.decode(self._of(rows), payloads, sizes), sizes * 2

    def repairs(self, payloads: Payloads, sizes: Ints) -> Flags:
        return sizes < 0

    def recover(self, row: int, payload: Payloads, samples: int) -> Pcm:
        raise NotImplementedError("G.722 carries no redundancy")

    def conceal(self, rows: Rows, samples: int) -> None:
        return None

    def encode(self, rows: Rows, pcm: Pcm) -> tuple[Payloads, Ints]:
        return self._library.encode(self._of(rows), pcm)

    def _of(self, rows: Rows) -> list[Stream]:
        return [self._streams[row] for row in rows.tolist()]


def best_library() -> Library:
    """The system's libspandsp, which works beside the interpreter lock; else the wheel."""
    path = find_spandsp()
    return Spandsp(path, Crew()) if path else Wheel()
