"""Tables of turns for spreadsheets: commas or tabs between the columns."""

import csv
import io
from collections.abc import Iterator

from hocket.errors import FormatError, one_line
from hocket.formats.reading import span_of
from hocket.transcript import Segment, Transcript, of_segments
from hocket.turns import Turn, milliseconds_as_seconds

COLUMNS = ("recording", "start", "end", "speaker")
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""Beginnings of a cell that spreadsheets compute."""


def csv_header(has_text: bool) -> str:
    """The names of the columns."""
    return _rows([_columns(has_text)], ",")


def tsv_header(has_text: bool) -> str:
    """The names of the columns."""
    return _rows([_columns(has_text)], "\t")


def write_csv(transcript: Transcript) -> str:
    """A row a segment."""
    return _rows(_cells(transcript), ",")


def write_tsv(transcript: Transcript) -> str:
    """A row a segment."""
    return _rows(_cells(transcript), "\t")


def _columns(has_text: bool) -> tuple[str, ...]:
    return (*COLUMNS, "text") if has_text else COLUMNS


def _cells(transcript: Transcript) -> Iterator[tuple[str, ...]]:
    has_text = transcript.has_text
    for start, end, segment in transcript.timed():
        times = milliseconds_as_seconds(start), milliseconds_as_seconds(end)
        cells = _inert(transcript.uri), *times, _inert(segment.turn.speaker)
        yield (*cells, _inert(segment.text)) if has_text else cells


def _rows(rows: Iterator[tuple[str, ...]] | list[tuple[str, ...]], delimiter: str) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n", delimiter=delimiter).writerows(rows)
    return buffer.getvalue()


def _inert(text: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    shown = one_line(text)
    return f"'{shown}" if shown.startswith(FORMULA) else shown


def read_csv(text: str, name: str) -> list[Transcript]:
    """A transcript for each recording; errors as in `read_table`."""
    return read_table(text, name, ",")


def read_tsv(text: str, name: str) -> list[Transcript]:
    """A transcript for each recording; errors as in `read_table`."""
    return read_table(text, name, "\t")


def read_table(text: str, name: str, delimiter: str) -> list[Transcript]:
    """A transcript for each recording, from columns in any order.

    Raises:
        FormatError: a column is missing, or a row cannot be read.
    """
    rows = csv.reader(io.StringIO(text.removeprefix("\ufeff")), delimiter=delimiter)
    found: dict[str, list[Segment]] = {}
    try:
        header = [cell.strip().lower() for cell in next(rows, [])]
        if not {"start", "end", "speaker"} <= {*header}:
            raise FormatError(f"{name}:1: give the columns start, end and speaker")
        for row in rows:
            cells = dict(zip(header, row, strict=False))
            if not any(row):
                continue
            start, end = span_of(
                cells.get("start", ""), cells.get("end", ""), f"{name}:{rows.line_num}"
            )
            turn = Turn(start, end, _cell(cells, "speaker"))
            recording = _cell(cells, "recording") or name
            found.setdefault(recording, []).append(Segment(turn, _cell(cells, "text")))
    except csv.Error as error:
        raise FormatError(f"{name}:{rows.line_num}: {error}; give a row a turn") from error
    return [of_segments(uri, segments) for uri, segments in found.items()]


def _cell(cells: dict[str, str], column: str) -> str:
    text = cells.get(column, "")
    return text[1:] if text[:1] == "'" and text[1:].startswith(FORMULA) else text
