"""The command line, called in this process."""

import io
from pathlib import Path

from hocket.cli import main as cli


def hocket(*arguments: str | Path) -> int:
    return cli.main([str(argument) for argument in arguments])


def is_rttm(text: str, uri: str) -> bool:
    """Whether a text is RTTM, of at least one turn, of this recording."""
    lines = text.splitlines()
    return bool(lines) and all(
        line.split()[:3] == ["SPEAKER", uri, "1"] and len(line.split()) == 10 for line in lines
    )


class StandardInput:
    """Standard input that holds these bytes."""

    def __init__(self, content: bytes) -> None:
        self.buffer = io.BytesIO(content)
