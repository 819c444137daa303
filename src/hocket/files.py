"""Output files: distinct names, and atomic writes."""

import os
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from hocket.errors import OutputError


def distinct_names(stems: Sequence[str]) -> list[str]:
    """A name for each stem; repeated stems get -2, -3, … in order.

    Names that differ only in case count as equal: some file systems cannot hold both.
    """
    reserved = {stem.casefold() for stem in stems}
    taken: set[str] = set()
    names = []
    for stem in stems:
        name, number = stem, 1
        while name.casefold() in taken or (number > 1 and name.casefold() in reserved):
            number += 1
            name = f"{stem}-{number}"
        taken.add(name.casefold())
        names.append(name)
    return names


def write_whole(
    path: Path,
    content: str | bytes,
    remedy: str = "choose another path",
    *,
    private: bool = False,
) -> None:
    """Write an output file atomically; it has its name only once it is complete.

    Args:
        path: the file; missing folders are created.
        content: its content; text is encoded as UTF-8, line ends are kept.
        remedy: what the error tells the user to do.
        private: only the owner may read the file, whatever the process's usual permissions.

    Raises:
        OutputError: the file cannot be written; nothing is left behind.
    """
    try:
        replace_file(path, content.encode() if isinstance(content, str) else content, private)
    except OSError as error:
        reason = error.strerror or str(error)
        raise OutputError(f"{path}: cannot write: {reason}; {remedy}") from error


def replace_file(path: Path, content: bytes, private: bool) -> None:
    """Write a file atomically; arguments as in `write_whole`.

    Raises:
        OSError: the file cannot be written; nothing is left behind.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:32]}.")
    try:
        with open(handle, "wb") as file:
            file.write(content)
        os.chmod(temporary, 0o600 if private else 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise


def _umask() -> int:
    """The permissions denied to new files; the system reports them only when they are set."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
