"""Markdown: a paragraph a segment, with the speaker's name and when it begins."""

import re

from hocket.errors import one_line
from hocket.formats.plain import moment
from hocket.transcript import Segment, Transcript

MARKS = re.compile(r"([\\`*{}\[\]#]|(?<![^\W_])_|_(?![^\W_]))")
REFERENCES = {ord("&"): "&amp;", ord("<"): "&lt;", ord(">"): "&gt;", ord("~"): "&#126;"}
BLOCK = re.compile(r"^(\d+)([.)]\s)|^([-+=]+)")  # begin a list, a rule or a heading


def write(transcript: Transcript) -> str:
    """The recording's name as a heading, then its segments."""
    paragraphs = [f"# {escaped(transcript.uri)}"]
    paragraphs += [_paragraph(start, segment) for start, _, segment in transcript.timed()]
    return "\n\n".join(paragraphs) + "\n"


def _paragraph(start: int, segment: Segment) -> str:
    name = f"**{escaped(segment.turn.speaker)}** " if segment.turn.speaker else ""
    text = escaped(" ".join(segment.text.split()))
    return f"{name}({moment(start)})" + (f"  \n{text}" if text else "")


def escaped(text: str) -> str:
    """A text on one line that Markdown shows as it is."""
    marked = MARKS.sub(r"\\\1", one_line(text)).translate(REFERENCES)
    return BLOCK.sub(lambda found: f"{found[1] or ''}\\{found[2] or found[3]}", marked)
