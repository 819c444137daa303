"""The command that measures a store of known speakers."""

from pathlib import Path

import click

from bench.options import Count, Folder
from bench.people.tables import PARTS, people_table
from bench.report import label_of, progress, save_results


@click.command()
@click.argument("folder", metavar="VOICES", type=Folder)
@click.option(
    "--only",
    "parts",
    type=click.Choice(PARTS),
    multiple=True,
    default=PARTS,
    help="Measure only this part. Repeatable. Default: all, each into its own file.",
)
@click.option(
    "--seeds", type=Count, default=20, show_default=True, help="Conversations of each kind."
)
@click.option("--minutes", type=float, default=4.0, show_default=True, help="Longest conversation.")
@click.option("--threads", type=Count, help="Processor threads. Default: hocket's own.")
@click.option("--label", help="Name of this measurement. Default: the name of VOICES.")
def people(
    folder: Path,
    parts: tuple[str, ...],
    seeds: int,
    minutes: float,
    threads: int | None,
    label: str | None,
) -> None:
    """Measure a store of known speakers: names in conversations, verification, and its file.

    VOICES holds a folder of clips for every speaker. Conversations are made of these clips.
    """
    from bench.people.parts import measure_part

    label = label_of(label, folder)
    for part in dict.fromkeys(parts):
        results = measure_part(part, folder, seeds, minutes, threads, progress)
        click.echo(people_table(part, results))
        about = {"label": label, "corpus": folder.resolve().name}
        save_results(f"people-{part}", label, results, None, **about)


COMMANDS: tuple[click.Command, ...] = (people,)
