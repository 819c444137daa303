"""Commands that measure errors, and those that learn weights from recordings."""

import hashlib
from pathlib import Path

import click

from bench.accuracy.tables import (
    compare_table,
    confidence_table,
    corrections_table,
    der_table,
    evidence_table,
    online_table,
    review_table,
    tune_table,
)
from bench.corpus import Layout, Recording, find_audio, find_recordings
from bench.environment import core_count
from bench.errors import BenchError
from bench.options import Count, File, Folder, corpus_options, output_options, preset_option
from bench.report import label_of, progress, save_results
from bench.speed.tables import compare_speed_table


@click.command()
@corpus_options
@output_options
@click.option(
    "--num-speakers",
    type=click.Choice(["oracle"]),
    help="Give hocket the true number of speakers.",
)
@click.option("--threads", type=Count, help="Processor threads. Default: hocket's own.")
@preset_option
@click.option("--hypotheses", type=Folder, help="Score these RTTM files instead of hocket.")
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
    """Measure the diarization error rate on recordings in DIR (audio with an .rttm next to it)."""
    # imported here: scoring imports pandas, which most commands do not need
    from bench.accuracy.der import Hocket, StoredHypotheses, System, measure_errors

    if hypotheses is not None and (num_speakers or threads or preset):
        raise click.UsageError("--hypotheses excludes --num-speakers, --threads and --preset")
    label = label_of(label, folder)
    recordings = find_recordings(folder, layout)
    system: System = (
        StoredHypotheses(hypotheses)
        if hypotheses is not None
        else Hocket(threads, num_speakers == "oracle", preset)
    )
    results = measure_errors(recordings, system, progress)
    click.echo(der_table(results))
    save_results("der", label, results, output, label=label, corpus=folder.resolve().name)


@click.command()
@corpus_options
@output_options
@click.option("--threads", type=Count, help="Processor threads. Default: hocket's own.")
@click.option(
    "--hours", type=float, default=2.0, show_default=True, help="Length of the long stream."
)
@click.option("--no-speed", is_flag=True, help="Measure only errors and latency.")
def online(
    folder: Path,
    layout: Layout,
    output: Path | None,
    label: str | None,
    threads: int | None,
    hours: float,
    no_speed: bool,
) -> None:
    """Measure errors, latency, speed and memory of streams over the recordings in DIR."""
    from bench.accuracy.online import measure_online
    from bench.speed.streams import measure_streams

    label = label_of(label, folder)
    recordings = find_recordings(folder, layout)
    speed = {} if no_speed else measure_streams(recordings, hours, threads, progress)
    results = {**measure_online(recordings, threads, progress), **speed}
    click.echo(online_table(results))
    save_results("online", label, results, output, label=label, corpus=folder.resolve().name)


@click.command()
@corpus_options
@output_options
@click.option(
    "--systems",
    default="hocket,senko,sherpa-onnx",
    show_default=True,
    help="Systems to run, separated by commas; hocket:NAME for a preset, '' for stored turns only.",
)
@click.option(
    "--hypotheses",
    multiple=True,
    metavar="NAME=DIR",
    help="A further system: the RTTM files in DIR. Repeatable.",
)
@click.option("--threads", type=Count, help="Processor threads of each system. Default: all.")
@click.option(
    "--speed", "only_speed", is_flag=True, help="Measure only times; no references are needed."
)
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
    """Compare several systems on the recordings in DIR, file by file, under one protocol."""
    from bench.accuracy.compare import measure_systems, stored_systems
    from bench.installation import SPEED_ONLY, runner_command
    from bench.speed.systems import measure_speeds

    label = label_of(label, folder)
    stored = stored_systems(hypotheses)
    names = list(dict.fromkeys(name for name in systems.split(",") if name))
    if clash := sorted(set(names) & set(stored)):
        raise click.UsageError(f"{clash[0]}: named by --systems and by --hypotheses")
    if stored and only_speed:
        raise click.UsageError("--speed excludes --hypotheses")
    if not names and not stored:
        raise click.UsageError("name a system with --systems or --hypotheses")
    if (unscored := sorted(SPEED_ONLY & set(names))) and not only_speed:
        raise click.UsageError(f"{unscored[0]}: has no trained weights here; add --speed")
    recordings = find_audio(folder, layout) if only_speed else find_recordings(folder, layout)
    threads = threads or core_count()
    commands = {name: runner_command(name, threads, progress) for name in names}
    about = {"label": label, "corpus": folder.resolve().name, "threads": threads}
    if only_speed:
        times = measure_speeds(recordings, commands, progress)
        click.echo(compare_speed_table(times))
        save_results("compare-speed", label, times, output, **about)
        return
    results = measure_systems(recordings, commands, stored, progress)
    click.echo(compare_table(results))
    save_results("compare", label, results, output, **about)


@click.command()
@click.argument("folders", metavar="DIR...", type=Folder, nargs=-1, required=True)
@output_options
@click.option(
    "--setting",
    "settings",
    multiple=True,
    metavar="NAME=VALUE,...",
    help="Try these values one at a time instead of searching for the best settings. Repeatable.",
)
def tune(
    folders: tuple[Path, ...], output: Path | None, label: str | None, settings: tuple[str, ...]
) -> None:
    """Measure error rates of settings on the recordings in every DIR."""
    from bench.accuracy.tune import SEARCH, parse_setting, search_best, sweep

    label = label_of(label, folders[0])
    recordings = _recordings_in(folders)
    if settings:
        results = sweep(recordings, dict(map(parse_setting, settings)), progress)
    else:
        results = search_best(recordings, SEARCH, progress)
    click.echo(tune_table(results))
    about = {"label": label, "corpus": folders[0].resolve().name, "corpora": _names(folders)}
    save_results("tune", label, results, output, **about)


