"""The command that makes conversations of known voices."""

from pathlib import Path
from typing import Any

import click

from bench.report import progress
from bench.simulation.options import simulation_options


@click.command()
@simulation_options
def simulate(out: Path, voices: Path, timelines: tuple[Path, ...], **batch: Any) -> None:
    """Write conversations with known turns, made of clips of known voices.

    Files are written to OUT/KIND-CHANNEL. The same seed makes the same files, whatever their count.
    """
    from bench.simulation.voices import VoicePool
    from bench.simulation.writing import Batch, write_conversations

    pool = VoicePool.of(voices, batch["half"])
    path = write_conversations(out, Batch(**batch), pool, timelines, progress)
    click.echo(f"written to {path}", err=True)


COMMANDS: tuple[click.Command, ...] = (simulate,)
