"""The table of jobs: one SQLite file that several processes use.

What was accepted is on disk before the answer is given. A worker takes a job in one transaction, so
no job has two workers. What a killed process was doing is queued again when the service starts.
"""

import json
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from threading import RLock
from typing import Any, Self

from hocket.errors import CapacityError, JobError, StoreError, UnknownJobError, one_line
from hocket.server.jobs import ENDED, STATUSES, Job, Status

APPLICATION = 0x686F636A  # "hocj": marks a table of jobs among other SQLite databases
SCHEMA = 1
WAIT_S = 30.0  # for other processes
MOST_CRASHES = 3  # of workers, by one job

_TABLE = f"""CREATE TABLE IF NOT EXISTS jobs (
    place INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    status TEXT NOT NULL CHECK (status IN {STATUSES}),
    name TEXT NOT NULL,
    size INTEGER NOT NULL,
    created REAL NOT NULL,
    options TEXT NOT NULL,
    started REAL,
    finished REAL,
    stage TEXT NOT NULL DEFAULT '',
    done INTEGER NOT NULL DEFAULT 0,
    total INTEGER NOT NULL DEFAULT 0,
    problem TEXT NOT NULL DEFAULT '',
    error TEXT NOT NULL DEFAULT '',
    is_cancelling INTEGER NOT NULL DEFAULT 0,
    attempts INTEGER NOT NULL DEFAULT 0,
    crashes INTEGER NOT NULL DEFAULT 0,
    worker TEXT NOT NULL DEFAULT '',
    changed INTEGER NOT NULL DEFAULT 0
)"""
_FURTHER = (
    "CREATE INDEX IF NOT EXISTS waiting ON jobs (status, place)",
    "CREATE INDEX IF NOT EXISTS changes ON jobs (changed)",
    # deleted jobs take their numbers with them, and none may come again
    "CREATE TABLE IF NOT EXISTS last_change (number INTEGER NOT NULL)",
    "INSERT INTO last_change SELECT 0 WHERE NOT EXISTS (SELECT * FROM last_change)",
    *(
        f"CREATE TRIGGER IF NOT EXISTS changed_by_{event.split()[0].lower()} AFTER {event} ON jobs"  # noqa: S608
        " BEGIN UPDATE last_change SET number = number + 1;"
        " UPDATE jobs SET changed = (SELECT number FROM last_change)"
        " WHERE place = NEW.place; END"
        for event in ("INSERT", "UPDATE OF status, stage, done, total, is_cancelling, problem")
    ),
)
_COLUMNS = ", ".join(each.name for each in fields(Job))
_RUNNING = f"SELECT {_COLUMNS} FROM jobs WHERE status = 'running'"  # noqa: S608 - constants
_NEXT = "SELECT id FROM jobs WHERE status = 'queued' ORDER BY place LIMIT 1"

_WAITING = "SELECT count(*) FROM jobs WHERE status = 'queued'"
_POSITION = """SELECT count(*) FROM jobs AS other JOIN jobs AS own ON own.id = ?
    WHERE own.status = 'queued' AND other.status = 'queued' AND other.place <= own.place"""
_SECONDS = """SELECT avg(finished - started) FROM (SELECT started, finished FROM jobs
    WHERE status = 'done' ORDER BY place DESC LIMIT 20)"""


