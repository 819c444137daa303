"""NIST Rich Transcription Time Marked: a SPEAKER line a turn, with confidence if it is known.

Fields as in the evaluation plan RT-09, appendix A.
"""

import re

from hocket.errors import FormatError
from hocket.formats.reading import fields_of, lines_of, seconds_of
from hocket.transcript import Segment, Transcript, of_segments
from hocket.turns import Turn, rttm_lines

FIELDS = 9  # type, file, channel, start, duration, orthography, subtype, name, confidence
NAME = 7  # field; blanks in a name make more fields


def write(transcript: Transcript) -> str:
    """A line a segment; the text has no place."""
    turns = [segment.turn for segment in transcript.segments]
    return rttm_lines(transcript.uri, turns, transcript.duration)


def read(text: str, name: str) -> list[Transcript]:
    """A transcript for each recording, in order of appearance.

    Other types of lines, comments, and turns of no length are left out.

    Raises:
        FormatError: a line cannot be read.
    """
    found: dict[str, list[Turn]] = {}
    for place, line in lines_of(text, name):
        fields = fields_of(line)
        if fields[0] != "SPEAKER":
            continue
        if len(fields) <= NAME:
            raise FormatError(f"{place}: found {len(fields)} fields; a SPEAKER line has 8 or more")
        start, length = seconds_of(fields[3], place), seconds_of(fields[4], place)
        channel = int(fields[2]) if re.fullmatch(r"[1-9]\d{0,3}", fields[2]) else None
        turns = found.setdefault(fields[1], [])
        if length:
            speaker, confidence = _name_and_confidence(fields)
            turns.append(Turn(start, start + length, speaker, confidence, channel))
    return [of_segments(uri, map(Segment, turns)) for uri, turns in found.items()]


def _name_and_confidence(fields: list[str]) -> tuple[str, float | None]:
    """A name with blanks takes several fields: all up to the last two."""
    behind = max(NAME + 1, len(fields) - 2) if len(fields) > FIELDS else NAME + 1
    confidence = fields[behind] if len(fields) > behind else ""
    known = re.fullmatch(r"(0(\.\d+)?|1(\.0+)?)", confidence)
    return " ".join(fields[NAME:behind]), float(confidence) if known else None
