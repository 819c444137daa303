"""Worker processes: all jobs are done once, also if a worker or the whole service is killed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hocket.server.jobs import Job
from hocket.server.service import Service
from hocket.server.table import JobTable
from hocket.server.workers import WorkerPool
from tests.helpers.paths import CLIPS

PATIENCE_S = 120


def service(folder: Path) -> Service:
    return Service(folder, slots=2, threads=1, free_bytes=0)


def accept(settings: Service, count: int) -> None:
    """Put so many recordings into the queue of a service that may or may not run."""
    content = sorted(CLIPS.glob("*.flac"))[0].read_bytes()
    spool = settings.open_spool()
    with settings.open_table() as table:
        for number in range(count):
            job_id = f"job{number:09d}"
            table.add(job_id, "talk.flac", spool.receive(job_id, [content]), {})


def ended(table: JobTable, count: int) -> list[Job]:
    """The jobs, once so many have ended."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        jobs = [job for job in table.every() if job.has_ended]
        if len(jobs) == count:
            return jobs
        time.sleep(0.05)
    raise AssertionError([(job.id, job.status) for job in table.every()])


def results(settings: Service, jobs: list[Job]) -> set[str]:
    spool = settings.open_spool()
    return {spool.result(job.id).read_text() for job in jobs}


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_a_killed_worker_is_replaced_and_its_job_done(tmp_path: Path) -> None:
    settings = service(tmp_path)
    accept(settings, 6)
    with settings.open_table() as table, WorkerPool(settings, table, settings.open_spool()) as pool:
        first = pool.processes
        while not (running := table.every("running")):
            time.sleep(0.02)
        os.kill(first[running[0].worker], signal.SIGKILL)
        jobs = ended(table, 6)
        assert {job.status for job in jobs} == {"done"}
        assert table.get(running[0].id).crashes <= 1
        assert len(results(settings, jobs)) == 1  # equal recordings, equal results
        assert set(pool.processes) != set(first)
        processes = list(pool.processes.values())
    for number in processes:
        with pytest.raises(ProcessLookupError):
            os.kill(number, 0)


CHILD = """
import sys, time
from pathlib import Path
from hocket.server.service import Service
from hocket.server.table import JobTable
from hocket.server.workers import WorkerPool
if __name__ == "__main__":
    settings = Service(Path(sys.argv[1]), slots=2, threads=1, free_bytes=0)
    with settings.open_table() as table, WorkerPool(settings, table, settings.open_spool()) as pool:
        print(*pool.processes.values(), flush=True)
        time.sleep(600)
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_a_killed_service_loses_nothing_and_leaves_no_worker(tmp_path: Path) -> None:
    settings, program = service(tmp_path / "service"), tmp_path / "serve.py"
    program.write_text(CHILD)
    accept(settings, 5)
    with settings.open_table() as table:
        command = [sys.executable, str(program), str(settings.folder)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            workers = [int(number) for number in child.stdout.readline().split()]
            while not any(job.status == "done" for job in table.every()):
                time.sleep(0.02)
            child.send_signal(signal.SIGKILL)
        until = time.monotonic() + 10
        while any(map(is_alive, workers)) and time.monotonic() < until:
            time.sleep(0.05)
        assert not any(map(is_alive, workers))
        before = {job.id: job.attempts for job in table.every("done")}
        with WorkerPool(settings, table, settings.open_spool()):
            jobs = ended(table, 5)
        assert {job.status for job in jobs} == {"done"}
        assert len(results(settings, jobs)) == 1
        assert all(job.attempts == before[job.id] for job in jobs if job.id in before)


def is_alive(number: int) -> bool:
    """Whether a process runs; one that has ended and waits for its parent does not."""
    try:
        state = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"
