"""Commands of the benchmark, and the only place that prints."""

import re
from collections.abc import Mapping
from pathlib import Path

import click

from bench.corpus import Layout, find_recordings
from bench.environment import core_count, describe
from bench.errors import BenchError
from bench.options import Count, File, Folder, corpus_options, output_options
from bench.report import RESULTS, write_results
from bench.tables import compare_table, der_table, speed_table, tune_table


class _Commands(click.Group):
    """Commands whose expected failures end in one line, not in a stack trace."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except BenchError as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=_Commands)
def main() -> None:
    """Benchmarks of hocket; results go to bench/results as JSON."""


@main.command()
@corpus_options
@output_options
@click.option("--num-speakers", type=click.Choice(["oracle"]), help="Tell hocket the true number.")
@click.option("--threads", type=Count, help="Processor threads; by default hocket's choice.")
@click.option("--hypotheses", type=Folder, help="Score these RTTM files; hocket is not run.")
def der(
    folder: Path,
    layout: Layout,
    output: Path | None,
    label: str | None,
    num_speakers: str | None,
    threads: int | None,
    hypotheses: Path | None,
) -> None:
    """Diarization error rate over the recordings below DIR (audio with an .rttm beside it)."""
    # Imported here: scoring brings pandas, which `speed` has no use for.
    from bench.der import Hocket, StoredHypotheses, System, measure_errors

    if hypotheses is not None and (num_speakers or threads):
        raise click.UsageError("--hypotheses excludes --num-speakers and --threads")
    label = _label(label, folder)
    recordings = find_recordings(folder, layout)
    system: System = (
        StoredHypotheses(hypotheses)
        if hypotheses is not None
        else Hocket(threads, oracle=num_speakers == "oracle")
    )
    results = measure_errors(recordings, system, _progress)
    click.echo(der_table(results))
    _finish("der", label, folder, output, results)


@main.command()
@corpus_options
@output_options
@click.option("--repeats", type=Count, default=3, show_default=True, help="Medians of this many.")
@click.option("--threads", type=Count, default=2, show_default=True, help="Processor threads.")
def speed(
    folder: Path,
    layout: Layout,
    repeats: int,
    threads: int,
    output: Path | None,
    label: str | None,
) -> None:
    """Speed, cold start and peak memory over the recordings below DIR."""
    from bench.speed import measure_speed

    label = _label(label, folder)
    results = measure_speed(find_recordings(folder, layout), repeats, threads)
    click.echo(speed_table(results))
    _finish("speed", label, folder, output, results)


@main.command()
@corpus_options
@output_options
@click.option(
    "--systems",
    default="hocket,senko,sherpa-onnx",
    show_default=True,
    help="Systems to run, with commas between; '' for stored turns alone.",
)
@click.option(
    "--hypotheses",
    multiple=True,
    metavar="NAME=DIR",
    help="One more system: the RTTM files in DIR. May be repeated.",
)
@click.option("--threads", type=Count, help="Processor threads of each system; by default all.")
def compare(
    folder: Path,
    layout: Layout,
    output: Path | None,
    label: str | None,
    systems: str,
    hypotheses: tuple[str, ...],
    threads: int | None,
) -> None:
    """Several systems on the recordings below DIR, file by file, under one protocol."""
    from bench.compare import measure_systems, stored_systems
    from bench.installation import runner_command

    label = _label(label, folder)
    stored = stored_systems(hypotheses)
    names = list(dict.fromkeys(name for name in systems.split(",") if name))
    if clash := sorted(set(names) & set(stored)):
        raise click.UsageError(f"{clash[0]}: named by --systems and by --hypotheses")
    if not names and not stored:
        raise click.UsageError("name a system with --systems or --hypotheses")
    recordings = find_recordings(folder, layout)
    threads = threads or core_count()
    commands = {name: runner_command(name, threads, _progress) for name in names}
    results = measure_systems(recordings, commands, stored, _progress)
    click.echo(compare_table(results))
    _finish("compare", label, folder, output, {**results, "threads": threads})


@main.command()
@click.argument("folders", metavar="DIR...", type=Folder, nargs=-1, required=True)
@output_options
@click.option(
    "--setting",
    "settings",
    multiple=True,
    metavar="NAME=VALUE,...",
    help="Try these values and change nothing else, instead of searching for the best. Repeatable.",
)
def tune(
    folders: tuple[Path, ...], output: Path | None, label: str | None, settings: tuple[str, ...]
) -> None:
    """Settings against error rates over the recordings below every DIR."""
    from bench.tune import SEARCH, parse_setting, search_best, sweep

    label = _label(label, folders[0])
    recordings = [recording for folder in folders for recording in find_recordings(folder)]
    if settings:
        results = sweep(recordings, dict(map(parse_setting, settings)), _progress)
    else:
        results = search_best(recordings, SEARCH, _progress)
    click.echo(tune_table(results))
    corpora = [folder.resolve().name for folder in folders]
    _finish("tune", label, folders[0], output, {"corpora": corpora, **results})


@main.command()
@click.option(
    "--method",
    type=click.Choice(["agglomerative", "centroid", "spectral", "mixture"]),
    default="agglomerative",
    show_default=True,
    help="Clusterer.",
)
@click.option(
    "--voices",
    "numbers",
    type=Count,
    multiple=True,
    default=(1_000, 5_000, 10_000, 40_000, 60_000),
    show_default=True,
    help="Number of voices. Repeatable.",
)
@click.option("--speakers", type=Count, default=8, show_default=True, help="Whose voices they are.")
@click.option("--seed", type=int, default=1, show_default=True, help="Of the made-up voices.")
@click.option("--output", type=File, help="Results file; by default bench/results/cluster-*.json.")
def cluster(
    method: str, numbers: tuple[int, ...], speakers: int, seed: int, output: Path | None
) -> None:
    """Time and peak memory of clustering so many made-up voices."""
    from bench.clustering import clustering_table, measure_clustering

    results = measure_clustering(method, numbers, speakers, seed)
    click.echo(clustering_table(results["rows"]))
    path = output or RESULTS / f"cluster-{method}.json"
    write_results(path, {"command": "cluster", "environment": describe(), **results})
    click.echo(f"written to {path}", err=True)


@main.command()
def front_page() -> None:
    """Write the tables of README.md and docs/accuracy.md from bench/results/*-development.json."""
    from bench.accuracy_page import ACCURACY, with_comparison
    from bench.front_page import README, with_table

    for path, fresh in {README: with_table, ACCURACY: with_comparison}.items():
        path.write_text(fresh(path.read_text(encoding="utf-8")), encoding="utf-8")


def _label(label: str | None, folder: Path) -> str:
    if label is None:
        return re.sub(r"[^\w.-]+", "-", folder.resolve().name) or "corpus"
    if not re.fullmatch(r"[\w.-]+", label):
        raise click.BadParameter(f"found '{label}'; use letters, digits, '.', '_' and '-'")
    return label


def _progress(text: str) -> None:
    click.echo(text, err=True)


def _finish(
    command: str, label: str, folder: Path, output: Path | None, results: Mapping[str, object]
) -> None:
    path = output or RESULTS / f"{command}-{label}.json"
    header = {
        "command": command,
        "label": label,
        "corpus": folder.resolve().name,
        "environment": describe(),
    }
    write_results(path, {**header, **results})
    click.echo(f"written to {path}", err=True)


if __name__ == "__main__":
    main()
