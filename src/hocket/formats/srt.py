"""SubRip subtitles: the speaker's name in brackets, then what is said."""

import re

from hocket.errors import one_line
from hocket.formats.cues import Cue, cues_of
from hocket.formats.subtitles import Said, clock, read_cues
from hocket.transcript import Transcript

NAME = re.compile(r"\[([^\[\]]+)\]:?\s*")  # whisperX writes a colon behind it


def write(transcript: Transcript) -> str:
    """Numbered cues."""
    cues = enumerate(cues_of(transcript, prefix=len("[] ")), start=1)
    return "\n".join(
        f"{index}\n{clock(cue.start, ',')} --> {clock(cue.end, ',')}\n{_body(cue)}\n"
        for index, cue in cues
    )


def _body(cue: Cue) -> str:
    names = [f"[{_bare(speaker)}]" for speaker in cue.speakers if speaker]
    if not cue.lines:
        return "\n".join(names)
    first, *others = cue.lines
    return "\n".join([" ".join([*names, first]), *others])


def _bare(name: str) -> str:
    """A name without brackets of its own."""
    return one_line(name).translate({ord("["): "(", ord("]"): ")"})


def read(text: str, name: str) -> list[Transcript]:
    """One recording, named as the file; a name in brackets before the text is the speaker's.

    Raises:
        FormatError: there is no cue, or its times cannot be read.
    """
    return read_cues(text, name, _parse)


def _parse(lines: list[str]) -> list[Said]:
    names = [NAME.fullmatch(line.strip()) for line in lines]
    if lines and all(names):
        return [Said(found[1], "") for found in names if found]
    text = " ".join(line.strip() for line in lines)
    found = NAME.match(text)
    return [Said(found[1], text[found.end() :])] if found else [Said("", text)]
