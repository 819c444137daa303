"""Formats of turns and transcripts. A new format is one file and one line in FORMATS."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, TypeAlias

from hocket.bridges import extra
from hocket.formats import (
    audacity,
    ctm,
    docx,
    eaf,
    json_document,
    json_rows,
    kaldi,
    lab,
    label_studio,
    markdown,
    plain,
    rttm,
    services,
    srt,
    table,
    textgrid,
    vosk,
    vtt,
    whisper,
    whisper_cpp,
)
from hocket.transcript import Transcript

Written: TypeAlias = str | bytes | Mapping[str, str]
"""A file, or the files of a folder by name."""
Read: TypeAlias = Callable[[str, str], list[Transcript]]
"""Transcripts from a file's text and its name."""


def _no_header(_has_text: bool) -> str:
    return ""


class Format(NamedTuple):
    """A format.

    suffix: of its files.
    write: a transcript as text, or as files of a folder.
    read: None if it cannot be read.
    header: beginning of a file or stream, before any transcript.
    joinable: whether several transcripts may follow each other in one stream.
    streamable: whether it can go to standard output.
    library: that writes it, if it is not hocket; the extra has the name of the format.
    """

    suffix: str
    write: Callable[[Transcript], Written]
    read: Read | None
    header: Callable[[bool], str] = _no_header
    joinable: bool = True
    streamable: bool = True
    library: str = ""


FORMATS: Mapping[str, Format] = {
    "rttm": Format("rttm", rttm.write, rttm.read),
    "json": Format("json", json_document.write, json_document.read),
    "jsonl": Format("jsonl", json_rows.write_lines, json_rows.read_lines),
    "txt": Format("txt", plain.write, None),
    "srt": Format("srt", srt.write, srt.read, joinable=False),
    "vtt": Format("vtt", vtt.write, vtt.read, vtt.header, joinable=False),
    "csv": Format("csv", table.write_csv, table.read_csv, table.csv_header),
    "tsv": Format("tsv", table.write_tsv, table.read_tsv, table.tsv_header),
    "textgrid": Format("TextGrid", textgrid.write, textgrid.read, joinable=False),
    "eaf": Format("eaf", eaf.write, eaf.read, joinable=False),
    "audacity": Format("labels.txt", audacity.write, audacity.read, joinable=False),
    "lab": Format("lab", lab.write, lab.read, joinable=False),
    "kaldi": Format("kaldi", kaldi.write, None, joinable=False, streamable=False),
    "lhotse": Format("supervisions.jsonl", json_rows.write_lhotse, json_rows.read_lhotse),
    "seglst": Format("seglst.json", json_rows.write_seglst, json_rows.read_seglst, joinable=False),
    "labelstudio": Format(
        "labelstudio.json", label_studio.write, label_studio.read, joinable=False
    ),
    "md": Format("md", markdown.write, None),
    "docx": Format("docx", docx.write, None, joinable=False, streamable=False, library="docx"),
    "whisperx": Format("whisperx.json", whisper.write_whisperx, None, joinable=False),
    "diarized_json": Format("diarized.json", whisper.write_diarized_json, None, joinable=False),
}
"""Formats that are written, by name."""


class Shape(NamedTuple):
    """What a recognizer writes.

    title: as people call it.
    read: transcripts without speakers.
    matches: whether JSON is of this shape; None if it is no JSON.
    """

    title: str
    read: Read
    matches: Callable[[Any], bool] | None = None


RECOGNIZED: Mapping[str, Shape] = {
    "whisper": Shape("Whisper, faster-whisper, whisperX or OpenAI", whisper.read, whisper.matches),
    "whisper.cpp": Shape("whisper.cpp", whisper_cpp.read, whisper_cpp.matches),
    "vosk": Shape("Vosk", vosk.read, vosk.matches),
    "deepgram": Shape("Deepgram", services.read_deepgram, services.matches_deepgram),
    "aws": Shape("Amazon Transcribe", services.read_aws, services.matches_aws),
    "assemblyai": Shape("AssemblyAI", services.read_assemblyai, services.matches_assemblyai),
    "ctm": Shape("CTM", ctm.read),
}
"""What is read of recognizers, by name."""


def check_installed(names: Iterable[str]) -> None:
    """Raise ExtraError unless the libraries that write formats are installed."""
    for name in names:
        if FORMATS[name].library:
            extra(FORMATS[name].library, name)


def written(transcript: Transcript, format_name: str) -> Written:
    """A transcript as a whole file, or the files of a folder, in one of FORMATS."""
    found = FORMATS[format_name]
    content = found.write(transcript)
    return found.header(transcript.has_text) + content if isinstance(content, str) else content
