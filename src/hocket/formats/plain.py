"""Text for people: a line a segment, with its times."""

from hocket.errors import one_line
from hocket.formats.subtitles import clock
from hocket.transcript import Transcript


def write(transcript: Transcript) -> str:
    """Times, name and text."""
    return "".join(
        f"{clock(start)} - {clock(end)}  {one_line(segment.turn.speaker)}{_said(segment.text)}\n"
        for start, end, segment in transcript.timed()
    )


def _said(text: str) -> str:
    return f": {one_line(' '.join(text.split()))}" if text else ""


def moment(milliseconds: int) -> str:
    """A time for people to read, in full seconds: m:ss, or h:mm:ss."""
    minutes, seconds = divmod(milliseconds // 1000, 60)
    hours, rest = divmod(minutes, 60)
    return f"{hours}:{rest:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
