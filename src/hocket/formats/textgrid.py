"""TextGrid of Praat: an interval tier a speaker, in the long text format."""

import re
from collections.abc import Iterator

from hocket.errors import FormatError, one_line
from hocket.formats.reading import span_of
from hocket.transcript import Segment, Transcript, of_segments
from hocket.turns import Turn, milliseconds_as_seconds, whole_milliseconds

TIER = re.compile(r'item\s*\[\d+\]\s*:|class\s*=\s*"(IntervalTier|TextTier)"')
NAME = re.compile(r'name\s*=\s*"((?:[^"]|"")*)"')
INTERVAL = re.compile(r'xmin\s*=\s*(\S+)\s*xmax\s*=\s*(\S+)\s*text\s*=\s*"((?:[^"]|"")*)"')
LEAST_MS = 1  # Praat refuses a file of no length


def write(transcript: Transcript) -> str:
    """A tier a speaker, whose intervals cover the recording; silence has an empty label."""
    last = max(whole_milliseconds(transcript.duration), LEAST_MS)
    speakers = dict.fromkeys(segment.turn.speaker for _, _, segment in transcript.timed())
    tiers = [_tier(transcript, speaker, last) for speaker in speakers]
    head = (
        'File type = "ooTextFile"\nObject class = "TextGrid"\n\n'
        f"xmin = 0\nxmax = {milliseconds_as_seconds(last)}\n"
    )
    if not tiers:
        return f"{head}tiers? <absent>\n"
    items = "".join(f"    item [{number}]:\n{tier}" for number, tier in enumerate(tiers, start=1))
    return f"{head}tiers? <exists>\nsize = {len(tiers)}\nitem []:\n{items}"


def _tier(transcript: Transcript, speaker: str, last: int) -> str:
    intervals = [*_intervals(transcript, speaker, last)]
    rows = "".join(
        f"        intervals [{number}]:\n"
        f"            xmin = {milliseconds_as_seconds(start)}\n"
        f"            xmax = {milliseconds_as_seconds(end)}\n"
        f"            text = {_quoted(label)}\n"
        for number, (start, end, label) in enumerate(intervals, start=1)
    )
    return (
        f'        class = "IntervalTier"\n        name = {_quoted(speaker)}\n        xmin = 0\n'
        f"        xmax = {milliseconds_as_seconds(last)}\n"
        f"        intervals: size = {len(intervals)}\n{rows}"
    )


def _intervals(transcript: Transcript, speaker: str, last: int) -> Iterator[tuple[int, int, str]]:
    """Intervals of one speaker without gap or overlap."""
    done = 0
    for start, end, segment in transcript.timed():
        if segment.turn.speaker != speaker or end <= done:
            continue
        if start > done:
            yield done, start, ""
        yield max(start, done), end, segment.text or speaker
        done = end
    if done < last:
        yield done, last, ""


def _quoted(text: str) -> str:
    return '"' + one_line(text).replace('"', '""') + '"'


def read(text: str, name: str) -> list[Transcript]:
    """One recording, named as the file: each labelled interval is a segment of its tier's speaker.

    Raises:
        FormatError: it is no TextGrid in the long text format, or an interval cannot be read.
    """
    if '"TextGrid"' not in text[:200]:
        raise FormatError(f"{name}: is no TextGrid; give one in Praat's text format")
    if "xmin" not in text:  # Praat's short form has values without names
        raise FormatError(f"{name}: is a short TextGrid; save it in Praat as a text file")
    segments = []
    for part in re.split(r"item\s*\[\d+\]\s*:", text)[1:]:
        found = NAME.search(part)
        speaker = found[1].replace('""', '"') if found else ""
        for start, end, label in INTERVAL.findall(part):
            said = label.replace('""', '"').strip()
            if said:
                turn = Turn(*span_of(start, end, f"{name}, tier {speaker}"), speaker)
                segments.append(Segment(turn, "" if said == speaker.strip() else said))
    return [of_segments(name, segments)]
