"""Text for people: a line a segment, with its times."""

from hocket.errors import one_line
from hocket.formats.subtitles import clock
from hocket.transcript import Segment, Transcript


def write(transcript: Transcript) -> str:
    """Times, name and text; without a name where nobody is known to speak."""
    return "".join(
        f"{clock(start)} - {clock(end)}  {_said(segment)}\n"
        for start, end, segment in transcript.timed()
    )


def _said(segment: Segment) -> str:
    name, text = one_line(segment.turn.speaker), one_line(" ".join(segment.text.split()))
    return ": ".join(part for part in (name, text) if part)


def moment(milliseconds: int) -> str:
    """A time for people to read, in full seconds: m:ss, or h:mm:ss."""
    minutes, seconds = divmod(milliseconds // 1000, 60)
    hours, rest = divmod(minutes, 60)
    return f"{hours}:{rest:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
