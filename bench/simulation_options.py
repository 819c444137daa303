"""Options of `simulate`; apart from the simulation itself, which brings codecs."""

from pathlib import Path

import click

from bench.options import Command, Count, Folder


def simulation_options(command: Command) -> Command:
    """What talks to make, of what and where.

    Handed on as `out`, `voices`, `timelines` and the fields of `bench.simulation.Batch`.
    """
    options = (
        click.argument("out", metavar="OUT", type=click.Path(file_okay=False, path_type=Path)),
        click.option(
            "--kind",
            required=True,
            metavar="KIND",
            help="Of talk: call-like (voices alike), call-any, monologue, monologue-long, "
            "interview, meeting, meeting-long, panel or excerpt.",
        ),
        click.option(
            "--channel",
            default="full",
            show_default=True,
            metavar="CHANNEL",
            help="full, room, telephone, gsm, amr, opus8, opus16, mp3-32, clipped, noisy, music, "
            "mixed (some by telephone) or uneven (30 dB apart).",
        ),
        click.option("--count", type=Count, default=10, show_default=True, help="Files to make."),
        click.option(
            "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of all files."
        ),
        click.option("--voices", required=True, type=Folder, help="A folder of clips per person."),
        click.option("--half", metavar="HALF", help="Of the voices: tune or held; by default all."),
        click.option(
            "--timelines", multiple=True, type=Folder, help="RTTM of real turns. May be repeated."
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command
