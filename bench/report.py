"""Results as JSON files and as plain text tables."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from bench.errors import BenchError

RESULTS = Path(__file__).resolve().parent / "results"


def write_results(path: Path, results: Mapping[str, object]) -> None:
    """Write `results` so that equal results are equal bytes; folders are made as needed."""
    text = json.dumps(results, sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise BenchError(f"{path}: cannot be written ({error.strerror})") from error


def read_results(path: Path) -> dict[str, Any]:
    """Results as they were written; BenchError if they cannot be read."""
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BenchError(f"{path.name}: not usable ({error}); measure it again") from error
    return content


def progress(text: str) -> None:
    """Say how far it has come, beside what is measured."""
    click.echo(text, err=True)


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Aligned columns, the first to the left, the others to the right."""
    lines = [header, *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(_line(line, widths) for line in lines)


def number(value: float | None, digits: int = 1) -> str:
    """A number for a table, '-' where there is none."""
    return "-" if value is None else f"{value:.{digits}f}"


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = zip(cells, widths, strict=True)
    return "  ".join([first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)])
