"""A file of speakers in use: transactions, and all exemplars as one matrix kept in memory."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import RLock

from hocket.result import EmbeddingModel
from hocket.speakers import rows
from hocket.speakers.erasure import erase
from hocket.speakers.matching import ExemplarIndex
from hocket.speakers.schema import connect, explained, transaction


class SpeakerFile:
    """One connection to a file; see `SpeakerStore` for the arguments. Threads may share it."""

    def __init__(self, path: Path, *, create: bool, read_only: bool, timeout_s: float) -> None:
        self.path = path
        self._database = connect(path, create=create, read_only=read_only, timeout_s=timeout_s)
        self._lock = RLock()
        self._own_changes = 0
        self._known: tuple[tuple[int, int], ExemplarIndex] | None = None

    def close(self) -> None:
        """Let go of the file."""
        with self._lock, explained(self.path):
            self._database.close()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """One state of the file, whoever writes meanwhile; StoreError if it cannot be read."""
        with self._lock, explained(self.path), transaction(self._database, "DEFERRED"):
            yield self._database

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """All changes made inside, or none; StoreError if they cannot be made."""
        with self._lock, explained(self.path), transaction(self._database):
            self._own_changes += 1  # before it is certain: to read once too often does no harm
            yield self._database

    def known(self, database: sqlite3.Connection, model: EmbeddingModel) -> ExemplarIndex:
        """All exemplars as `reading` has them; read again only if the file has changed.

        Raises:
            StoreError: they are another model's.
        """
        rows.check_model(database, model, str(self.path))
        (others,) = database.execute("PRAGMA data_version").fetchone()
        version = (int(others), self._own_changes)
        if self._known is None or self._known[0] != version:
            self._known = version, rows.read_known(database, str(self.path))
        return self._known[1]

    def erase(self, voices: Sequence[bytes]) -> None:
        """Leave nothing of what was deleted, embeddings `voices` above all."""
        with self._lock, explained(self.path):
            erase(self._database, self.path, voices)
