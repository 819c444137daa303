"""Pages of the documentation: their code blocks, and the commands in them."""

import re
import shlex
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import click

from hocket.cli.main import cli
from hocket.formats import FORMATS
from tests.helpers.paths import ROOT

PAGES = tuple(sorted((ROOT / "docs").glob("*.md")))
READ = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *PAGES)
"""What readers follow; the pages of decisions keep the commands of their time."""

BLOCK = re.compile(
    r"(?m)(?:^<!-- (?P<mark>[\w: ]+) -->\n+)?^```(?P<kind>\w+)\n(?P<text>(?s:.*?))^```"
)
INLINE = re.compile(r"(?<!`)`((?:hocket|python -m bench|make) [^`]+)`(?!`)")
EXTRAS = re.compile(r"\[([\w,]+)\]")
OPTIONS_ONLY = "checked: options"
SPOKEN = "checked: words"
NOT_OURS = {"arecord", "cat", "cd", "ffmpeg", "git", "pipx", "pre-commit"}
PYTHON = {"python", ".venv/test/bin/python"}


class Block(NamedTuple):
    """A code block.

    kind: its language.
    text: its content.
    line: number of its first line.
    mark: text of the comment before it, or "".
    follows: nothing stands between it and the block before.
    """

    kind: str
    text: str
    line: int
    mark: str
    follows: bool


def blocks_of(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    blocks, last = [], None
    for found in BLOCK.finditer(text):
        line = text.count("\n", 0, found.start("text")) + 1
        follows = last is not None and not text[last : found.start()].strip()
        blocks.append(Block(found["kind"], found["text"], line, found["mark"] or "", follows))
        last = found.end()
    return blocks


def commands_of(line: str) -> list[list[str]]:
    """The commands of a line of a shell, which pipes or && connect."""
    tokens = shlex.shlex(line, posix=True, punctuation_chars="|&;")
    tokens.whitespace_split = True
    commands: list[list[str]] = [[]]
    for token in tokens:
        if set(token) <= set("|&;"):
            commands.append([])
        else:
            commands[-1].append(token)
    return [command for command in commands if command]


def inline_commands(page: Path) -> list[str]:
    """Commands within the text of a page."""
    prose = BLOCK.sub("", page.read_text(encoding="utf-8"))
    return [found for found in INLINE.findall(prose) if "COMMAND" not in found]


def check_command(words: Sequence[str], *, whole: bool = True) -> None:
    """Raise AssertionError unless a command and its options exist.

    Args:
        words: the command.
        whole: its arguments are given, not left out as in prose.
    """
    program, rest = words[0], list(words[1:])
    if program in PYTHON:
        assert rest[:1] == ["-m"], words
        program, rest = rest[1], rest[2:]
    if program == "hocket":
        _check_click(cli, rest, whole=whole)
    elif program == "bench":
        from bench.__main__ import main as bench

        _check_click(bench, rest, whole=whole)
    elif program == "make":
        targets = re.findall(r"(?m)^([\w$()/.-]+):", (ROOT / "Makefile").read_text())
        known = {target.replace("$(VENV)", ".venv") for target in targets}
        assert set(rest) <= known, words
    elif program == "pip":
        _check_extras(rest)
    elif program == "pytest":
        assert all((ROOT / word).exists() for word in rest), words
    else:
        assert program in NOT_OURS, f"{words}: mark the block, or teach this function"


def _check_click(command: click.Command, words: list[str], *, whole: bool) -> None:
    context = click.Context(command)
    if isinstance(command, click.Group):
        if words and not words[0].startswith("-"):
            known = command.list_commands(context)
            assert words[0] in known, f"no command '{words[0]}' among {known}"
            found = command.get_command(context, words[0])
            assert found is not None
            _check_click(found, words[1:], whole=whole)
            return
        assert whole is False or words, "no command"
    options = {
        name: param
        for param in command.get_params(context)
        if isinstance(param, click.Option)
        for name in (*param.opts, *param.secondary_opts)
    }
    given = list(_positional(words, options, command))
    arguments = [param for param in command.params if isinstance(param, click.Argument)]
    most = None if any(param.nargs < 0 for param in arguments) else len(arguments)
    assert most is None or len(given) <= most, f"{command.name}: found {given}"
    if whole:
        least = sum(param.required for param in arguments)
        assert len(given) >= least, f"{command.name}: found {given}"


def _positional(
    words: Sequence[str], options: dict[str, click.Option], command: click.Command
) -> Iterator[str]:
    """What is not an option; AssertionError for an unknown option or a wrong choice."""
    left = iter(words)
    for word in left:
        name, joined, value = word.partition("=")
        if not word.startswith("-") or word == "-":
            yield word
            continue
        assert name in options, f"{command.name}: no option {name}"
        option = options[name]
        if option.is_flag or option.is_eager:
            continue
        value = value if joined else next(left)
        if isinstance(option.type, click.Choice):
            assert value in option.type.choices, f"{command.name} {name}: no {value}"
        if option.name == "formats":
            assert set(value.split(",")) <= set(FORMATS), f"{command.name} {name}: no {value}"


def _check_extras(words: Sequence[str]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for word in words:
        for extras in EXTRAS.findall(word):
            assert set(extras.split(",")) <= set(project["optional-dependencies"]), word
