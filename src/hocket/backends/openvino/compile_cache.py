"""A cache of compiled graphs on disk.

Reading a compiled graph takes a fraction of the time to compile it. Each file begins with the hash
of the rest, so a runtime never parses a file that a crash or a full disk left incomplete. An
unusable cache costs a warning and the time to compile, but is never an error.
"""

import hashlib
import logging
import os
from contextlib import suppress
from functools import cache
from pathlib import Path

import platformdirs

from hocket.files import replace_file

KEPT = 12
"""Number of files kept. A graph has one or two; upgrades leave unused ones behind."""

_DIGEST_BYTES = hashlib.sha256().digest_size
_log = logging.getLogger(__name__)


def cache_folder() -> Path:
    """Folder of the compiled graphs; the environment variable `HOCKET_CACHE` overrides it."""
    chosen = os.environ.get("HOCKET_CACHE")
    return Path(chosen) if chosen else platformdirs.user_cache_path("hocket") / "compiled"


def key_of(*parts: str | bytes) -> str:
    """A key for data that was made from all these parts."""
    total = hashlib.sha256()
    for part in parts:
        raw = part.encode() if isinstance(part, str) else part
        total.update(hashlib.sha256(raw).digest())
    return total.hexdigest()[:32]


def fetch(key: str) -> bytes | None:
    """The data stored under a key, or None; a damaged or unreadable file gives a warning."""
    path = _path(key)
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        _warn(f"{path}: cannot be read ({error.strerror or error}); compiling again")
        return None
    digest, compiled = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
    if hashlib.sha256(compiled).digest() != digest:
        reject(key)
        return None
    return compiled


def reject(key: str) -> None:
    """Delete a damaged file, with a warning."""
    path = _path(key)
    _warn(f"{path}: damaged compile cache; compiling again")
    with suppress(OSError):
        path.unlink()


def store(key: str, compiled: bytes) -> None:
    """Store a compiled graph under a key, and delete the oldest files beyond `KEPT`."""
    path = _path(key)
    try:
        replace_file(path, hashlib.sha256(compiled).digest() + compiled, private=True)
        files = sorted(path.parent.glob("*.compiled"), key=lambda file: file.stat().st_mtime)
        for old in files[:-KEPT]:
            old.unlink(missing_ok=True)
    except OSError as error:
        _warn(
            f"{path.parent}: cannot be written ({error.strerror or error}); graphs are compiled at "
            "every start, name another folder in HOCKET_CACHE"
        )


def _path(key: str) -> Path:
    return cache_folder() / f"{key}.compiled"


@cache
def _warn(message: str) -> None:
    """Log a message once, however many graphs it applies to."""
    _log.warning("%s", message)
