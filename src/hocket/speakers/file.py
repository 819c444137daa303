"""An open speaker store: transactions, and all exemplars as one matrix in memory."""

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
    """A connection to a store; threads may share it. Arguments are as in `SpeakerStore`."""

    def __init__(self, path: Path, *, create: bool, read_only: bool, timeout_s: float) -> None:
        self.path = path
        self._database = connect(path, create=create, read_only=read_only, timeout_s=timeout_s)
        self._lock = RLock()
        self._own_changes = 0
        self._known: tuple[tuple[int, int], ExemplarIndex] | None = None

    def close(self) -> None:
        """Close the file."""
        with self._lock, explained(self.path):
            self._database.close()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A consistent snapshot of the file, despite writers; StoreError if it cannot be read."""
        with self._lock, explained(self.path), transaction(self._database, "DEFERRED"):
            yield self._database

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """All changes made inside, or none; StoreError if the file cannot be written."""
        with self._lock, explained(self.path), transaction(self._database):
            self._own_changes += 1  # counted before it is certain: one read too many is harmless
            self._database.execute("DELETE FROM models WHERE 0")  # fails if the file is read-only
            yield self._database

    def known(self, database: sqlite3.Connection, model: EmbeddingModel) -> ExemplarIndex:
        """All exemplars, read again only if the file has changed.

        Raises:
            StoreError: they are of another model.
        """
        rows.check_model(database, model, str(self.path))
        (others,) = database.execute("PRAGMA data_version").fetchone()
        version = (int(others), self._own_changes)
        if self._known is None or self._known[0] != version:
            self._known = version, rows.read_known(database, str(self.path))
        return self._known[1]

    def erase(self, voices: Sequence[bytes]) -> None:
        """Remove all traces of deleted rows, and check that the embeddings `voices` are gone."""
        with self._lock, explained(self.path):
            erase(self._database, self.path, voices)
