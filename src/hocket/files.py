"""Where results go: file names that stay apart, files that are whole or absent."""

import os
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from hocket.errors import OutputError


def distinct_paths(folder: Path, stems: Sequence[str], suffix: str) -> list[Path]:
    """One path in `folder` for every stem; equal stems get -2, -3, … in order.

    Names that differ only by case count as equal: some file systems cannot hold both.
    """
    reserved = {stem.casefold() for stem in stems}
    taken: set[str] = set()
    paths = []
    for stem in stems:
        name, number = stem, 1
        while name.casefold() in taken or (number > 1 and name.casefold() in reserved):
            number += 1
            name = f"{stem}-{number}"
        taken.add(name.casefold())
        paths.append(folder / f"{name}{suffix}")
    return paths


def write_whole(
    path: Path,
    content: str | bytes,
    remedy: str = "choose another place with -o",
    *,
    private: bool = False,
) -> None:
    """Write a file under its name only once it is complete.

    Args:
        path: where; missing folders are made.
        content: text is written as UTF-8 with the line ends it has.
        remedy: what to say to a user for whom it cannot be written.
        private: nobody else may read it, whatever other files may be.

    Raises:
        OutputError: the file cannot be written; nothing is left behind.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:32]}.")
        try:
            with open(handle, "wb") as file:
                file.write(content.encode() if isinstance(content, str) else content)
            os.chmod(temporary, 0o600 if private else 0o666 & ~_umask())
            os.replace(temporary, path)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary)
            raise
    except OSError as error:
        reason = error.strerror or str(error)
        raise OutputError(f"{path}: cannot write: {reason}; {remedy}") from error


def _umask() -> int:
    """The permissions new files are denied; the system tells them only by setting them."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