@click.command()
@click.argument("folder", metavar="VOICES", type=Folder)
@click.option("--half", metavar="HALF", help="Half of the voices: tune or held. Default: all.")
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=77,
    show_default=True,
    help="Seed of the channels.",
)
@click.option(
    "--draws", type=Count, default=4, show_default=True, help="Channels drawn for every voice."
)
@click.option("--output", type=File, required=True, help="Channel model to write, .npz.")
def channels(folder: Path, half: str | None, seed: int, draws: int, output: Path) -> None:
    """Learn what channels add to embeddings, from the voices in VOICES over drawn channels.

    The cosines that are printed are of voices held back, every other one in turn.
    """
    from bench.accuracy.channels import measure_channels
    from bench.simulation.voices import clips_of

    model, summary = measure_channels(clips_of(folder, half), seed, draws, progress)
    content = model.to_bytes()
    try:
        output.write_bytes(content)
    except OSError as error:
        raise BenchError(f"{output}: cannot be written ({error.strerror})") from error
    for name, value in summary.items():
        click.echo(f"{name} {round(value, 3) if isinstance(value, float) else value}")
    click.echo(f"bytes {len(content)}\nsha256 {hashlib.sha256(content).hexdigest()}")
    click.echo(f"written to {output}", err=True)


@click.command()
@click.argument("folders", metavar="DIR...", nargs=-1, required=True, type=Folder)
@click.option("--measure", is_flag=True, help="Measure the shipped weights; do not fit any.")
@click.option("--output", type=File, help="Results file, JSON. Default: none is written.")
def confidence(folders: tuple[Path, ...], measure: bool, output: Path | None) -> None:
    """Fit the weights of confidence on the recordings in every DIR, and measure its reliability.

    Fitted weights are measured on the same recordings. Measure them again on others.
    """
    from bench.accuracy.confidence import (
        cases_of,
        fit_counts,
        fit_turns,
        manifest_lines,
        measure_confidence,
    )
    from hocket import Diarizer
    from hocket.confidence.count import CountModel
    from hocket.confidence.turns import TurnModel

    diarizer = Diarizer()
    cases = cases_of(_recordings_in(folders), diarizer, progress)
    weights = diarizer.calibration
    turns = TurnModel.of(weights) if measure else fit_turns(cases)
    counts = CountModel.of(weights) if measure else fit_counts(cases, turns)
    lines, results = manifest_lines(turns, counts), measure_confidence(cases, turns, counts)
    click.echo("\n".join([*lines, confidence_table(results)]))
    if output is not None:
        about = {"corpora": _names(folders), "weights": lines}
        save_results("confidence", "", results, output, **about)


@click.command()
@click.argument("folders", metavar="DIR...", nargs=-1, required=True, type=Folder)
@click.option(
    "--embedding",
    metavar="NAME",
    default="campplus-local",
    show_default=True,
    help="Embedding model, as listed by `hocket models list`.",
)
@click.option("--output", type=File, help="Results file. Default: bench/results/evidence-*.json.")
def evidence(folders: tuple[Path, ...], embedding: str, output: Path | None) -> None:
    """Learn the odds that two halves are two speakers, from the recordings in every DIR.

    Prints how well they decide on recordings held back, an eighth at a time, and the weights for
    the manifest.
    """
    from bench.accuracy.evidence import measure_evidence

    results = measure_evidence(_recordings_in(folders), embedding, progress)
    click.echo(evidence_table(results))
    save_results("evidence", embedding, results, output, corpora=_names(folders))


@click.command()
@click.argument("folders", metavar="DIR...", nargs=-1, required=True, type=Folder)
@click.option(
    "--seconds", type=float, default=90.0, show_default=True, help="Length of all segments."
)
@click.option("--output", type=File, help="Results file. Default: bench/results/review-*.json.")
def review(folders: tuple[Path, ...], seconds: float, output: Path | None) -> None:
    """Measure the confusion inside what `hocket review` selects, on recordings in every DIR."""
    from bench.accuracy.review import measure_review

    results = measure_review(_recordings_in(folders), seconds, progress)
    click.echo(review_table(results))
    corpora = _names(folders)
    save_results("review", corpora[0], results, output, corpora=corpora)


@click.command()
@click.argument("folders", metavar="DIR...", nargs=-1, required=True, type=Folder)
@click.option(
    "--number", "count", type=Count, default=200, show_default=True, help="Constraints to draw."
)
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of the draws."
)
@click.option(
    "--output", type=File, help="Results file. Default: bench/results/corrections-*.json."
)
def corrections(folders: tuple[Path, ...], count: int, seed: int, output: Path | None) -> None:
    """Measure what true constraints, drawn at random, change on recordings in every DIR."""
    from bench.accuracy.corrections import measure_corrections

    results = measure_corrections(_recordings_in(folders), count, seed, progress)
    click.echo(corrections_table(results))
    corpora = _names(folders)
    save_results("corrections", corpora[0], results, output, corpora=corpora)


def _recordings_in(folders: tuple[Path, ...]) -> list[Recording]:
    return [recording for folder in folders for recording in find_recordings(folder)]


def _names(folders: tuple[Path, ...]) -> list[str]:
    return [folder.resolve().name for folder in folders]


COMMANDS: tuple[click.Command, ...] = (
    der, online, compare, tune, channels, confidence, evidence, review, corrections,
)  # fmt: skip
