"""How a command ends: its exit code, and the one line on standard error that says why."""

import re
from collections.abc import Mapping

import click

from hocket.errors import one_line

FAILED, USAGE, UNUSABLE, INTERNAL, INTERRUPTED = 1, 2, 3, 70, 130

_OTHER_NAMES = {"method": "clustering"}  # settings whose option is called otherwise


def complain(message: str, code: int = FAILED) -> int:
    """Print what went wrong as one line on standard error; returns the exit code."""
    click.echo(f"hocket: {one_line(message)}", err=True)
    return code


def usage_message(error: click.ClickException) -> str:
    """What click found wrong, as a sentence of ours, with the help that explains it."""
    message = " ".join(error.format_message().split()).rstrip(".")
    context = getattr(error, "ctx", None)
    help_command = f"see '{context.command_path if context else 'hocket'} --help'"
    joint = " " if message.endswith("?") else "; "
    return f"{message[:1].lower()}{message[1:]}{joint}{help_command}"


def with_options(message: str, command: click.Command | None) -> str:
    """A message about settings, with the names that the command line has for them."""
    for name, option in (_options_of(command) if command else {}).items():
        # a name without "_" is a word like any other, unless it begins a clause
        pattern = rf"\b{name}\b(?!=)" if "_" in name else rf"(?:^|(?<=but )){name}\b(?= is )"
        message = re.sub(pattern, option, message)
    return message


def _options_of(command: click.Command) -> Mapping[str, str]:
    if isinstance(command, click.Group):
        found: dict[str, str] = {}
        for each in command.commands.values():
            found |= _options_of(each)
        return found
    options = {
        str(param.name): max(param.opts, key=len)
        for param in command.params
        if isinstance(param, click.Option)
    }
    others = {name: options[own] for name, own in _OTHER_NAMES.items() if own in options}
    return options | others
