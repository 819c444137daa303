"""Options that several commands share."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from bench.corpus import Layout
from bench.errors import BenchError

Folder = click.Path(exists=True, file_okay=False, path_type=Path)
File = click.Path(dir_okay=False, path_type=Path)
FileOrFolder = click.Path(exists=True, path_type=Path)
Count = click.IntRange(min=1)
Command = Callable[..., None]


def corpus_options(command: Command) -> Command:
    """Add the folder and how its recordings are found; passed on as `folder` and `layout`."""

    @click.argument("folder", metavar="DIR", type=Folder)
    @click.option(
        "--references",
        type=FileOrFolder,
        help="Folder of RTTM files, or one file of many recordings. Matched by name.",
    )
    @click.option(
        "--regions",
        type=FileOrFolder,
        help="Folder of UEM files, or one file of many recordings. Matched by name.",
    )
    @click.option(
        "--audio",
        metavar="PATTERN",
        default="*",
        help="Pattern of audio file names, for corpora with several microphones, such as "
        "'*.Mix-Headset.wav'.",
    )
    @click.option(
        "--select",
        multiple=True,
        metavar="NAME",
        help="Only this recording, or those listed in a file, one name per line. Repeatable.",
    )
    @wraps(command)
    def with_layout(
        *,
        references: Path | None,
        regions: Path | None,
        audio: str,
        select: tuple[str, ...],
        **others: Any,
    ) -> None:
        command(layout=Layout(references, regions, audio, _names(select)), **others)

    return with_layout


def preset_option(command: Command) -> Command:
    """Add the preset of hocket; passed on as `preset`."""
    return click.option("--preset", metavar="NAME", help="Preset of hocket.")(command)


def output_options(command: Command) -> Command:
    """Add the results file and the name of the measurement."""
    command = click.option("--label", help="Name of this measurement. Default: the name of DIR.")(
        command
    )
    return click.option(
        "--output", type=File, help="Results file. Default: bench/results/COMMAND-LABEL.json."
    )(command)


def _names(select: tuple[str, ...]) -> tuple[str, ...]:
    """The names, with files of names read; BenchError if such a file holds none."""
    names: list[str] = []
    for value in select:
        path = Path(value)
        if not path.is_file():
            names.append(value)
            continue
        lines = path.read_text(encoding="utf-8").splitlines()
        found = [line.strip() for line in lines if line.strip()]
        if not found:
            raise BenchError(f"{path}: found no name; write one per line, or omit --select")
        names += found
    return tuple(names)
