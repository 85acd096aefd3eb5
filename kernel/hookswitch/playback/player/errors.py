"""Why a playback came to its end.

::

    PlaybackError        the message is for the one who asked for the playback
    ├── FetchError       the file cannot be had, or not all of it
    └── DecodeError      it is no audio that we play
    Stopped              somebody asked for the end
"""

MOST_TOLD = 200
"""Characters of what a peer or a client sent that a message repeats."""


def short(text: str) -> str:
    """What somebody sent, as far as a message repeats it."""
    return text if len(text) <= MOST_TOLD else f"{text[: MOST_TOLD - 1]}\N{HORIZONTAL ELLIPSIS}"


class PlaybackError(Exception):
    """A source cannot be played, or not to its end; the message says what to do about it."""


class FetchError(PlaybackError):
    """A file cannot be fetched, or was cut off."""


class DecodeError(PlaybackError):
    """A file is no audio of a kind we decode."""


class Stopped(Exception):
    """The playback was told to stop."""
