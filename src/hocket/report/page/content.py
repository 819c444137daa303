"""What a page is made from, gathered once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hocket.lanes import COLORS
from hocket.notices import Notice
from hocket.report.recording import Recorded
from hocket.transcript import Transcript
from hocket.turns import Turn


@dataclass(frozen=True, eq=False)
class Content:
    """A recording, and who speaks when in it.

    title: name of the recording.
    transcript: its segments.
    recorded: its waveform and sound.
    turns: of speakers with a name, in order of time.
    speakers: their names, in the order of the lanes.
    """

    title: str
    transcript: Transcript
    recorded: Recorded
    turns: Sequence[Turn]
    speakers: Sequence[str]

    @property
    def duration(self) -> float:
        """Length of the recording in seconds, never 0."""
        return max(self.recorded.duration, 0.01)

    @property
    def notices(self) -> Sequence[Notice]:
        """Every notice once."""
        result = self.transcript.result
        every = (
            *self.transcript.notices,
            *(result.notices if result else ()),
            *self.recorded.notices,
        )
        return list(dict.fromkeys(every))

    def colors(self) -> Mapping[str, str]:
        """Class of the color of each speaker."""
        return {speaker: f"s{n % len(COLORS)}" for n, speaker in enumerate(self.speakers)}


def content_of(title: str, transcript: Transcript, recorded: Recorded) -> Content:
    """The content of a page; turns are those of the result if there is one."""
    result = transcript.result
    every = result.turns if result else [segment.turn for segment in transcript.segments]
    turns = sorted(turn for turn in every if turn.speaker and turn.end > turn.start)
    named = (*(result.speakers if result else ()), *transcript.speakers)
    speakers = [speaker for speaker in dict.fromkeys(named) if speaker]
    return Content(title, transcript, recorded, turns, speakers)
