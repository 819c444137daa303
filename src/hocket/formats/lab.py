"""Label files (.lab): start and end in seconds, and the speaker's name."""

from hocket.errors import FormatError, one_line
from hocket.formats.reading import lines_of, span_of
from hocket.transcript import Segment, Transcript, of_segments
from hocket.turns import Turn, milliseconds_as_seconds


def write(transcript: Transcript) -> str:
    """A line a segment; the text has no place."""
    return "".join(
        f"{milliseconds_as_seconds(start)} {milliseconds_as_seconds(end)} "
        f"{one_line(segment.turn.speaker)}\n"
        for start, end, segment in transcript.timed()
    )


def read(text: str, name: str) -> list[Transcript]:
    """One recording, named as the file; a name may have blanks.

    Raises:
        FormatError: a line cannot be read.
    """
    segments = []
    for place, line in lines_of(text, name):
        fields = line.split(maxsplit=2)
        if len(fields) < 3:
            raise FormatError(f"{place}: found '{line[:60]}'; give start, end and speaker")
        start, end, speaker = fields
        segments.append(Segment(Turn(*span_of(start, end, place), speaker.rstrip("\r\n"))))
    return [of_segments(name, segments)]
