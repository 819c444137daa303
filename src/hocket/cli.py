"""The command line: parse, call, write. The only file that decides what is printed."""

import logging
import math
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path, PurePath
from typing import cast

import click

from hocket import models
from hocket.backends import BACKENDS, PRECISIONS, Choice, missing, this_processor
from hocket.cli_review import review_command
from hocket.cli_speakers import name_known, open_known, speakers_group, store_option
from hocket.cli_stream import stream_command
from hocket.clustering import CLUSTERERS
from hocket.config import PRESETS, ClusterConfig, Config, GraphConfig, Runtime, SpeakerCount
from hocket.constraints import Constraint, gather, read_constraints
from hocket.display import only_sure, progress_bar, show_table
from hocket.errors import (
    AudioError,
    ConfigError,
    HocketError,
    OutputError,
    SpeakerError,
    StoreError,
    one_line,
)
from hocket.models.export import TARGETS, export
from hocket.outputs import distinct_paths, write_whole
from hocket.pipeline import Diarizer, Options
from hocket.result import Result
from hocket.version import __version__
from hocket.writers import WRITERS, document

FAILED, USAGE, UNUSABLE, INTERNAL, INTERRUPTED = 1, 2, 3, 70, 130
STDIN = "-"


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="hocket", message="%(prog)s %(version)s")
def cli() -> None:
    """Who spoke when, on your own machine.

    Exit codes: 0 all done; 1 some recordings failed, the others were written; 2 wrong usage; 3 a
    model file, the runtime or a store of speakers is unusable; 70 a defect in hocket; 130
    interrupted.
    """


