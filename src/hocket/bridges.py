"""Turns as the values of other libraries, which are optional."""

from collections.abc import Sequence
from importlib import import_module
from typing import Any

from hocket.errors import ExtraError
from hocket.turns import Turn, in_milliseconds


def extra(module: str, name: str) -> Any:
    """A module of an optional library; ExtraError if it is not installed.

    Args:
        module: its name.
        name: of the extra that installs it.
    """
    return library(module, f"'hocket[{name}]'")


def library(module: str, requirement: str) -> Any:
    """A module of a library that no extra installs; ExtraError if it is not installed.

    Args:
        module: its name.
        requirement: what pip installs it by.
    """
    try:
        return import_module(module)
    except ImportError as error:
        remedy = f'run "pip install {requirement}"'
        raise ExtraError(f"{module} is not installed ({error}); {remedy}") from error


def annotation_of(uri: str, turns: Sequence[Turn]) -> Any:
    """A `pyannote.core.Annotation`, whose tracks are the numbers of the turns."""
    core = extra("pyannote.core", "pyannote")
    annotation = core.Annotation(uri=uri)
    for number, turn in enumerate(turns):
        annotation[core.Segment(turn.start, turn.end), number] = turn.speaker
    return annotation


def table_of(turns: Sequence[Turn]) -> Any:
    """A `pandas.DataFrame` with a row a turn."""
    pandas = extra("pandas", "pandas")
    columns = ("start", "end", "duration", "speaker", "confidence", "channel")
    rows = [tuple(getattr(turn, name) for name in columns) for turn in turns]
    return pandas.DataFrame(rows, columns=list(columns))


def supervisions_of(uri: str, turns: Sequence[Turn], duration: float) -> Any:
    """A `lhotse.SupervisionSet` with what the format `lhotse` writes of turns.

    Args:
        uri: name of the recording.
        turns: in order of time.
        duration: of the recording in seconds.
    """
    lhotse = library("lhotse", "lhotse")
    return lhotse.SupervisionSet.from_segments(
        lhotse.SupervisionSegment(
            id=f"{uri}-{number}",
            recording_id=uri,
            start=start / 1000,
            duration=(end - start) / 1000,
            channel=(turn.channel or 1) - 1,
            speaker=turn.speaker,
        )
        for number, (start, end, turn) in enumerate(in_milliseconds(turns, duration))
    )
