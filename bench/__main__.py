"""Commands of the benchmark; those that make sound of voices are in `simulation_commands`."""

import re
from collections.abc import Mapping
from pathlib import Path

import click

from bench.corpus import Layout, find_audio, find_recordings
from bench.environment import core_count, describe
from bench.errors import BenchError
from bench.options import Count, File, Folder, corpus_options, output_options, preset_option
from bench.people_tables import PARTS, people_table
from bench.report import RESULTS, progress, write_results
from bench.simulation_commands import channels, confidence, corrections, evidence, review, simulate
from bench.speed_tables import (
    compare_speed_table,
    copies_table,
    long_table,
    notes_table,
    online_table,
    speed_table,
)
from bench.tables import compare_table, der_table, tune_table


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


main.add_command(simulate)
main.add_command(channels)
main.add_command(confidence)
main.add_command(corrections)
main.add_command(review)
main.add_command(evidence)


@main.command()
@corpus_options
@output_options
@click.option("--num-speakers", type=click.Choice(["oracle"]), help="Tell hocket the true number.")
@click.option("--threads", type=Count, help="Processor threads; by default hocket's choice.")
@preset_option
@click.option("--hypotheses", type=Folder, help="Score these RTTM files; hocket is not run.")
def der(
    folder: Path,
    layout: Layout,
    output: Path | None,
    label: str | None,
    num_speakers: str | None,
    threads: int | None,
    preset: str | None,
    hypotheses: Path | None,
) -> None:
    """Diarization error rate over the recordings below DIR (audio with an .rttm beside it)."""
    # Imported here: scoring brings pandas, which `speed` has no use for.
    from bench.der import Hocket, StoredHypotheses, System, measure_errors

    if hypotheses is not None and (num_speakers or threads or preset):
        raise click.UsageError("--hypotheses excludes --num-speakers, --threads and --preset")
    label = _label(label, folder)
    recordings = find_recordings(folder, layout)
    system: System = (
        StoredHypotheses(hypotheses)
        if hypotheses is not None
        else Hocket(threads, num_speakers == "oracle", preset)
    )
    results = measure_errors(recordings, system, progress)
    click.echo(der_table(results))
    _finish("der", label, folder, output, results)


@main.command()
@corpus_options
@output_options
@preset_option
@click.option("--repeats", type=Count, default=3, show_default=True, help="Medians of this many.")
@click.option(
    "--threads",
    type=Count,
    multiple=True,
    default=(1, 2),
    show_default=True,
    help="Processor threads; repeated: a row for each.",
)
@click.option("--copies", is_flag=True, help="Count bytes allocated and copied; nothing is timed.")
def speed(
    folder: Path,
    layout: Layout,
    preset: str | None,
    repeats: int,
    threads: tuple[int, ...],
    copies: bool,
    output: Path | None,
    label: str | None,
) -> None:
    """Speed, first results and peak memory over the recordings below DIR."""
    label = _label(label, folder)
    recordings = find_recordings(folder, layout)
    if copies:
        from bench.copies import measure_copies

        counted = measure_copies(recordings, threads[-1], preset)
        click.echo(copies_table(counted))
        _finish("copies", label, folder, output, counted)
        return
    from bench.speed import measure_speed

    results = measure_speed(recordings, repeats, sorted(threads), preset)
    click.echo(speed_table(results))
    _finish("speed", label, folder, output, results)


@main.command()
@corpus_options
@output_options
@preset_option
@click.option("--hours", type=float, default=4.0, show_default=True, help="Length to make of DIR.")
@click.option("--threads", type=Count, default=2, show_default=True, help="Processor threads.")
def long(
    folder: Path,
    layout: Layout,
    preset: str | None,
    hours: float,
    threads: int,
    output: Path | None,
    label: str | None,
) -> None:
    """Memory and speed on the recordings below DIR, joined to hours and to ten minutes."""
    from bench.long import measure_long

    label = _label(label, folder)
    results = measure_long(find_audio(folder, layout), hours, threads, preset, progress)
    click.echo(long_table(results))
    _finish("long", label, folder, output, results)


@main.command()
@corpus_options
@output_options
@click.option("--threads", type=Count, help="Processor threads; by default hocket's choice.")
@click.option("--hours", type=float, default=2.0, show_default=True, help="Of the long stream.")
@click.option("--no-speed", is_flag=True, help="Errors and waiting times alone.")
def online(
    folder: Path,
    layout: Layout,
    output: Path | None,
    label: str | None,
    threads: int | None,
    hours: float,
    no_speed: bool,
) -> None:
    """Errors, waiting times, speed and memory of streams over the recordings below DIR."""
    from bench.online import measure_online
    from bench.stream_speed import measure_stream_speed

    label = _label(label, folder)
    recordings = find_recordings(folder, layout)
    speed = {} if no_speed else measure_stream_speed(recordings, hours, threads, progress)
    results = {**measure_online(recordings, threads, progress), **speed}
    click.echo(online_table(results))
    _finish("online", label, folder, output, results)


