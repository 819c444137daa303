"""How a command ends: its exit code, and the one line on standard error that says why."""

import click

from hocket.errors import one_line

FAILED, USAGE, UNUSABLE, INTERNAL, INTERRUPTED = 1, 2, 3, 70, 130


def complain(message: str, code: int = FAILED) -> int:
    """Print what went wrong as one line on standard error; returns the exit code."""
    click.echo(f"hocket: {one_line(message)}", err=True)
    return code
