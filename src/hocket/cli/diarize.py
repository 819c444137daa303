"""The command `hocket diarize`."""

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib import resources
from pathlib import Path

import click

from hocket.cli.display import only_confident, progress_bar, show_table
from hocket.cli.options import (
    STDIN,
    backend_option,
    check_source,
    format_option,
    precision_option,
    preset_option,
    store_option,
    threads_option,
    threshold_option,
)
from hocket.cli.outcome import FAILED, complain
from hocket.cli.outputs import Existing, plan
from hocket.cli.parts import Part, part_options
from hocket.cli.speakers import name_known, open_known
from hocket.clustering import CLUSTERERS
from hocket.config import ClusteringConfig, Config, GraphConfig, Runtime, SpeakerCount
from hocket.corrections.constraints import Constraint, gather, read_constraints
from hocket.errors import AudioError, HocketError, OutputError, StoreError, one_line
from hocket.formats import FORMATS, written
from hocket.formats.files import write_content
from hocket.offline.diarizer import Diarizer
from hocket.result import Result
from hocket.transcript import transcript_of


@click.command(name="diarize")
@click.argument("files", nargs=-1, metavar="FILE...")
@click.option("--example", is_flag=True, help="Diarize a conversation that comes with hocket.")
@click.option(
    *("-o", "--output"),
    type=click.Path(),  # not yet a Path, which would drop a slash at its end
    help="A file for one recording; a folder, made if need be, for several.",
)
@click.option("--overwrite", is_flag=True, help="Replace results that exist.")
@click.option("--skip-existing", is_flag=True, help="Leave out recordings whose results exist.")
@format_option
@click.option("--num-speakers", type=int, help="Exact number of speakers, if known.")
@click.option("--min-speakers", type=int, help="Fewest speakers to find.")
@click.option("--max-speakers", type=int, help="Most speakers to find.")
@click.option(
    *("--constraints", "constraints_file"),
    metavar="FILE",
    help="What you know of who speaks where, as JSON; docs/corrections.md. For one recording.",
)
@part_options
@click.option("--strict", is_flag=True, help="Exit with 1 if anything was lost or guessed.")
@preset_option
@click.option(
    "--embedding",
    help="Embedding model; 'hocket models list' shows them. Default: the preset's.",
)
@precision_option(
    None, "Default: the preset's. auto rounds where that is faster on this processor."
)
@backend_option
@click.option(
    "--clustering",
    type=click.Choice(tuple(CLUSTERERS)),
    default=ClusteringConfig.method,
    show_default=True,
    help="Clustering method; vbx needs --plda.",
)
@click.option("--plda", metavar="FILE", help="A trained PLDA: an .npz file, or a folder of two.")
@store_option(required=False)
@threshold_option
@threads_option
@click.option("--table/--no-table", default=None, help="Default: a table on a terminal.")
@click.option(
    "--min-confidence",
    type=click.FloatRange(0, 1),
    callback=lambda _context, _option, value: _number(value),
    metavar="P",
    help="Leave out turns with a confidence below P, 0 to 1, and report how much speech that is.",
)
def diarize_command(
    files: tuple[str, ...],
    example: bool,
    output: str | None,
    overwrite: bool,
    skip_existing: bool,
    formats: Sequence[str],
    constraints_file: str | None,
    part: Part,
    strict: bool,
    preset: str,
    embedding: str | None,
    precision: str | None,
    backend: str,
    clustering: str,
    plda: str | None,
    store: Path | None,
    threshold: float | None,
    threads: int | None,
    table: bool | None,
    min_confidence: float | None,
    **numbers: int | None,
) -> int:
    """Diarize each FILE; - reads one recording from standard input."""
    files = _sources(files, example=example)
    count = SpeakerCount.of(**numbers)  # what is wrong for all recordings is reported once
    constraints = _constraints(files, constraints_file, count)
    if table is None:  # a format without a file is meant for standard output
        table = sys.stdout.isatty() and (not formats or output is not None)
    shown, jobs = plan(files, output, formats, Existing(overwrite, skip_existing))
    config = _config(preset, embedding, precision, backend, clustering, plda)
    diarizer = Diarizer(config, Runtime(threads=threads)).load()
    known = open_known(store, diarizer.embedding_model)
    if output is None and not table:
        click.echo(FORMATS[shown].header(False), nl=False)
    failed = 0
    for source, places, uri in jobs:
        try:
            result = _diarize_one(diarizer, source, part, numbers, constraints)
            result = replace(result, uri=uri)
            failed += int(strict and bool(result.notices))
            if known:
                result = name_known(known, result, source, threshold)
            result = only_confident(result, min_confidence, source, complain)
            for name, place in places.items():
                write_content(place, written(transcript_of(result), name))
        except (HocketError, MemoryError) as error:
            failed += 1
            problem = str(error) or "not enough memory; cut the recording into parts"
            named = isinstance(error, AudioError | OutputError | StoreError)
            complain(problem if named else f"{source}: {problem}")
            continue
        if table:
            show_table(result, "example" if example else one_line(source), sys.stdout)
        elif not places:
            click.echo(FORMATS[shown].write(transcript_of(result)), nl=False)
        for place in places.values() if table else ():
            click.echo(f"wrote {place}")
    return FAILED if failed else 0


def _sources(files: tuple[str, ...], *, example: bool) -> tuple[str, ...]:
    if example == bool(files):
        raise click.UsageError("give FILE..., or --example alone")
    return files or (str(resources.files("hocket") / "example" / "conversation.flac"),)


def _config(
    preset: str,
    embedding: str | None,
    precision: str | None,
    backend: str,
    clustering: str,
    plda: str | None,
) -> Config:
    """The preset, with what was given in place of its own settings."""
    chosen = Config.preset(preset)
    graphs = GraphConfig(
        embedding or chosen.graphs.embedding, precision or chosen.graphs.precision, backend
    )
    method = ClusteringConfig(method=clustering, plda=plda)
    return replace(chosen, graphs=graphs, clustering=method)


def _constraints(
    files: Sequence[str], place: str | None, count: SpeakerCount
) -> tuple[Constraint, ...]:
    """The constraints of a file; ConfigError, before any inference, if they cannot hold."""
    if place is None:
        return ()
    if len(files) > 1:
        raise click.UsageError("--constraints is for one recording; give one FILE")
    constraints = read_constraints(place)
    gather(constraints).check(count)
    return constraints


def _diarize_one(
    diarizer: Diarizer,
    source: str,
    part: Part,
    numbers: Mapping[str, int | None],
    constraints: Sequence[Constraint],
) -> Result:
    check_source(source, "hocket diarize -")
    with progress_bar(one_line(source), sys.stderr) as progress:
        return diarizer(
            sys.stdin.buffer if source == STDIN else source,
            name="stdin" if source == STDIN else None,
            num_speakers=numbers["num_speakers"],
            min_speakers=numbers["min_speakers"],
            max_speakers=numbers["max_speakers"],
            constraints=constraints,
            **part._asdict(),
            progress=progress,
        )


def _number(value: float | None) -> float | None:
    if value is not None and math.isnan(value):  # a FloatRange accepts it
        raise click.BadParameter("nan is not a probability; give 0 to 1")
    return value
