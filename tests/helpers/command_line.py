"""The command line, called in this process."""

from pathlib import Path

from hocket.cli import main as cli


def hocket(*arguments: str | Path) -> int:
    return cli.main([str(argument) for argument in arguments])
