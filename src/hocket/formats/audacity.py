"""Label tracks of Audacity: start, end and a label between tabs."""

from hocket.errors import FormatError, one_line
from hocket.formats.reading import lines_of, span_of
from hocket.transcript import Segment, Transcript, of_segments
from hocket.turns import Turn, milliseconds_as_seconds

FREQUENCIES = "\\"  # Audacity puts a line with the selected frequencies below a label


def write(transcript: Transcript) -> str:
    """A label a segment: the name, and what is said."""
    return "".join(
        f"{milliseconds_as_seconds(start)}\t{milliseconds_as_seconds(end)}\t{_label(segment)}\n"
        for start, end, segment in transcript.timed()
    )


def _label(segment: Segment) -> str:
    return one_line(": ".join(filter(None, (segment.turn.speaker, segment.text))))


def read(text: str, name: str) -> list[Transcript]:
    """One recording, named as the file; what stands behind a colon in a label is text.

    Raises:
        FormatError: a line cannot be read.
    """
    segments = []
    for place, line in lines_of(text, name):
        if line.startswith(FREQUENCIES):
            continue
        start, separator, rest = line.partition("\t")
        end, _, label = rest.partition("\t")
        if not separator:
            raise FormatError(f"{place}: found '{line[:60]}'; give start, end and label with tabs")
        speaker, _, said = label.partition(": ")
        segments.append(Segment(Turn(*span_of(start, end, place), speaker), said))
    return [of_segments(name, segments)]
