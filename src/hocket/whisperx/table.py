"""Turns as whisperX has them, a table with a row a turn, and back."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from hocket.bridges import extra
from hocket.errors import ArgumentError, ConfigError
from hocket.result import Result
from hocket.transcript import Segment, as_result, of_segments
from hocket.turns import Turn

COLUMNS = ("segment", "label", "speaker", "start", "end")
READ = ("start", "end", "speaker")


@dataclass(frozen=True, order=True)
class Span:
    """A stretch of time, in seconds, with the attributes of a `pyannote.core.Segment`."""

    start: float
    end: float

    @property
    def duration(self) -> float:
        """Its length in seconds."""
        return self.end - self.start

    def __str__(self) -> str:
        return f"[{self.start:.3f} --> {self.end:.3f}]"


def table_of(turns: Sequence[Turn]) -> Any:
    """A `pandas.DataFrame` with the columns of whisperX; ExtraError if pandas is not installed.

    Labels are the numbers of the turns.
    """
    rows = [
        (Span(turn.start, turn.end), number, turn.speaker, turn.start, turn.end)
        for number, turn in enumerate(turns)
    ]
    return extra("pandas", "pandas").DataFrame(rows, columns=list(COLUMNS))


def result_of(turns: object) -> Result:
    """The turns of a table with the columns of whisperX, of an annotation, or of a result.

    Raises:
        ArgumentError: it is something else.
        ConfigError: a column is missing, or times cannot be right.
    """
    if isinstance(turns, Result):
        return turns
    if not hasattr(turns, "itertracks") and not hasattr(turns, "columns"):
        raise ArgumentError(
            f"diarize_df is of type {type(turns).__name__}; give the table that a "
            "DiarizationPipeline returns (the first of two values with return_embeddings=True), a "
            "hocket.Result or a pyannote.core.Annotation"
        )
    rows = _annotated(turns) if hasattr(turns, "itertracks") else _listed(turns)
    segments = [Segment(turn) for turn in _turns(rows)]
    transcript = of_segments("audio", segments)
    return as_result(transcript, transcript.duration)


def _annotated(annotation: Any) -> Iterator[tuple[Any, Any, Any]]:
    for segment, _, speaker in annotation.itertracks(yield_label=True):
        yield segment.start, segment.end, speaker


def _listed(table: Any) -> Iterator[tuple[Any, Any, Any]]:
    columns = [str(column) for column in table.columns]
    missing = [column for column in READ if column not in columns]
    if missing:
        found = ", ".join(columns) or "none"
        raise ConfigError(
            f"diarize_df has no column {' or '.join(missing)} (its columns: {found}); "
            "give the table that a DiarizationPipeline returns"
        )
    return zip(*(table[column] for column in READ), strict=True)


def _turns(rows: Iterable[tuple[Any, Any, Any]]) -> Iterator[Turn]:
    for number, (start, end, speaker) in enumerate(rows):
        if not 0 <= start <= end < float("inf"):  # so is nothing that is not a number
            raise ConfigError(
                f"diarize_df: row {number} starts at {start} and ends at {end}; "
                "give seconds, the start before the end"
            )
        yield Turn(float(start), float(end), str(speaker))
