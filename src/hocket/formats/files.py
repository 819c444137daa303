"""Transcripts in files: which format a file has, reading and writing."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hocket.errors import FormatError
from hocket.files import write_whole
from hocket.formats import FORMATS, RECOGNIZED, Read, Written, kaldi, written
from hocket.transcript import Transcript

READERS: Mapping[str, Read] = {
    **{name: each.read for name, each in FORMATS.items() if each.read},
    **{name: each.read for name, each in RECOGNIZED.items()},
}
READABLE = (*READERS, "kaldi")
LARGEST_BYTES = 1 << 28
MARKS = (
    *(("json", "turns"), ("json", "uri"), ("lhotse", "recording_id")),
    *(("seglst", "session_id"), ("labelstudio", "data")),
)
"""Formats of JSON, and a field that only they have."""


def format_of(place: Path) -> str | None:
    """The format with the longest suffix that a file name ends with; None if there is none."""
    name = place.name.lower()
    found = [each for each in FORMATS if name.endswith(f".{FORMATS[each].suffix.lower()}")]
    return max(found, key=lambda each: len(FORMATS[each].suffix), default=None)


def holds_turns(place: Path) -> bool:
    """Whether a name is that of turns or a transcript; everything else may be a recording."""
    return place.is_dir() or format_of(place) is not None


def read_transcripts(place: Path, format_name: str | None = None) -> list[Transcript]:
    """The transcripts in a file, or in a data directory of Kaldi.

    Args:
        place: of the file or directory.
        format_name: one of READABLE. Default: by the suffix, and for JSON by the content.

    Raises:
        FormatError: it cannot be read.
    """
    if place.is_dir():
        names = ("segments", "utt2spk", "text")
        files = {name: _text(place / name) for name in names if (place / name).is_file()}
        return kaldi.read(files, str(place))
    text = _text(place)
    chosen = format_name or _sniffed(text, place)
    suffix = f".{FORMATS[chosen].suffix}" if chosen in FORMATS else place.suffix
    name = place.name.removesuffix(suffix) if place.name.endswith(suffix) else place.stem
    try:
        return READERS[chosen](text, name)
    except FormatError as error:  # which begins with the name
        raise FormatError(f"{place}{str(error).removeprefix(name)}") from error


def _text(place: Path) -> str:
    try:
        if place.stat().st_size > LARGEST_BYTES:
            raise FormatError(f"{place}: is larger than {LARGEST_BYTES >> 20} MiB; divide it")
        return place.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FormatError(f"{place}: is not UTF-8; convert it") from error
    except OSError as error:
        raise FormatError(f"{place}: cannot be read ({error.strerror}); check the path") from error


def _sniffed(text: str, place: Path) -> str:
    """The format by suffix, and by content where a suffix stands for several."""
    suffix = place.suffix.lower()
    if suffix == ".txt":
        return "audacity"
    if suffix == ".ctm":
        return "ctm"
    if suffix in (".json", ".jsonl"):
        return _shape(text, place, "json" if suffix == ".json" else "jsonl")
    found = format_of(place)
    if found is None or found not in READERS:
        known = ", ".join(READABLE)
        raise FormatError(f"{place}: no format that can be read; give one with --from: {known}")
    return found


def _shape(text: str, place: Path, usual: str) -> str:
    """The format of JSON; that of the suffix where its reader reports best what is wrong."""
    first = _first_value(text)
    if first is None or first == []:
        return usual
    row = first[0] if isinstance(first, list) else first
    keys = row.keys() if isinstance(row, dict) else frozenset()
    own = [name for name, mark in MARKS if mark in keys]
    if own:
        return own[0]
    for name, shape in RECOGNIZED.items():
        if shape.matches and shape.matches(first):
            return name
    if usual == "jsonl" and "speaker" in keys:
        return usual
    known = ", ".join(shape.title for shape in RECOGNIZED.values() if shape.matches)
    raise FormatError(f"{place}: JSON of no known shape; known are hocket, lhotse, SegLST, {known}")


def _first_value(text: str) -> Any:
    """The first JSON value of a text; None if there is none."""
    try:
        return json.JSONDecoder().raw_decode(text.lstrip())[0]
    except (ValueError, RecursionError):
        return None


def write_transcripts(transcripts: Sequence[Transcript], place: Path, format_name: str) -> None:
    """Write several transcripts into one file, or the files of one into a folder.

    Raises:
        OutputError: a file cannot be written.
    """
    whole = [written(transcript, format_name) for transcript in transcripts]
    head, *others = whole or [""]
    if isinstance(head, str):
        bodies = [FORMATS[format_name].write(transcript) for transcript in transcripts[1:]]
        write_whole(place, head + "".join(map(str, bodies)) if others else head)
    else:
        write_content(place, head)


def write_content(place: Path, content: Written) -> None:
    """Write what `written` returned; OutputError if it cannot be written."""
    if isinstance(content, str | bytes):
        write_whole(place, content)
        return
    for name, text in content.items():
        write_whole(place / name, text)
