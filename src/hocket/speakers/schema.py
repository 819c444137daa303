"""The file of a speaker store: an SQLite database, its tables, and its errors in a user's terms.

Several processes may use one file: readers never wait (write-ahead log), writers wait for each
other. Committed changes are on disk. Deleted rows are overwritten.
"""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from hocket.errors import StoreError
from hocket.speakers.values import key_of

APPLICATION = 0x686F636B  # "hock": marks a speaker store among other SQLite databases

_MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """CREATE TABLE models (
            sha256 TEXT PRIMARY KEY NOT NULL,
            name TEXT NOT NULL,
            dimension INTEGER NOT NULL CHECK (dimension > 0)
        )""",
        # AUTOINCREMENT: the id of a deleted speaker is never used again
        """CREATE TABLE speakers (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            name TEXT NOT NULL,
            name_key TEXT NOT NULL UNIQUE,
            permanent INTEGER NOT NULL CHECK (permanent IN (0, 1)),
            created_at TEXT NOT NULL,
            heard_at TEXT NOT NULL
        )""",
        """CREATE TABLE exemplars (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            speaker_id INTEGER NOT NULL REFERENCES speakers (id) ON DELETE CASCADE,
            model TEXT NOT NULL REFERENCES models (sha256),
            embedding BLOB NOT NULL,
            seconds REAL NOT NULL,
            source TEXT NOT NULL,
            start_s REAL NOT NULL,
            end_s REAL NOT NULL,
            alone INTEGER NOT NULL CHECK (alone IN (0, 1)),
            consent TEXT NOT NULL,
            added_at TEXT NOT NULL
        )""",
        "CREATE INDEX exemplars_of_speaker ON exemplars (speaker_id, id)",
    ),
    ("ALTER TABLE speakers RENAME COLUMN heard_at TO seen_at",),
    # keys were folded, so that Weiss and Weiß were one name
    ("UPDATE speakers SET name_key = key_of(name)",),
)
SCHEMA = len(_MIGRATIONS)
_VIEWS = {
    1: """CREATE TEMP VIEW speakers AS
        SELECT id, name, key_of(name) AS name_key, permanent, created_at, heard_at AS seen_at
        FROM main.speakers""",
    2: """CREATE TEMP VIEW speakers AS
        SELECT id, name, key_of(name) AS name_key, permanent, created_at, seen_at
        FROM main.speakers""",
}
"""For each older schema, a view that adapts a file which may not be written."""


def connect(path: Path, *, create: bool, read_only: bool, timeout_s: float) -> sqlite3.Connection:
    """Open the file of a speaker store, new or of this or an older schema.

    Args:
        path: the file.
        create: create it if it does not exist.
        read_only: refuse every change.
        timeout_s: how long to wait for other processes.

    Raises:
        StoreError: the file does not exist, is not a speaker store, has a newer schema, is damaged
            or locked, or may not be opened.
    """
    if not path.exists():
        if read_only or not create:
            remedy = "'hocket speakers enroll' and 'hocket speakers import' create one"
            raise StoreError(f"{path}: no such file; {remedy}")
        with suppress(OSError):  # SQLite reports the reason
            path.touch(0o600)  # only the owner may read voices; the log gets the same mode
    with explained(path):
        mode = "ro" if read_only else "rwc" if create else "rw"
        database = _open(path, mode, timeout_s)
        try:
            _prepare(database, path, timeout_s, may_be_empty=create and not read_only)
        except BaseException:
            database.close()
            raise
        return database


def _open(path: Path, mode: str, timeout_s: float) -> sqlite3.Connection:
    address = path.absolute().as_uri()
    try:
        return _connection(f"{address}?mode={mode}", timeout_s)
    except sqlite3.OperationalError as error:
        # in a write-protected folder SQLite cannot create a log; without a log, nobody is writing
        no_log = _primary(error) in {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY}
        if not no_log or not path.is_file() or log_of(path).exists():
            raise
        return _connection(f"{address}?mode=ro&immutable=1", timeout_s)


def _connection(address: str, timeout_s: float) -> sqlite3.Connection:
    # the threads of a store may share a connection, because the store has a lock
    database = sqlite3.connect(
        address, timeout_s, isolation_level=None, check_same_thread=False, uri=True
    )
    database.create_function("key_of", 1, key_of, deterministic=True)
    try:
        database.execute("PRAGMA user_version").fetchone()  # the first access to the file
    except BaseException:
        database.close()
        raise
    return database


def log_of(path: Path) -> Path:
    """Path of SQLite's write-ahead log of a file."""
    return path.with_name(f"{path.name}-wal")


