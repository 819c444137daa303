"""Results as JSON files and as plain text tables."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from bench.environment import describe
from bench.errors import BenchError

RESULTS = Path(__file__).resolve().parent / "results"

Progress = Callable[[str], None]
"""Receives a line about what is done next."""


def write_results(path: Path, results: Mapping[str, object]) -> None:
    """Write results so that equal results are equal bytes. Missing folders are created."""
    text = json.dumps(results, sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise BenchError(f"{path}: cannot be written ({error.strerror})") from error


def save_results(
    command: str,
    label: str,
    results: Mapping[str, object],
    output: Path | None,
    /,
    **about: object,
) -> None:
    """Write the results of a command below a header with `about` and the environment.

    Args:
        command: name of the command.
        label: name of the measurement.
        results: to write.
        output: the file; None: bench/results/COMMAND-LABEL.json.
        about: further fields of the header.
    """
    path = output or RESULTS / f"{command}-{label}.json"
    write_results(path, {"command": command, "environment": describe(), **about, **results})
    click.echo(f"written to {path}", err=True)


def label_of(label: str | None, folder: Path) -> str:
    """A label that may be part of a file name; None: the name of the folder, made so."""
    if label is None:
        return re.sub(r"[^\w.-]+", "-", folder.resolve().name) or "corpus"
    if not re.fullmatch(r"[\w.-]+", label):
        raise click.BadParameter(f"found '{label}'; use letters, digits, '.', '_' and '-'")
    return label


def read_results(path: Path) -> dict[str, Any]:
    """Read results that were written; BenchError if they cannot be read."""
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BenchError(f"{path.name}: not usable ({error}); measure it again") from error
    return content


def progress(text: str) -> None:
    """Print progress on standard error, apart from the results."""
    click.echo(text, err=True)


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Aligned columns, the first to the left, the others to the right."""
    lines = [header, *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(_line(line, widths) for line in lines)


def number(value: float | None, digits: int = 1) -> str:
    """A number for a table; '-' for None."""
    return "-" if value is None else f"{value:.{digits}f}"


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = zip(cells, widths, strict=True)
    return "  ".join([first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)])
