"""Transcripts in files: which format a file has, reading and writing."""

import json
from collections.abc import Sequence
from pathlib import Path

from hocket.errors import FormatError
from hocket.files import write_whole
from hocket.formats import FORMATS, Written, kaldi, written
from hocket.transcript import Transcript

READABLE = (*(name for name, each in FORMATS.items() if each.read), "kaldi")
LARGEST_BYTES = 1 << 28


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
    chosen = format_name or _sniffed(text, format_of(place))
    read = FORMATS[chosen].read if chosen else None
    if chosen is None or read is None:
        known = ", ".join(READABLE)
        raise FormatError(f"{place}: no format that can be read; give one with --from: {known}")
    stem = place.name.removesuffix(f".{FORMATS[chosen].suffix}")
    try:
        return read(text, stem if stem != place.name else place.stem)
    except FormatError as error:
        raise FormatError(f"{place.parent / ''}{error}") from error


def _text(place: Path) -> str:
    try:
        if place.stat().st_size > LARGEST_BYTES:
            raise FormatError(f"{place}: is larger than {LARGEST_BYTES >> 20} MiB; divide it")
        return place.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FormatError(f"{place}: is not UTF-8; convert it") from error
    except OSError as error:
        raise FormatError(f"{place}: cannot be read ({error.strerror}); check the path") from error


def _sniffed(text: str, by_suffix: str | None) -> str | None:
    """The format by content, where a suffix stands for several."""
    if by_suffix == "txt":
        return "audacity"
    if by_suffix not in ("json", "jsonl"):
        return by_suffix
    try:
        first = json.loads(text if by_suffix == "json" else text.lstrip().split("\n", 1)[0])
    except ValueError:
        return by_suffix
    if isinstance(first, list):
        return "labelstudio" if first and "data" in first[0] else "seglst"
    return "lhotse" if isinstance(first, dict) and "recording_id" in first else by_suffix


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
    if isinstance(content, str):
        write_whole(place, content)
        return
    for name, text in content.items():
        write_whole(place / name, text)
