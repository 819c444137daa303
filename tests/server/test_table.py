"""The table of jobs: none is lost, none runs twice at once, whatever happens to processes."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from hocket.errors import CapacityError, JobError, StoreError
from hocket.server.table import MOST_CRASHES, JobTable


@pytest.fixture
def table(tmp_path: Path) -> JobTable:
    return JobTable(tmp_path / "jobs.db", most_waiting=3)


def test_jobs_run_in_the_order_in_which_they_were_accepted(table: JobTable) -> None:
    for number in range(3):
        job = table.add(f"job{number:05d}", "a/../b.flac", 10, {"num_speakers": 2})
        assert (job.status, job.attempts, job.options) == ("queued", 0, {"num_speakers": 2})
    first = table.take()
    assert first is not None
    assert (first.id, first.status, first.attempts) == ("job00000", "running", 1)
    assert table.advance(first.id, "segmentation", 3, 9)
    assert (table.get(first.id).stage, table.get(first.id).done) == ("segmentation", 3)
    done = table.end(first.id, "done")
    assert done.finished is not None
    assert done.started is not None
    assert done.created <= done.started <= done.finished
    assert [job.id for job in table.every("queued")] == ["job00001", "job00002"]
    assert table.remove(first.id).id not in {job.id for job in table.every()}


def test_no_more_wait_than_may(table: JobTable) -> None:
    for number in range(3):
        table.add(f"job{number:05d}", "x", 1, {})
    with pytest.raises(CapacityError, match="3 jobs are waiting, the most there may be"):
        table.add("job00003", "x", 1, {})
    assert table.take() is not None
    table.add("job00003", "x", 1, {})


def test_a_job_is_cancelled_at_once_or_soon(table: JobTable) -> None:
    for name in ("waiting0", "running0"):
        table.add(name, "x", 1, {})
    assert table.cancel("waiting0").status == "cancelled"
    running = table.take()
    assert running is not None
    assert running.id == "running0"
    cancelling = table.cancel("running0")
    assert (cancelling.status, cancelling.is_cancelling) == ("running", True)
    assert not table.advance("running0", "embedding", 1, 2)  # so the worker stops
    assert table.end("running0", "cancelled").status == "cancelled"
    assert table.cancel("running0").status == "cancelled"


@pytest.mark.parametrize(
    ("act", "problem"),
    [
        (lambda table: table.get("no" * 400), "there is no job 'nono"),
        (lambda table: table.remove("queued00"), "job queued00 is queued; cancel it first"),
        (lambda table: table.end("queued00", "done"), "job queued00 is queued, not running"),
        (lambda table: table.end("queued00", "running"), "a job cannot end as running"),
    ],
)
def test_what_cannot_be_is_one_line(table: JobTable, act, problem: str) -> None:
    table.add("queued00", "x", 1, {})
    with pytest.raises(JobError, match=problem) as caught:
        act(table)
    assert len(str(caught.value)) < 200


def test_what_was_running_is_queued_again_unless_it_is_complete(tmp_path: Path) -> None:
    with JobTable(tmp_path / "jobs.db") as table:
        for name in ("complete", "brokenoff", "cancelled"):
            table.add(name, "x", 1, {})
            table.take()
        table.cancel("cancelled")
    with JobTable(tmp_path / "jobs.db") as again:
        found = {job.id: job.status for job in again.recover(finished=["complete"])}
        assert found == {"complete": "done", "brokenoff": "queued", "cancelled": "cancelled"}
        assert again.recover() == []


def test_changes_are_numbered_on_when_all_jobs_are_deleted(table: JobTable) -> None:
    table.add("first000", "x", 1, {})
    table.take()
    table.end("first000", "done")
    jobs, number = table.changed_since(0)
    assert [job.id for job in jobs] == ["first000"]
    table.remove("first000")
    table.add("second00", "x", 1, {})
    jobs, later = table.changed_since(number)
    assert [job.id for job in jobs] == ["second00"]
    assert later > number


def test_a_job_that_ends_its_worker_each_time_fails(table: JobTable) -> None:
    table.add("deadly00", "x", 1, {})
    for crashes in range(1, MOST_CRASHES + 1):
        assert table.take() is not None
        job = table.crashed("deadly00")
        assert (job.status, job.crashes) == ("queued" if crashes < 3 else "failed", crashes)
    assert "ended its worker 3 times" in job.problem
    assert table.crashed("deadly00") == job


def test_many_threads_and_processes_take_every_job_once(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    with JobTable(path) as table, JobTable(path) as other:
        for number in range(60):
            table.add(f"job{number:05d}", "x", 1, {})
        with ThreadPoolExecutor(6) as pool:
            taken = list(pool.map(lambda n: (table, other)[n % 2].take(), range(80)))
        found = [job.id for job in taken if job]
        assert sorted(found) == [f"job{number:05d}" for number in range(60)]


CHILD = """
import sys
from pathlib import Path
from hocket.server.table import JobTable
table = JobTable(Path(sys.argv[1]), most_waiting=10**6)
for number in range(10**6):
    job = table.add(f"{sys.argv[2]}{number:06d}", "x", 1, {})
    print(job.id, flush=True)
    if number % 3 == 2:
        taken = table.take()
        print("+", taken.id, flush=True)
        if number % 2:
            table.end(taken.id, "done")
            print("-", taken.id, flush=True)
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_what_was_accepted_is_there_after_a_kill(tmp_path: Path) -> None:
    path, accepted, ended = tmp_path / "jobs.db", set[str](), set[str]()
    for number in range(4):
        command = [sys.executable, "-c", CHILD, str(path), f"run{number}"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            child.stdout.readline()
            time.sleep(0.05 + 0.07 * number)
            child.send_signal(signal.SIGKILL)
            lines = child.stdout.read().splitlines()
        accepted |= {line for line in lines if line[0] not in "+-" and len(line) == 10}
        ended |= {line[2:] for line in lines if line.startswith("-") and len(line) == 12}
        with JobTable(path, most_waiting=10**6) as table:
            table.recover()
            jobs = {job.id: job for job in table.every()}
            assert accepted <= jobs.keys()
            assert {job.status for job in jobs.values()} <= {"queued", "done"}
            assert all(jobs[name].status == "done" for name in ended)
    assert len(accepted) > 20


def test_a_file_that_is_no_table_of_jobs_is_left_alone(tmp_path: Path) -> None:
    text, other, newer = (tmp_path / name for name in ("text.db", "other.db", "newer.db"))
    text.write_text("no database at all, and longer than a header\n" * 99)
    with sqlite3.connect(other) as database:
        database.execute("CREATE TABLE t (x)")
    database.close()
    with JobTable(newer) as table:
        table._database.execute("PRAGMA user_version = 99")
    for path, problem in (
        (text, "cannot be used (file is not a database)"),
        (other, "is no table of jobs"),
        (newer, "was written by a newer hocket"),
    ):
        before = path.read_bytes()
        with pytest.raises(StoreError) as caught:
            JobTable(path)
        assert problem in str(caught.value)
        assert path.read_bytes() == before


def test_what_is_accepted_survives_a_loss_of_power(table: JobTable) -> None:
    """No test can cut the power; SQLite keeps what it has committed with this setting."""
    assert table._database.execute("PRAGMA synchronous").fetchone() == (2,)


class Service(RuleBasedStateMachine):
    """A table beside a model of it in memory, through restarts."""

    jobs = Bundle("jobs")

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()
        self.path = Path(self.folder.name) / "jobs.db"
        self.table = JobTable(self.path, most_waiting=5)
        self.expected: dict[str, str] = {}
        self.attempts: dict[str, int] = {}

    @rule(target=jobs)
    def accept(self) -> str:
        name = f"job{len(self.attempts):06d}"
        self.attempts[name] = 0
        if list(self.expected.values()).count("queued") < 5:
            self.table.add(name, "x", 1, {})
            self.expected[name] = "queued"
        else:
            with pytest.raises(CapacityError):
                self.table.add(name, "x", 1, {})
        return name

    @rule()
    def take(self) -> None:
        waiting = [name for name, status in self.expected.items() if status == "queued"]
        job = self.table.take()
        assert (job.id if job else None) == (waiting[0] if waiting else None)
        if job:
            self.expected[job.id] = "running"
            self.attempts[job.id] += 1
            assert job.attempts == self.attempts[job.id]

    @rule(name=jobs, status=st.sampled_from(("done", "failed", "cancelled")))
    def end(self, name: str, status) -> None:
        if self.expected.get(name) == "running":
            self.table.end(name, status)
            self.expected[name] = status
        else:
            with pytest.raises(JobError):
                self.table.end(name, status)

    @rule(name=jobs)
    def cancel(self, name: str) -> None:
        if name in self.expected:
            self.table.cancel(name)
            if self.expected[name] == "queued":
                self.expected[name] = "cancelled"
            elif self.expected[name] == "running":
                self.table.end(name, "cancelled")
                self.expected[name] = "cancelled"

    @rule(name=consumes(jobs))
    def remove(self, name: str) -> None:
        if self.expected.get(name) in ("done", "failed", "cancelled"):
            self.table.remove(name)
            del self.expected[name]
        else:
            with pytest.raises(JobError):
                self.table.remove(name)

    @rule(complete=st.booleans())
    def restart(self, complete: bool) -> None:
        self.table.close()
        self.table = JobTable(self.path, most_waiting=5)
        running = [name for name, status in self.expected.items() if status == "running"]
        self.table.recover(finished=running if complete else ())
        for name in running:
            self.expected[name] = "done" if complete else "queued"

    @invariant()
    def the_table_has_what_is_expected(self) -> None:
        assert {job.id: job.status for job in self.table.every()} == self.expected

    def teardown(self) -> None:
        self.table.close()
        self.folder.cleanup()


Service.TestCase.settings = settings(max_examples=20, stateful_step_count=30, deadline=None)
TestService = Service.TestCase