@main.command()
@corpus_options
@output_options
@click.option("--seconds", type=float, default=30.0, show_default=True, help="Of each recording.")
@click.option("--repeats", type=Count, default=15, show_default=True, help="Of every claim.")
def notes(
    folder: Path,
    layout: Layout,
    seconds: float,
    repeats: int,
    output: Path | None,
    label: str | None,
) -> None:
    """The shape of the notes hocket grew from, beside hocket's, on the beginnings of recordings."""
    from bench.notes import measure_notes

    label = _label(label, folder)
    results = measure_notes(find_audio(folder, layout), seconds, repeats, progress)
    click.echo(notes_table(results))
    _finish("notes", label, folder, output, results)


@main.command()
@corpus_options
@output_options
@click.option(
    "--systems",
    default="hocket,senko,sherpa-onnx",
    show_default=True,
    help="Systems to run, with commas between; hocket:NAME for a preset, '' for stored turns.",
)
@click.option(
    "--hypotheses",
    multiple=True,
    metavar="NAME=DIR",
    help="One more system: the RTTM files in DIR. May be repeated.",
)
@click.option("--threads", type=Count, help="Processor threads of each system; by default all.")
@click.option("--speed", "only_speed", is_flag=True, help="Times alone: no references are needed.")
def compare(
    folder: Path,
    layout: Layout,
    output: Path | None,
    label: str | None,
    systems: str,
    hypotheses: tuple[str, ...],
    threads: int | None,
    only_speed: bool,
) -> None:
    """Several systems on the recordings below DIR, file by file, under one protocol."""
    from bench.compare import measure_systems, stored_systems
    from bench.compare_speed import measure_speeds
    from bench.installation import SPEED_ONLY, runner_command

    label = _label(label, folder)
    stored = stored_systems(hypotheses)
    names = list(dict.fromkeys(name for name in systems.split(",") if name))
    if clash := sorted(set(names) & set(stored)):
        raise click.UsageError(f"{clash[0]}: named by --systems and by --hypotheses")
    if stored and only_speed:
        raise click.UsageError("--speed excludes --hypotheses")
    if not names and not stored:
        raise click.UsageError("name a system with --systems or --hypotheses")
    if (unscored := sorted(SPEED_ONLY & set(names))) and not only_speed:
        raise click.UsageError(f"{unscored[0]}: its turns mean nothing here; add --speed")
    recordings = find_audio(folder, layout) if only_speed else find_recordings(folder, layout)
    threads = threads or core_count()
    commands = {name: runner_command(name, threads, progress) for name in names}
    if only_speed:
        times = measure_speeds(recordings, commands, progress)
        click.echo(compare_speed_table(times))
        _finish("compare-speed", label, folder, output, {**times, "threads": threads})
        return
    results = measure_systems(recordings, commands, stored, progress)
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
        results = sweep(recordings, dict(map(parse_setting, settings)), progress)
    else:
        results = search_best(recordings, SEARCH, progress)
    click.echo(tune_table(results))
    corpora = [folder.resolve().name for folder in folders]
    _finish("tune", label, folders[0], output, {"corpora": corpora, **results})


@main.command()
@click.argument("folder", metavar="VOICES", type=Folder)
@click.option(
    "--only",
    "parts",
    type=click.Choice(PARTS),
    multiple=True,
    default=PARTS,
    help="Only this part. Repeatable; by default all of them, each into a file of its own.",
)
@click.option("--seeds", type=Count, default=20, show_default=True, help="Conversations of a kind.")
@click.option("--minutes", type=float, default=4.0, show_default=True, help="Of a conversation.")
@click.option("--threads", type=Count, help="Processor threads; by default hocket's choice.")
@click.option("--label", help="Name of this measurement; by default the name of VOICES.")
def people(
    folder: Path,
    parts: tuple[str, ...],
    seeds: int,
    minutes: float,
    threads: int | None,
    label: str | None,
) -> None:
    """Speakers in a store: names in conversations, verification, and the file itself.

    VOICES has a folder of clips for every person; conversations are made of them.
    """
    from bench.people import measure_part

    label = _label(label, folder)
    for part in dict.fromkeys(parts):
        results = measure_part(part, folder, seeds, minutes, threads, progress)
        click.echo(people_table(part, results))
        _finish(f"people-{part}", label, folder, None, results)


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
    """Write the tables of README.md and docs from bench/results/*-development.json."""
    from bench.accuracy_page import ACCURACY, with_comparison
    from bench.front_page import README, with_table
    from bench.people_page import PEOPLE_PAGES
    from bench.performance_page import PERFORMANCE, with_figures

    pages = {README: with_table, ACCURACY: with_comparison, PERFORMANCE: with_figures}
    pages.update(PEOPLE_PAGES)
    for path, fresh in pages.items():
        path.write_text(fresh(path.read_text(encoding="utf-8")), encoding="utf-8")


def _label(label: str | None, folder: Path) -> str:
    if label is None:
        return re.sub(r"[^\w.-]+", "-", folder.resolve().name) or "corpus"
    if not re.fullmatch(r"[\w.-]+", label):
        raise click.BadParameter(f"found '{label}'; use letters, digits, '.', '_' and '-'")
    return label


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