@cli.command()
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
    default=ClusterConfig.method,
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
def diarize(
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
    config = replace(chosen, graphs=graphs, clusters=ClusterConfig(method=clustering, plda=plda))
    diarizer = Diarizer(config, Runtime(threads=threads)).load()
    known = open_known(store, diarizer.embedding_model)
    if output is None and not table:
        click.echo(WRITERS[format_name].header, nl=False)
    failed = 0
    for source, place in zip(files, places, strict=True):
        try:
            options = cast("Options", {**numbers, "constraints": constraints})
            result = _diarize_one(diarizer, source, options)
            if known:
                result = name_known(known, result, source)
            result = only_sure(result, min_confidence, source, _complain)
            if place is not None:
                write_whole(place, document(result, format_name))
        except (HocketError, MemoryError) as error:
            failed += 1
            problem = str(error) or "not enough memory; cut the recording into parts"
            named = isinstance(error, AudioError | OutputError | StoreError)
            _complain(problem if named else f"{source}: {problem}")
            continue
        if table:
            show_table(result, one_line(source), sys.stdout)
        elif place is None:
            click.echo(WRITERS[format_name].write(result), nl=False)
        if table and place is not None:
            click.echo(f"wrote {place}")
    return FAILED if failed else 0


cli.add_command(review_command)
cli.add_command(stream_command)


@cli.command(name="backends")
@click.option("--embedding", default=GraphConfig.embedding, show_default=True)
@click.option(
    "--precision",
    type=click.Choice(PRECISIONS),
    default=GraphConfig.precision,
    show_default=True,
)
def list_backends(embedding: str, precision: str) -> int:
    """Show what can run the graphs here, and what --backend auto takes."""
    chosen: dict[str, Choice] = {}
    impossible: HocketError | None = None
    graphs = {"segmentation_from_peaks": "segmentation of streams"}
    for graph in ("segmentation", *graphs, "embedding"):
        name = graphs.get(graph, graph)
        try:
            chosen[name] = models.choice_of(graph, GraphConfig(embedding, precision))
        except HocketError as error:
            impossible = error  # said below: what is installed may be the remedy
    for backend in BACKENDS[1:]:
        problem = missing(backend)
        taken = [f"{name} in {c.precision}" for name, c in chosen.items() if c.backend == backend]
        use = f", auto takes it for {', '.join(taken)}" if taken else ""
        click.echo(f"{backend:<12} {problem or f'installed{use}'}")
    extras = [name for name, found in asdict(this_processor()).items() if found]
    click.echo(f"{'processor':<12} {', '.join(['float32', *extras])}")
    if impossible:
        raise impossible
    return 0


cli.add_command(speakers_group)


@cli.group(name="models")
def models_group() -> None:
    """The graphs and weights that ship with hocket, and those you place."""


@models_group.command(name="list")
def list_models() -> int:
    """List them: name, licence, size, sha256."""
    catalogue = models.read_catalogue()
    for weights in catalogue.weights.values():
        file = models.find_weights(weights)
        state = file.sha256 if file else f"not placed; hocket models add FILE --as {weights.name}"
        _show_row(weights.file_name, weights.model, weights.licence, weights.size, state)
    for artefact in catalogue.artefacts.values():
        parts = " + ".join(artefact.weights) or "hocket"
        file = artefact.file
        _show_row(file.path.name, parts, "Apache-2.0", file.size, file.sha256)
    for file in dict.fromkeys(catalogue.channels.values()):
        _show_row(file.path.name, "hocket", "Apache-2.0", file.size, file.sha256)
    return 0


def _show_row(file: str, model: str, licence: str, size: int, state: str) -> None:
    click.echo(f"{file:<35} {model:<34} {licence:<12} {size / 1e6:>6.2f} MB {state}")


@models_group.command(name="verify")
def verify_models() -> int:
    """Check every file's hash and that the runtime loads every graph."""
    catalogue, failed = models.read_catalogue(), 0
    # networks of one kind share a file
    channels = {file.path.name: name for name, file in catalogue.channels.items()}
    for artefact in catalogue.artefacts.values():
        absent = [n for n in artefact.weights if not models.find_weights(catalogue.weights[n])]
        if absent:
            click.echo(f"{artefact.file.path.name}: {', '.join(absent)} not placed")
            continue
        opening = partial(
            models.open_verified, artefact, Choice("onnxruntime", "float32"), Runtime()
        )
        failed += _failures(artefact.file.path.name, opening)
    for file, name in channels.items():
        failed += _failures(file, partial(models.channel_model, name))
    return UNUSABLE if failed else 0


def _failures(file: str, check: Callable[[], object]) -> int:
    """Say whether a file is what it should be; 1 if it is not."""
    try:
        check()
    except HocketError as error:
        _complain(str(error))
        return 1
    click.echo(f"{file}: ok")
    return 0


@models_group.command(name="add")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--as", "name", required=True, help="What it is, as 'hocket models list' names it.")
def add_model(file: Path, name: str) -> int:
    """Place a published checkpoint, from a local FILE; nothing in it is executed."""
    placed = models.add(file, name)
    click.echo(f"{placed.path}: sha256 {placed.sha256}")
    click.echo(f"threshold {models.read_catalogue().reasons[name]}")
    return 0


@models_group.command(name="export")
@click.option("--to", "target", type=click.Choice(TARGETS), required=True)
@click.argument("folder", type=click.Path(path_type=Path))
def export_models(target: str, folder: Path) -> int:
    """Write every graph to FOLDER for your own program, with a README and a worked example."""
    for name in export(target, folder):
        click.echo(f"wrote {folder / name}")
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; never raises, never prints a traceback."""
    _log_to_stderr()
    try:
        given = sys.argv[1:] if arguments is None else list(arguments)
        with cli.make_context("hocket", given) as context:
            code = cli.invoke(context)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except click.exceptions.Exit as finished:  # --help and --version
        return finished.exit_code
    except click.ClickException as error:
        error.show()
        return USAGE
    except (ConfigError, SpeakerError) as error:
        return _complain(str(error), USAGE)
    except AudioError as error:
        return _complain(str(error))
    except HocketError as error:
        return _complain(str(error), UNUSABLE)
    except KeyboardInterrupt:
        return _complain("interrupted; nothing unfinished was written", INTERRUPTED)
    except BrokenPipeError:  # the reader has seen enough, as with `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        return _complain(f"a defect in hocket: {type(error).__name__}: {error}", INTERNAL)


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


def _diarize_one(diarizer: Diarizer, source: str, given: Options) -> Result:
    with progress_bar(one_line(source), sys.stderr) as report:
        options: Options = {**given, "listener": report}
        if source != STDIN:
            return diarizer(source, **options)
        options["name"] = "stdin"
        return diarizer(sys.stdin.buffer, **options)


def _number(value: float | None) -> float | None:
    if value is not None and math.isnan(value):  # which a FloatRange lets pass
        raise click.BadParameter("nan is no probability; give 0 to 1")
    return value


def _log_to_stderr() -> None:
    """Show the library's warnings, one line each, as the commands show errors."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("hocket: %(message)s"))
    logging.getLogger("hocket").handlers = [handler]


def _complain(message: str, code: int = FAILED) -> int:
    click.echo(f"hocket: {one_line(message)}", err=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
