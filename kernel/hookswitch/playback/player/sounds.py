"""What a `Play` asks for, as blocks of samples."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from functools import partial

from hookswitch.media.rings import Pcm
from hookswitch.playback.marks import Mark, Marks
from hookswitch.playback.messages import Play, ToneSource, UrlSource

from .decode import decoded
from .fetch import Fetcher
from .mime import parse
from .playback import Sound
from .shared import SharedFiles
from .spool import SpoolReader
from .stop import Stop
from .tones import Tones, rounds


class Sounds:
    """Sources of sound, of which each playback gets one."""

    def __init__(self, fetcher: Fetcher, tones: Tones, marks: Marks) -> None:
        self._fetcher, self._tones, self._marks = fetcher, tones, marks
        self._shared = SharedFiles()

    def of(self, play: Play) -> Sound:
        """The sound of a playback, not begun."""

        def sound(stop: Stop, skip: int) -> Generator[Pcm]:
            if isinstance(play.source, ToneSource):
                return rounds(self._tones.turn(play.source.name, play.arena.rate), skip)
            mark = self._marks.of(play.slot)
            return self._file(play.source, play.arena.rate, play.repeat, skip, stop, mark)

        return sound

    def _file(
        self, source: UrlSource, rate: int, repeat: int, skip: int, stop: Stop, mark: Mark
    ) -> Generator[Pcm]:
        told = parse(source.mime_type)
        with self._fetcher.opened(source.url, stop) as body:
            mime = told if source.mime_type else parse(body.mime_type)
            read = partial(SpoolReader, body.spool, stop, mark)
            share = None
            if body.identity is not None:
                share = partial(self._shared.blocks, body.identity, body.spool, read)
            yield from marked(decoded(read, mime, rate, repeat, skip, share), mark)


def marked(blocks: Generator[Pcm], mark: Mark) -> Generator[Pcm]:
    """The same blocks, with the mark set while each is made."""
    with closing(blocks):
        while True:
            with mark.inside():
                block = next(blocks, None)
            if block is None:
                return
            yield block
