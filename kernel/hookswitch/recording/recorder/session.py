"""One recording that goes on: its tracks, its pauses, who takes part, and what is staged of it."""

from __future__ import annotations

from hookswitch.media.rings import Arena
from hookswitch.recording.messages import Channel, Record

from .alignment import Alignment
from .pauses import Pauses
from .sidecar import Participant, Place, Sidecar
from .tracks import Source, Track
from .wav import WavFormat


class Joining:
    """A participant whose ring's place on the recording's time is not certain yet."""

    def __init__(self, participant: Participant, track: Track) -> None:
        self.participant = participant
        self.track = track
        self.alignment = Alignment()


class Session:
    """A recording between `Record` and its end. Values only: the recorder works on them."""

    def __init__(self, place: Place, sidecar: Sidecar, sources: tuple[Source, ...]) -> None:
        self.place = place
        self.sidecar = sidecar
        self.pauses = Pauses(sidecar.pauses)
        self.main = Track(sidecar.id, place.main, sidecar.form, sources)
        self.present: dict[str, Track] = {}
        """The tracks of participants whose place is known, by name."""
        self.joining: dict[str, Joining] = {}
        self.names: tuple[str, ...] = ()
        """Of the recording's own channels."""
        self.unmade: OSError | None = None
        """Why it could not even begin."""

    @property
    def id(self) -> str:
        return self.sidecar.id

    @property
    def tracks(self) -> list[Track]:
        """All tracks that are read."""
        return [self.main, *self.present.values()]

    def participant(self, name: str) -> Participant:
        """Who takes part under this name; one who comes again has the same channel."""
        for one in self.sidecar.participants:
            if one.name == name:
                return one
        self.sidecar.participants.append(Participant(name))
        return self.sidecar.participants[-1]

    def look(self, joining: Joining) -> bool:
        """Compare the two rings' counters; answers whether the participant's place is certain."""
        (first, row), (other, other_row) = self.main.sources[0], joining.track.sources[0]
        before = int(first.heard_in[row])
        its = int(other.heard_in[other_row])
        if int(first.heard_in[row]) != before:
            return False  # a tick came between the two
        return joining.alignment.look(before, its)

    def join(self, channel: Channel, arena: Arena) -> Track:
        """A participant comes; its track is to be opened."""
        one = self.participant(channel.name)
        ring = (channel.arena.id, channel.row)
        if one.ring != ring:
            one.ring, one.offset, one.end = ring, None, None
        index = self.sidecar.participants.index(one)
        path, form = self.place.participant(index), WavFormat(self.sidecar.rate, 1)
        track = Track(self.id, path, form, ((arena, channel.row),))
        self.joining[channel.name] = Joining(one, track)
        return track

    def packed(self) -> bytes:
        """The sidecar as it is to be written now."""
        self.sidecar.pauses = list(self.pauses.spans)
        return self.sidecar.pack()


def first_sidecar(record: Record, heard_out: int) -> Sidecar:
    """The sidecar of a recording that begins with what its ring has not given yet."""
    rate = record.channels[0].arena.rate
    return Sidecar(
        record.id,
        record.file,
        record.format,
        rate,
        len(record.channels),
        record.multi_channel_file,
        doubled=record.rate // rate,
        shift=-heard_out,
        context=dict(record.context),
    )
