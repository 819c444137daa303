"""Compiled graphs kept between runs.

A compiled graph comes back from disk in a fraction of the time it takes to compile. Each file
begins with the hash of the rest, so that a runtime never parses bytes that a crash or a full disk
left half written. A cache that cannot be used costs a warning and the time to compile, never a run.
"""

import hashlib
import logging
import os
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path

import platformdirs

KEPT = 12
"""Files kept; a graph has one or two, and an upgrade of what they depend on leaves them behind."""

_DIGEST_BYTES = hashlib.sha256().digest_size
_log = logging.getLogger(__name__)


def cache_folder() -> Path:
    """Where compiled graphs lie; `HOCKET_CACHE` names another folder."""
    chosen = os.environ.get("HOCKET_CACHE")
    return Path(chosen) if chosen else platformdirs.user_cache_path("hocket") / "compiled"


def key_of(*parts: str | bytes) -> str:
    """A name for what was made from all these parts."""
    total = hashlib.sha256()
    for part in parts:
        raw = part.encode() if isinstance(part, str) else part
        total.update(hashlib.sha256(raw).digest())
    return total.hexdigest()[:32]


def fetch(key: str) -> bytes | None:
    """What was stored under a key; None, and a warning if it is damaged, if it cannot be had."""
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
    """Forget what is stored under a key, with a warning: it is not what was stored."""
    path = _path(key)
    _warn(f"{path}: damaged compile cache; compiling again")
    with suppress(OSError):
        path.unlink()


def store(key: str, compiled: bytes) -> None:
    """Keep a compiled graph under a key, and drop those not stored or used for longest."""
    path = _path(key)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".")
        try:
            with open(handle, "wb") as file:
                file.write(hashlib.sha256(compiled).digest())
                file.write(compiled)
            os.replace(temporary, path)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary)
            raise
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
    """Once for each message, however many graphs it is true of."""
    _log.warning("%s", message)
