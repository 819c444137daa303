"""The command that writes who spoke when: hocket diarize."""

import math
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePath

import click

from hocket.backends import BACKENDS, PRECISIONS
from hocket.cli.display import only_sure, progress_bar, show_table
from hocket.cli.outcome import FAILED, complain
from hocket.cli.speakers import name_known, open_known, store_option
from hocket.clustering import CLUSTERERS
from hocket.config import PRESETS, ClusteringConfig, Config, GraphConfig, Runtime, SpeakerCount
from hocket.corrections.constraints import Constraint, gather, read_constraints
from hocket.errors import AudioError, HocketError, OutputError, StoreError, one_line
from hocket.files import distinct_paths, write_whole
from hocket.formats.writers import WRITERS, document
from hocket.offline.diarizer import Diarizer
from hocket.result import Result

STDIN = "-"


@click.command(name="diarize")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option(
    *("-o", "--output"),
    type=click.Path(),  # not yet a Path, which would forget that it ends with a slash
    help="A file for one recording; a directory, made if need be, for several.",
)
@click.option(
    *("--format", "format_name"),
    type=click.Choice(tuple(WRITERS)),
    help="Default: what the suffix of -o says, else rttm.",
)
@click.option("--num-speakers", type=int, help="Exact number of speakers, if known.")
@click.option("--min-speakers", type=int, help="Fewest speakers to find.")
@click.option("--max-speakers", type=int, help="Most speakers to find.")
@click.option(
    *("--constraints", "constraints_file"),
    metavar="FILE",
    help="What you know of who speaks where, as JSON; docs/corrections.md. For one recording.",
)
@click.option(
    "--preset",
    type=click.Choice(tuple(PRESETS)),
    default="balanced",
    show_default=True,
    help="What to spend: accurate takes three times as long as balanced, fast two thirds.",
)
@click.option(
    "--embedding",
    help="Embedding model; 'hocket models list' shows them. Default: the preset's.",
)
@click.option(
    "--precision",
    type=click.Choice(PRECISIONS),
    help="Default: the preset's. auto rounds where this processor is quicker for it.",
)
@click.option(
    "--backend",
    type=click.Choice(BACKENDS),
    default=GraphConfig.backend,
    show_default=True,
    help="What runs the graphs; 'hocket backends' shows what is installed.",
)
@click.option(
    "--clustering",
    type=click.Choice(tuple(CLUSTERERS)),
    default=ClusteringConfig.method,
    show_default=True,
    help="How voices are grouped; vbx needs --plda.",
)
@click.option("--plda", metavar="FILE", help="A trained PLDA: an .npz file, or a folder of two.")
@store_option(required=False)
@click.option("--threads", type=int, help="Processor cores to use. Default: all.")
@click.option("--table/--no-table", default=None, help="Default: a table on a terminal.")
@click.option(
    "--min-confidence",
    type=click.FloatRange(0, 1),
    callback=lambda _context, _option, value: _number(value),
    metavar="P",
    help="Leave out turns that are right with a probability below P, 0 to 1; says how much.",
)
def diarize_command(
    files: tuple[str, ...],
    output: str | None,
    format_name: str | None,
    constraints_file: str | None,
    preset: str,
    embedding: str | None,
    precision: str | None,
    backend: str,
    clustering: str,
    plda: str | None,
    store: Path | None,
    threads: int | None,
    table: bool | None,
    min_confidence: float | None,
    **numbers: int | None,
) -> int:
    """Write who spoke when in every FILE; - reads one recording from standard input."""
    count = SpeakerCount.of(**numbers)  # what is wrong for all recordings is said once
    constraints = _constraints(files, constraints_file, count)
    if table is None:  # who names a format and no file wants to see that format
        table = sys.stdout.isatty() and (format_name is None or output is not None)
    format_name, places = _destinations(files, output, format_name)
    chosen = Config.preset(preset)
    graphs = GraphConfig(
        embedding or chosen.graphs.embedding, precision or chosen.graphs.precision, backend
    )
    config = replace(
        chosen, graphs=graphs, clustering=ClusteringConfig(method=clustering, plda=plda)
    )
    diarizer = Diarizer(config, Runtime(threads=threads)).load()
    known = open_known(store, diarizer.embedding_model)
    if output is None and not table:
        click.echo(WRITERS[format_name].header, nl=False)
    failed = 0
    for source, place in zip(files, places, strict=True):
        try:
            result = _diarize_one(diarizer, source, numbers, constraints)
            if known:
                result = name_known(known, result, source)
            result = only_sure(result, min_confidence, source, complain)
            if place is not None:
                write_whole(place, document(result, format_name))
        except (HocketError, MemoryError) as error:
            failed += 1
            problem = str(error) or "not enough memory; cut the recording into parts"
            named = isinstance(error, AudioError | OutputError | StoreError)
            complain(problem if named else f"{source}: {problem}")
            continue
        if table:
            show_table(result, one_line(source), sys.stdout)
        elif place is None:
            click.echo(WRITERS[format_name].write(result), nl=False)
        if table and place is not None:
            click.echo(f"wrote {place}")
    return FAILED if failed else 0