def _prepare(
    database: sqlite3.Connection, path: Path, timeout_s: float, *, may_be_empty: bool
) -> None:
    """Check the file, migrate it to this schema, and configure the connection."""
    with transaction(database, "DEFERRED"):  # a snapshot: others may be creating the file
        version = _checked_version(database, path, may_be_empty=may_be_empty)
    database.execute("PRAGMA foreign_keys = ON")
    database.execute("PRAGMA secure_delete = ON")
    database.execute("PRAGMA synchronous = FULL")  # commits survive power cuts
    database.execute("PRAGMA temp_store = MEMORY")  # no voices in temporary files
    if version < SCHEMA:
        try:
            _enable_log(database, timeout_s)
            _migrate(database, path, may_be_empty=may_be_empty)
        except sqlite3.OperationalError as error:
            if version not in _VIEWS or _primary(error) != sqlite3.SQLITE_READONLY:
                raise
            database.execute(_VIEWS[version])


def _checked_version(database: sqlite3.Connection, path: Path, *, may_be_empty: bool) -> int:
    """Schema of the file, 0 if it is empty; StoreError if it is not a usable speaker store."""
    (version,) = database.execute("PRAGMA user_version").fetchone()
    (application,) = database.execute("PRAGMA application_id").fetchone()
    (tables,) = database.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if application != APPLICATION and (application or version or tables):
        raise StoreError(f"{path}: another program's database; give a speaker store")
    if version > SCHEMA:
        raise StoreError(
            f"{path}: made by a newer hocket (schema {version}, this one knows {SCHEMA}); "
            "run 'pip install --upgrade hocket'"
        )
    if not version and not may_be_empty:
        raise StoreError(f"{path}: an empty file; enroll a speaker with 'hocket speakers enroll'")
    return int(version)


def _enable_log(database: sqlite3.Connection, timeout_s: float) -> None:
    """Switch the file to a write-ahead log for good; SQLite does not wait for others here."""
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            database.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if _primary(error) != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


def _migrate(database: sqlite3.Connection, path: Path, *, may_be_empty: bool) -> None:
    with transaction(database):
        version = _checked_version(
            database, path, may_be_empty=may_be_empty
        )  # others may have migrated it
        for statements in _MIGRATIONS[version:]:
            for statement in statements:
                database.execute(statement)
        database.execute(f"PRAGMA application_id = {APPLICATION}")
        database.execute(f"PRAGMA user_version = {SCHEMA}")


@contextmanager
def transaction(database: sqlite3.Connection, kind: str = "IMMEDIATE") -> Iterator[None]:
    """A transaction: all changes made inside, or none; IMMEDIATE to write, DEFERRED to read."""
    database.execute(f"BEGIN {kind}")
    try:
        yield
        database.execute("COMMIT")
    except BaseException:
        if database.in_transaction:  # on a full disk, SQLite has already rolled it back
            database.execute("ROLLBACK")
        raise


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into a StoreError that names the file and a remedy."""
    try:
        yield
    except sqlite3.Error as error:
        problem, remedy = _EXPLANATIONS.get(_primary(error), (str(error), "try again"))
        raise StoreError(f"{path}: {problem}; {remedy}") from error


def _primary(error: sqlite3.Error) -> int | None:
    """SQLite's primary error code; None if the error is not from SQLite itself."""
    code = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF


_RESTORE = "restore a backup, or import what 'hocket speakers export' wrote into a new file"
_WAIT = "try again when it has finished"
_EXPLANATIONS = {
    sqlite3.SQLITE_BUSY: ("another process is writing to it or holds it", _WAIT),
    sqlite3.SQLITE_LOCKED: ("another part of this process is writing to it", _WAIT),
    sqlite3.SQLITE_READONLY: (
        "may only be read; nothing was changed",
        "make the file and its folder writable, or work on a copy",
    ),
    sqlite3.SQLITE_FULL: (
        "the disk is full; nothing was changed",
        "free some space and do it again",
    ),
    sqlite3.SQLITE_IOERR: (
        "the disk failed to read or write it",
        "check the disk and its free space, then do it again",
    ),
    sqlite3.SQLITE_CORRUPT: ("damaged", _RESTORE),
    sqlite3.SQLITE_NOTADB: ("not a speaker store, or damaged", _RESTORE),
    sqlite3.SQLITE_CANTOPEN: (
        "cannot be opened",
        "check that its folder exists and that the file may be read",
    ),
    sqlite3.SQLITE_PERM: ("may not be opened", "ask its owner for permission"),
    None: ("was closed", "open the store again"),
}
