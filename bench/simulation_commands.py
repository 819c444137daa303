"""Commands that make sound of known voices, and those that learn from it."""

import hashlib
from pathlib import Path
from typing import Any

import click

from bench.errors import BenchError
from bench.options import Count, File, Folder
from bench.report import RESULTS, number, progress, table, write_results
from bench.simulation_options import simulation_options

KEYS = ("calibration_error", "said", "right", "confusion_in_lowest_tenth")


@click.command()
@simulation_options
def simulate(out: Path, voices: Path, timelines: tuple[Path, ...], **batch: Any) -> None:
    """Conversations with known turns, made of clips of known voices: OUT/KIND-CHANNEL/*.flac.

    The same seed makes the same files, however many of them.
    """
    from bench.simulation import Batch, VoiceVectors, write_talks

    people = VoiceVectors.of(voices, batch["half"])
    path = write_talks(out, Batch(**batch), people, timelines, progress)
    click.echo(f"written to {path}", err=True)


@click.command()
@click.argument("folder", metavar="VOICES", type=Folder)
@click.option("--half", metavar="HALF", help="Of the voices: tune or held; by default all.")
@click.option(
    "--seed", type=click.IntRange(min=0), default=77, show_default=True, help="Of the channels."
)
@click.option("--draws", type=Count, default=4, show_default=True, help="Channels of every voice.")
@click.option("--output", type=File, required=True, help="Model of channels to write, .npz.")
def channels(folder: Path, half: str | None, seed: int, draws: int, output: Path) -> None:
    """What channels add to embeddings, by the voices of VOICES over drawn channels.

    What is printed holds of voices that were held back: every other one, in turn.
    """
    from bench.channel_estimate import measure_channels
    from bench.simulation.voices import clips_of

    model, told = measure_channels(clips_of(folder, half), seed, draws, progress)
    content = model.to_bytes()
    try:
        output.write_bytes(content)
    except OSError as error:
        raise BenchError(f"{output}: cannot be written ({error.strerror})") from error
    for name, value in told.items():
        click.echo(f"{name} {round(value, 3) if isinstance(value, float) else value}")
    click.echo(f"bytes {len(content)}\nsha256 {hashlib.sha256(content).hexdigest()}")
    click.echo(f"written to {output}", err=True)


@click.command()
@click.argument("folders", metavar="DIR...", nargs=-1, required=True, type=Folder)
@click.option("--measure", is_flag=True, help="Only measure the weights that ship; fit none.")
@click.option("--output", type=File, help="Results file, JSON; by default nothing is written.")
def confidence(folders: tuple[Path, ...], measure: bool, output: Path | None) -> None:
    """Weights of confidence by the recordings of every DIR, and how reliable they make it.

    Weights that were fitted are measured on the same recordings: measure them on others.
    """
    from bench.confidence import (
        cases_of,
        fit_counts,
        fit_turns,
        manifest_lines,
        measure_confidence,
    )
    from bench.corpus import find_recordings
    from bench.environment import describe
    from hocket import Diarizer
    from hocket.confidence.count import CountModel
    from hocket.confidence.turns import TurnModel

    diarizer = Diarizer()
    recordings = [each for folder in folders for each in find_recordings(folder)]
    cases = cases_of(recordings, diarizer, progress)
    weights = diarizer.calibration
    turns = TurnModel.of(weights) if measure else fit_turns(cases)
    counts = CountModel.of(weights) if measure else fit_counts(cases, turns)
    lines, found = manifest_lines(turns, counts), measure_confidence(cases, turns, counts)
    click.echo("\n".join(lines))
    header = ("", "calibration error", "said", "right", "confusion in lowest tenth")
    rows = [[kind, *(number(each.get(key), 3) for key in KEYS)] for kind, each in found.items()]
    click.echo(table(header, rows))
    if output is not None:
        corpora = [folder.resolve().name for folder in folders]
        about = {"command": "confidence", "corpora": corpora, "environment": describe()}
        write_results(output, {**about, **found, "weights": lines})
        click.echo(f"written to {output}", err=True)


@click.command()
@click.argument("folders", metavar="DIR...", nargs=-1, required=True, type=Folder)
@click.option(
    "--embedding",
    metavar="NAME",
    default="campplus-local",
    show_default=True,
    help="Embedding model, as `hocket models list` shows them.",
)
@click.option("--output", type=File, help="Results file; by default bench/results/evidence-*.json.")
def evidence(folders: tuple[Path, ...], embedding: str, output: Path | None) -> None:
    """Odds that halves of a voice are two speakers, by the recordings below every DIR.

    Prints how well they tell in recordings that were held back, an eighth at a time, and the
    weights for the manifest.
    """
    from bench.corpus import find_recordings
    from bench.evidence import evidence_table, measure_evidence

    recordings = [each for folder in folders for each in find_recordings(folder)]
    results = measure_evidence(recordings, embedding, progress)
    click.echo(evidence_table(results))
    _finish("evidence", folders, output, results, embedding)


@click.command()
@click.argument("folders", metavar="DIR...", nargs=-1, required=True, type=Folder)
@click.option(
    "--seconds", type=float, default=90.0, show_default=True, help="Length of all questions."
)
@click.option("--output", type=File, help="Results file; by default bench/results/review-*.json.")
def review(folders: tuple[Path, ...], seconds: float, output: Path | None) -> None:
    """How much confusion the questions of `hocket review` hold, in recordings below every DIR."""
    from bench.corpus import find_recordings
    from bench.review import measure_review

    recordings = [each for folder in folders for each in find_recordings(folder)]
    results = measure_review(recordings, seconds, progress)
    shares = (number(results[f"removed{way}_percent"], 1) for way in ("", "_by_chance"))
    click.echo(table(("seconds", "removed %", "by chance %"), [(number(seconds, 0), *shares)]))
    _finish("review", folders, output, results)


@click.command()
@click.argument("folders", metavar="DIR...", nargs=-1, required=True, type=Folder)
@click.option("--number", "count", type=Count, default=200, show_default=True, help="To draw.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of them.")
@click.option(
    "--output", type=File, help="Results file; by default bench/results/corrections-*.json."
)
def corrections(folders: tuple[Path, ...], count: int, seed: int, output: Path | None) -> None:
    """What true constraints, drawn at random, change in the recordings below every DIR."""
    from bench.corpus import find_recordings
    from bench.corrections import WORSE, measure_corrections

    recordings = [each for folder in folders for each in find_recordings(folder)]
    results = measure_corrections(recordings, count, seed, progress)
    header = ("constraints", "mean change", "worst", f"worse by {WORSE}", f"better by {WORSE}")
    changes = (number(results[key], 3) for key in ("mean_change", "worst_change"))
    row = (number(results["constraints"], 0), *changes)
    click.echo(table(header, [(*row, *(number(results[key], 0) for key in ("worse", "better")))]))
    _finish("corrections", folders, output, results)


def _finish(
    command: str,
    folders: tuple[Path, ...],
    output: Path | None,
    results: dict[str, Any],
    label: str | None = None,
) -> None:
    from bench.environment import describe

    corpora = [folder.resolve().name for folder in folders]
    header = {"command": command, "corpora": corpora, "environment": describe()}
    path = output or RESULTS / f"{command}-{label or corpora[0]}.json"
    write_results(path, {**header, **results})
    click.echo(f"written to {path}", err=True)
