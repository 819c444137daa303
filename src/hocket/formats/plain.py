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
