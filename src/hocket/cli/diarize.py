"""The command `hocket diarize`."""

import math
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click

from hocket.cli.display import only_confident, show_table
from hocket.cli.options import (
    backend_option,
    count_options,
    format_option,
    output_options,
    precision_option,
    preset_option,
    store_option,
    threads_option,
    threshold_option,
)
from hocket.cli.outcome import complain
from hocket.cli.outputs import Existing, Job, plan
from hocket.cli.parts import Part, part_options
from hocket.cli.recordings import diarize_one, for_each, sources
from hocket.cli.speakers import name_known, open_known
from hocket.clustering import CLUSTERERS
from hocket.config import ClusteringConfig, Config, GraphConfig, Runtime, SpeakerCount
from hocket.corrections.constraints import Constraint, read_constraints
from hocket.corrections.gathering import gather
from hocket.errors import one_line
from hocket.formats import FORMATS, written
from hocket.formats.files import write_content
from hocket.offline.diarizer import Diarizer
from hocket.transcript import transcript_of


@click.command(name="diarize")
@click.argument("files", nargs=-1, metavar="FILE...")
@click.option("--example", is_flag=True, help="Diarize a conversation that comes with hocket.")
@output_options
@format_option("rttm")
@count_options
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
    files = sources(files, example=example)
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

    def work(job: Job) -> bool:
        result = diarize_one(diarizer, job.source, None, part, numbers, constraints)
        result = replace(result, uri=job.uri)
        complete = not (strict and result.notices)
        if known:
            result = name_known(known, result, job.source, threshold)
        result = only_confident(result, min_confidence, job.source, complain)
        for name, place in job.places.items():
            write_content(place, written(transcript_of(result), name))
        if table:
            show_table(result, "example" if example else one_line(job.source), sys.stdout)
        elif not job.places:
            click.echo(FORMATS[shown].write(transcript_of(result)), nl=False)
        for place in job.places.values() if table else ():
            click.echo(f"wrote {place}")
        return complete

    return for_each(jobs, "hocket diarize -", work)


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


def _number(value: float | None) -> float | None:
    if value is not None and math.isnan(value):  # a FloatRange accepts it
        raise click.BadParameter("nan is not a probability; give 0 to 1")
    return value
