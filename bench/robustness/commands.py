"""The command that measures what damage does."""

from collections import Counter
from pathlib import Path

import click

from bench.corpus import Layout, find_audio
from bench.options import Count, corpus_options, output_options
from bench.report import label_of, progress, save_results


@click.command()
@corpus_options
@output_options
@click.option("--files", type=Count, default=2_000, show_default=True, help="Files to damage.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the damage.")
@click.option("--workers", type=Count, default=2, show_default=True, help="Processes.")
def damage(
    folder: Path,
    layout: Layout,
    files: int,
    seed: int,
    workers: int,
    output: Path | None,
    label: str | None,
) -> None:
    """Damage recordings in DIR at random, in many formats, and read them."""
    from bench.robustness.damage import measure_damage

    label = label_of(label, folder)
    recordings = [recording.audio for recording in find_audio(folder, layout)]
    results = measure_damage(recordings, files, seed, workers, progress)
    for problem, count in Counter(row["problem"] for row in results["failures"]).most_common():
        click.echo(f"{count:6} {problem}")
    click.echo(f"{files} files, {len(results['failures'])} failures, {results['counts']}")
    save_results("damage", label, results, output, label=label, corpus=folder.resolve().name)


COMMANDS: tuple[click.Command, ...] = (damage,)