def _constraints(
    files: Sequence[str], place: str | None, count: SpeakerCount
) -> tuple[Constraint, ...]:
    """What the file of constraints holds; ConfigError, before any inference, if that cannot be."""
    if place is None:
        return ()
    if len(files) > 1:
        raise click.UsageError("constraints hold for one recording; give one FILE")
    constraints = read_constraints(place)
    gather(constraints).check(count)
    return constraints


def _destinations(
    files: Sequence[str], output: str | None, format_name: str | None
) -> tuple[str, list[Path | None]]:
    """The format, and where each recording's result goes; None is standard output."""
    if list(files).count(STDIN) > 1:
        raise click.UsageError("standard input holds one recording; give - once")
    several = len(files) > 1
    if output is None:
        format_name = format_name or "rttm"
        if several and not WRITERS[format_name].joinable:
            raise click.UsageError(f"{format_name} holds one recording; give -o DIRECTORY")
        return format_name, [None] * len(files)
    place = Path(output)
    if several or place.is_dir() or output.endswith(("/", os.sep)):
        if place.exists() and not place.is_dir():
            raise click.UsageError(f"{output} is a file; several recordings need -o DIRECTORY")
        format_name = format_name or "rttm"
        return format_name, [*distinct_paths(place, [*map(_stem, files)], f".{format_name}")]
    recording = Path(files[0])
    if place.exists() and recording.exists() and place.samefile(recording):
        raise click.UsageError(f"{output} is the recording itself; give -o another name")
    return format_name or _format_of(place), [place]


def _format_of(output: Path) -> str:
    suffix = output.suffix.lower().removeprefix(".")
    if suffix and suffix not in WRITERS:
        known = ", ".join(WRITERS)
        raise click.UsageError(f"{output}: no format is called '{suffix}'; give --format: {known}")
    return suffix or "rttm"


def _stem(source: str) -> str:
    return "stdin" if source == STDIN else PurePath(source).stem or "audio"


def _diarize_one(
    diarizer: Diarizer,
    source: str,
    numbers: Mapping[str, int | None],
    constraints: Sequence[Constraint],
) -> Result:
    with progress_bar(one_line(source), sys.stderr) as progress:
        return diarizer(
            sys.stdin.buffer if source == STDIN else source,
            name="stdin" if source == STDIN else None,
            num_speakers=numbers["num_speakers"],
            min_speakers=numbers["min_speakers"],
            max_speakers=numbers["max_speakers"],
            constraints=constraints,
            progress=progress,
        )


def _number(value: float | None) -> float | None:
    if value is not None and math.isnan(value):  # which a FloatRange lets pass
        raise click.BadParameter("nan is no probability; give 0 to 1")
    return value