class JobTable:
    """Jobs in a file; threads may share it.

    Args:
        path: of the file, which is created if it does not exist.
        most_waiting: jobs that may be queued at once.

    Raises:
        StoreError: the file is no table of jobs, is damaged, or cannot be opened.
    """

    def __init__(self, path: Path, *, most_waiting: int = 100) -> None:
        self.path, self.most_waiting = path, most_waiting
        self._lock = RLock()
        with self._explained():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch(0o600)  # names of recordings are nobody else's business
            self._database = sqlite3.connect(
                path, WAIT_S, isolation_level=None, check_same_thread=False
            )
            try:
                self._prepare()
            except BaseException:
                self._database.close()
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._database.close()

    def add(self, job_id: str, name: str, size: int, options: Mapping[str, Any]) -> Job:
        """Queue a job whose recording is in the spool.

        Raises:
            CapacityError: as many jobs wait as may.
        """
        row = (job_id, "queued", name, size, time.time(), json.dumps(dict(options)))
        with self._writing() as database:
            self._check_room(database)
            database.execute(
                "INSERT INTO jobs (id, status, name, size, created, options)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                row,
            )
            return _one(database, job_id)

    def check_room(self) -> None:
        """Raise CapacityError if as many jobs wait as may."""
        with self._lock, self._explained():
            self._check_room(self._database)

    def get(self, job_id: str) -> Job:
        """A job; UnknownJobError if there is none of that id."""
        with self._lock, self._explained():
            return _one(self._database, job_id)

    def every(self, status: Status | None = None) -> list[Job]:
        """All jobs, or those of one status, in the order in which they were accepted."""
        where = "" if status is None else "WHERE status = ?"
        values = () if status is None else (status,)
        with self._lock, self._explained():
            rows = self._database.execute(
                f"SELECT {_COLUMNS} FROM jobs {where} ORDER BY place",  # noqa: S608 - constants
                values,
            )
            return [_job(row) for row in rows]

    def newest(self, most: int, status: Status | None = None) -> list[Job]:
        """So many jobs, or those of one status, the one that was accepted last first."""
        where = "" if status is None else "WHERE status = :status"
        with self._lock, self._explained():
            rows = self._database.execute(
                f"SELECT {_COLUMNS} FROM jobs {where} ORDER BY place DESC LIMIT :most",  # noqa: S608 - constants
                {"status": status, "most": most},
            )
            return [_job(row) for row in rows]

    def position(self, job_id: str) -> int | None:
        """Place of a job among those that wait, from 1; None if it does not wait."""
        with self._lock, self._explained():
            (found,) = self._database.execute(_POSITION, (job_id,)).fetchone()
        return found or None

    def seconds_a_job(self) -> float | None:
        """How long the last jobs took, on average; None if none is known."""
        with self._lock, self._explained():
            (found,) = self._database.execute(_SECONDS).fetchone()
        return None if found is None else float(found)

    def changed_since(self, number: int) -> tuple[list[Job], int]:
        """Jobs that were changed after a change of that number, and the number of the last change.

        Deleted jobs are not among them.
        """
        with self._lock, self._explained():
            rows = self._database.execute(
                f"SELECT {_COLUMNS}, changed FROM jobs WHERE changed > ? ORDER BY changed",  # noqa: S608 - constants
                (number,),
            ).fetchall()
        return [_job(row[:-1]) for row in rows], rows[-1][-1] if rows else number

    def counts(self) -> dict[Status, int]:
        """How many jobs there are, by status."""
        with self._lock, self._explained():
            rows = self._database.execute("SELECT status, count(*) FROM jobs GROUP BY status")
            return dict.fromkeys(STATUSES, 0) | dict(rows.fetchall())

    def take(self, worker: str = "") -> Job | None:
        """The job that has waited longest, which a worker runs from now on; None if none waits."""
        with self._writing() as database:
            found = database.execute(_NEXT).fetchone()
            if found is None:
                return None
            database.execute(
                "UPDATE jobs SET status = 'running', started = ?, attempts = attempts + 1,"
                " worker = ? WHERE id = ?",
                (time.time(), worker, found[0]),
            )
            return _one(database, found[0])

    def advance(self, job_id: str, stage: str, done: int, total: int) -> bool:
        """Note how far a running job has come; returns whether it is to go on."""
        with self._writing() as database:
            changed = database.execute(
                "UPDATE jobs SET stage = ?, done = ?, total = ?"
                " WHERE id = ? AND status = 'running' AND NOT is_cancelling",
                (stage, done, total, job_id),
            )
            return changed.rowcount == 1

    def end(self, job_id: str, status: Status, problem: str = "", error: str = "") -> Job:
        """End a running job, as done, failed or cancelled, with what `Job` has of a failure.

        Raises:
            JobError: it does not run; what another process has ended stays as it is.
        """
        if status not in ENDED:
            raise JobError(f"a job cannot end as {status}; give one of {', '.join(ENDED)}")
        with self._writing() as database:
            changed = database.execute(
                "UPDATE jobs SET status = ?, finished = ?, problem = ?, error = ?,"
                " is_cancelling = 0 WHERE id = ? AND status = 'running'",
                (status, time.time(), one_line(problem), error, job_id),
            )
            job = _one(database, job_id)
            if not changed.rowcount:
                raise JobError(f"job {job.id} is {job.status}, not running; it stays as it is")
            return job

    def cancel(self, job_id: str) -> Job:
        """Cancel a job: at once if it waits, soon if it runs; an ended one stays as it is."""
        with self._writing() as database:
            database.execute(
                "UPDATE jobs SET status = 'cancelled', finished = ?"
                " WHERE id = ? AND status = 'queued'",
                (time.time(), job_id),
            )
            database.execute(
                "UPDATE jobs SET is_cancelling = 1 WHERE id = ? AND status = 'running'", (job_id,)
            )
            return _one(database, job_id)

    def remove(self, job_id: str) -> Job:
        """Delete an ended job; JobError if it still waits or runs."""
        with self._writing() as database:
            job = _one(database, job_id)
            if not job.has_ended:
                raise JobError(f"job {job.id} is {job.status}; cancel it first")
            database.execute("DELETE FROM jobs WHERE id = ?", (job_id,))
            return job

    def crashed(self, job_id: str) -> Job:
        """Queue a running job again whose worker has ended; it fails after MOST_CRASHES of them."""
        with self._writing() as database:
            job = _one(database, job_id)
            if job.status != "running":
                return job
            crashes = job.crashes + 1
            problem = f"ended its worker {crashes} times; the recording may be too large"
            failed = crashes >= MOST_CRASHES and not job.is_cancelling
            status = "cancelled" if job.is_cancelling else "failed" if failed else "queued"
            _set(database, job_id, status, problem if failed else "", crashes)
            return _one(database, job_id)

    def recover(self, finished: Sequence[str] = ()) -> list[Job]:
        """Queue again what was running when the service ended; to be called before any worker.

        Args:
            finished: jobs whose results are complete in the spool; they are done.

        Returns:
            The jobs that were running, as they are now. One that was to be cancelled is.
        """
        with self._writing() as database:
            running = [_job(row) for row in database.execute(_RUNNING)]
            for job in running:
                status = "cancelled" if job.is_cancelling else "queued"
                _set(database, job.id, "done" if job.id in finished else status, "", job.crashes)
            return [_one(database, job.id) for job in running]

    def _check_room(self, database: sqlite3.Connection) -> None:
        (waiting,) = database.execute(_WAITING).fetchone()
        if waiting >= self.most_waiting:
            raise CapacityError(f"{waiting} jobs are waiting, the most there may be; try later")

    def _prepare(self) -> None:
        database = self._database
        (application,) = database.execute("PRAGMA application_id").fetchone()
        (tables,) = database.execute("SELECT count(*) FROM sqlite_master").fetchone()
        (schema,) = database.execute("PRAGMA user_version").fetchone()
        if application != APPLICATION and (tables or application):
            raise StoreError(f"{self.path}: is no table of jobs; give another folder")
        if schema > SCHEMA:
            raise StoreError(f"{self.path}: was written by a newer hocket; update this one")
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")  # accepted means kept, also without power
        with self._transaction():
            database.execute(_TABLE)
            for statement in _FURTHER:
                database.execute(statement)
            database.execute(f"PRAGMA application_id = {APPLICATION}")
            database.execute(f"PRAGMA user_version = {SCHEMA}")

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._lock, self._explained(), self._transaction():
            yield self._database

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            raise
        self._database.execute("COMMIT")

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            remedy = "check the disk, or move the file away"
            raise StoreError(f"{self.path}: cannot be used ({error}); {remedy}") from error


def _set(
    database: sqlite3.Connection, job_id: str, status: str, problem: str, crashes: int
) -> None:
    """Take a running job from its worker."""
    ended = None if status == "queued" else time.time()
    database.execute(
        "UPDATE jobs SET status = ?, problem = ?, finished = ?, crashes = ?, is_cancelling = 0,"
        " stage = '', done = 0, total = 0 WHERE id = ?",
        (status, problem, ended, crashes, job_id),
    )


def _one(database: sqlite3.Connection, job_id: str) -> Job:
    row = database.execute(
        f"SELECT {_COLUMNS} FROM jobs WHERE id = ?",  # noqa: S608 - constants
        (job_id,),
    ).fetchone()
    if row is None:
        raise UnknownJobError(f"there is no job '{job_id[:40]}'; it may have been deleted")
    return _job(row)


def _job(row: Sequence[Any]) -> Job:
    values = dict(zip((each.name for each in fields(Job)), row, strict=True))
    values["options"] = json.loads(values["options"])
    values["is_cancelling"] = bool(values["is_cancelling"])
    return Job(**values)
