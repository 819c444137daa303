"""WebVTT subtitles: the speaker as the voice of a cue."""

import html
import re

from hocket.errors import one_line
from hocket.formats.cues import Cue, cues_of
from hocket.formats.subtitles import Said, clock, read_cues
from hocket.transcript import Transcript

HEADER = "WEBVTT\n"
VOICE = re.compile(r"<v(?:\.[^\s>]*)?\s+([^>]*)>")
TAG = re.compile(r"</?[^>]*>")


def header(_has_text: bool) -> str:
    """The first line of a file."""
    return HEADER


def write(transcript: Transcript) -> str:
    """Cues, each behind an empty line."""
    return "".join(
        f"\n{clock(cue.start)} --> {clock(cue.end)}\n{_body(cue)}\n" for cue in cues_of(transcript)
    )


def _body(cue: Cue) -> str:
    names = [html.escape(one_line(speaker), quote=False) for speaker in cue.speakers]
    if not cue.lines:
        return "\n".join(f"<v {name}>{name}</v>" for name in names)
    text = html.escape("\n".join(cue.lines), quote=False)
    return f"<v {names[0]}>{text}</v>" if names[0] else text


def read(text: str, name: str) -> list[Transcript]:
    """One recording, named as the file.

    Raises:
        FormatError: the times of a cue cannot be read.
    """
    return read_cues(text, name, _parse)


def _parse(lines: list[str]) -> list[Said]:
    body = "\n".join(lines)
    voices = [*VOICE.finditer(body)]
    if not voices:
        return [Said("", _plain(body))]
    ends = [voice.start() for voice in voices[1:]] + [len(body)]
    parts = [
        Said(html.unescape(voice[1]), _plain(body[voice.end() : end]))
        for voice, end in zip(voices, ends, strict=True)
    ]
    # where only names are known, they are the text
    return [Said(each.speaker, "" if each.text == each.speaker else each.text) for each in parts]


def _plain(text: str) -> str:
    return " ".join(html.unescape(TAG.sub("", text)).split())
