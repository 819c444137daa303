"""Erasure: deleted rows must be gone from the file and from its log.

SQLite overwrites deleted rows (`secure_delete`), but may leave copies of rows that it once moved to
another page. So the file is also rewritten, and the log is emptied.
"""

import mmap
import sqlite3
from collections.abc import Sequence
from pathlib import Path

from hocket.errors import StoreError
from hocket.speakers.schema import log_of

SEARCHED = 20  # embeddings to look for afterwards; rewriting treats all of them alike


def erase(database: sqlite3.Connection, path: Path, voices: Sequence[bytes]) -> None:
    """Rewrite the file without deleted rows, and check that no embedding is left in it.

    Args:
        database: a connection outside any transaction.
        path: its file.
        voices: the deleted embeddings, as stored in the file.

    Raises:
        StoreError: the file cannot be rewritten, as on a full disk; another process is reading an
            older state; or embeddings are left.
    """
    remedy = "run 'hocket speakers compact'"
    try:
        database.execute("VACUUM")
        busy, _, _ = database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    except sqlite3.Error as error:
        raise StoreError(
            f"{path}: deleted, but not yet overwritten ({error}); free some space, then {remedy}"
        ) from error
    files = (path, log_of(path))
    left = [file for file in files for voice in voices[:SEARCHED] if _holds(file, voice)]
    if busy or left:
        raise StoreError(
            f"{path}: deleted, but another process still reads it; when it has finished, {remedy}"
        )


def _holds(path: Path, voice: bytes) -> bool:
    if not path.exists() or not path.stat().st_size:
        return False
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return content.find(voice) >= 0
