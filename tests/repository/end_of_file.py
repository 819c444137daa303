"""End text files with exactly one newline; the hook of .pre-commit-config.yaml.

    python end_of_file.py FILE...

Exits with 1 if a file was changed.
"""

import sys
from collections.abc import Iterable
from pathlib import Path


def ended(content: bytes) -> bytes:
    """The content with one newline at its end; empty content stays empty."""
    text = content.rstrip(b"\r\n")
    newline = b"\r\n" if content.endswith(b"\r\n") else b"\n"
    return text + newline if text else b""


def main(files: Iterable[str]) -> int:
    """Write files that end otherwise; 1 if there are any."""
    changed = 0
    for path in map(Path, files):
        content = path.read_bytes()
        if ended(content) != content:
            path.write_bytes(ended(content))
            print(f"{path}: end of file changed")  # noqa: T201
            changed = 1
    return changed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
