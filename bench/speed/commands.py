"""Commands that measure time and memory."""

from pathlib import Path

import click

from bench.corpus import Layout, find_audio, find_recordings
from bench.environment import REPOSITORY
from bench.options import Count, File, Folder, corpus_options, output_options, preset_option
from bench.report import label_of, progress, save_results
from bench.speed.tables import (
    clustering_table,
    copies_table,
    fluidaudio_table,
    long_table,
    speed_table,
    unchanged_table,
)

EXAMPLE = REPOSITORY / "src" / "hocket" / "example"


@click.command()
@corpus_options
@output_options
@preset_option
@click.option(
    "--repeats", type=Count, default=3, show_default=True, help="Measurements behind a median."
)
@click.option(
    "--threads",
    type=Count,
    multiple=True,
    default=(1, 2),
    show_default=True,
    help="Processor threads. Repeatable: one row each.",
)
@click.option("--copies", is_flag=True, help="Count bytes allocated and copied instead of time.")
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
    """Measure speed, first results and peak memory on the recordings in DIR."""
    label = label_of(label, folder)
    recordings = find_recordings(folder, layout)
    about = {"label": label, "corpus": folder.resolve().name}
    if copies:
        from bench.speed.copies import measure_copies

        counted = measure_copies(recordings, threads[-1], preset)
        click.echo(copies_table(counted))
        save_results("copies", label, counted, output, **about)
        return
    from bench.speed.end_to_end import measure_speed

    results = measure_speed(recordings, repeats, sorted(threads), preset)
    click.echo(speed_table(results))
    save_results("speed", label, results, output, **about)


@click.command()
@corpus_options
@output_options
@preset_option
@click.option(
    "--hours", type=float, default=4.0, show_default=True, help="Length of the long recording."
)
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
    """Measure memory and speed on the recordings in DIR, joined to hours and to ten minutes."""
    from bench.speed.long import measure_long

    label = label_of(label, folder)
    results = measure_long(find_audio(folder, layout), hours, threads, preset, progress)
    click.echo(long_table(results))
    save_results("long", label, results, output, label=label, corpus=folder.resolve().name)


@click.command()
@corpus_options
@output_options
@click.option(
    "--seconds", type=float, default=30.0, show_default=True, help="Length used of each recording."
)
@click.option(
    "--repeats", type=Count, default=15, show_default=True, help="Measurements of each claim."
)
def fluidaudio(
    folder: Path,
    layout: Layout,
    seconds: float,
    repeats: int,
    output: Path | None,
    label: str | None,
) -> None:
    """Compare the shape of FluidAudio's pipeline with hocket on the beginnings of recordings."""
    from bench.speed.fluidaudio.stages import measure_fluidaudio

    label = label_of(label, folder)
    results = measure_fluidaudio(find_audio(folder, layout), seconds, repeats, progress)
    click.echo(fluidaudio_table(results))
    save_results("fluidaudio", label, results, output, label=label, corpus=folder.resolve().name)


@click.command()
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
    help="Number of voice vectors. Repeatable.",
)
@click.option("--speakers", type=Count, default=8, show_default=True, help="Number of speakers.")
@click.option("--seed", type=int, default=1, show_default=True, help="Seed of the voice vectors.")
@click.option("--output", type=File, help="Results file. Default: bench/results/cluster-*.json.")
def cluster(
    method: str, numbers: tuple[int, ...], speakers: int, seed: int, output: Path | None
) -> None:
    """Measure time and peak memory of clustering synthetic voice vectors."""
    from bench.speed.clustering import measure_clustering

    results = measure_clustering(method, numbers, speakers, seed)
    click.echo(clustering_table(results))
    save_results("cluster", method, results, output)


@click.command()
@click.argument("before", metavar="BEFORE", type=Folder)
@click.argument("folders", metavar="[DIR]...", type=Folder, nargs=-1)
@output_options
@click.option(
    "--renamed",
    multiple=True,
    metavar="OLD=NEW",
    help="A JSON key of BEFORE and its name in this checkout. Repeatable.",
)
@click.option(
    "--repeats", type=Count, default=3, show_default=True, help="Measurements behind a median."
)
def unchanged(
    before: Path,
    folders: tuple[Path, ...],
    output: Path | None,
    label: str | None,
    renamed: tuple[str, ...],
    repeats: int,
) -> None:
    """Compare the output, time and memory of hocket with those of an older checkout, BEFORE.

    Both checkouts diarize and stream every recording in every DIR, by default the conversation that
    is shipped with hocket. The exit code is 1 if the output differs by more than new JSON keys.
    """
    from bench.speed.unchanged import measure_unchanged, parse_renamed

    folders = folders or (EXAMPLE,)
    label = label_of(label, folders[0])
    recordings = [each for folder in folders for each in find_audio(folder)]
    results = measure_unchanged(before, recordings, parse_renamed(renamed), repeats, progress)
    click.echo(unchanged_table(results))
    corpora = [folder.resolve().name for folder in folders]
    save_results("unchanged", label, results, output, label=label, corpora=corpora)
    if results["differences"]:
        raise click.exceptions.Exit(1)


@click.command()
@click.option("--sessions", type=Count, default=16, show_default=True, help="At once.")
@click.option("--seconds", type=Count, default=60, show_default=True, help="Sound of each.")
@click.option("--together", is_flag=True, help="All windows end at the same moments.")
@click.option("--output", type=File, help="Results file. Default: bench/results/live-*.json.")
def live(sessions: int, seconds: int, together: bool, output: Path | None) -> None:
    """Measure how late updates of live sessions come, and /health meanwhile.

    The service, its sessions and their clients share the processor of this machine.
    """
    from bench.speed.live import measure_live

    recording = EXAMPLE / "conversation.flac"
    results = measure_live(recording, sessions, seconds, together)
    for name in ("update_delay", "health_delay"):
        figures = ", ".join(f"{key} {1000 * value:.0f}" for key, value in results[name].items())
        click.echo(f"{name}, ms: {figures}")
    click.echo(f"memory, MB: {results['memory_mb']}")
    label = f"{sessions}-sessions{'-together' if together else ''}"
    save_results("live", label, results, output)


COMMANDS: tuple[click.Command, ...] = (speed, long, fluidaudio, cluster, live, unchanged)
