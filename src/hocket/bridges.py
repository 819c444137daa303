"""Turns as the values of other libraries, which are optional."""

from collections.abc import Sequence
from importlib import import_module
from typing import Any

from hocket.errors import ExtraError
from hocket.turns import Turn


def extra(module: str, name: str) -> Any:
    """A module of an optional library; ExtraError if it is not installed.

    Args:
        module: its name.
        name: of the extra that installs it.
    """
    try:
        return import_module(module)
    except ImportError as error:
        remedy = f"run \"pip install 'hocket[{name}]'\""
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
