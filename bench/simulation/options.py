"""Options of `simulate`. Nothing here imports the simulation, which needs codecs."""

from pathlib import Path

import click

from bench.options import Command, Count, Folder


def simulation_options(command: Command) -> Command:
    """Add what conversations to make, of which voices and where.

    Passed on as `out`, `voices`, `timelines` and the fields of `bench.simulation.writing.Batch`.
    """
    options = (
        click.argument("out", metavar="OUT", type=click.Path(file_okay=False, path_type=Path)),
        click.option(
            "--kind",
            required=True,
            metavar="KIND",
            help="Kind: call-like (similar voices), call-any, monologue, monologue-long, "
            "interview, meeting, meeting-long, panel or excerpt.",
        ),
        click.option(
            "--channel",
            default="full",
            show_default=True,
            metavar="CHANNEL",
            help="full, room, telephone, gsm, amr, opus8, opus16, mp3-32, clipped, noisy, music, "
            "mixed (some by telephone) or uneven (levels 30 dB apart).",
        ),
        click.option("--count", type=Count, default=10, show_default=True, help="Files to make."),
        click.option(
            "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Random seed."
        ),
        click.option(
            "--voices",
            required=True,
            type=Folder,
            help="Folder with a folder of clips per speaker.",
        ),
        click.option(
            "--half", metavar="HALF", help="Half of the voices: tune or held. Default: all."
        ),
        click.option(
            "--timelines",
            multiple=True,
            type=Folder,
            help="Folder of RTTM of real turns. Repeatable.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command
