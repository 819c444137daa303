"""Worker processes: one for each slot, started again when they end.

A worker is a process of its own, so that a recording that brings it down takes no other with it,
and the service goes on answering. A worker ends with the service, however that ends.
"""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any, Self

from hocket.recognition.settings import RecognitionConfig
from hocket.server.spool import Spool
from hocket.server.table import JobTable
from hocket.server.work import Worker

LOOK_S = 0.2  # between looks for a job, and at processes
GRACE_S = 10.0  # for running jobs when the service ends


@dataclass(frozen=True)
class Service:
    """Where jobs are, and how they are done; the same for the service and its workers.

    folder: of the table and the spool.
    slots: workers, each of which does one job at a time.
    threads: processor threads of a worker; None: the cores, divided among the workers.
    most_waiting: jobs that may be queued at once.
    most_bytes: of one upload.
    free_bytes: that stay free on the disk.
    recognition: how speech is recognized, where a job asks for it.
    """

    folder: Path
    slots: int = 1
    threads: int | None = None
    most_waiting: int = 100
    most_bytes: int = 1 << 31
    free_bytes: int = 1 << 30
    recognition: RecognitionConfig = field(default_factory=RecognitionConfig)

    def open_table(self) -> JobTable:
        """The table of jobs; errors as in `JobTable`."""
        return JobTable(self.folder / "jobs.db", most_waiting=self.most_waiting)

    def open_spool(self) -> Spool:
        """The folder of uploads and results; errors as in `Spool`."""
        place = self.folder / "spool"
        return Spool(place, most_bytes=self.most_bytes, free_bytes=self.free_bytes)


class WorkerPool:
    """The workers of a service, from `with` to its end.

    Args:
        service: where jobs are.
        table: of the service, in this process.
        spool: of the service.
    """

    def __init__(self, service: Service, table: JobTable, spool: Spool) -> None:
        self._service, self._table, self._spool = service, table, spool
        self._context = multiprocessing.get_context("spawn")  # networks do not survive a fork
        self._stop = self._context.Event()
        self._processes: dict[str, SpawnProcess] = {}
        self._watch = threading.Thread(target=self._watched, name="hocket-workers", daemon=True)
        self._started = 0

    def __enter__(self) -> Self:
        self._spool.clean(job.id for job in self._table.every())
        self._table.recover(self._spool.finished())
        for _ in range(self._service.slots):
            self._start()
        self._watch.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Let workers finish for GRACE_S; what runs then is done after the next start."""
        self._stop.set()
        self._watch.join()
        for process in self._processes.values():
            process.join(GRACE_S)
            if process.is_alive():
                process.kill()
                process.join()
        self._table.recover(self._spool.finished())

    @property
    def processes(self) -> dict[str, int]:
        """Numbers of the processes, by name of the worker."""
        return {name: process.pid or 0 for name, process in self._processes.items()}

    def _start(self) -> None:
        self._started += 1
        name = f"worker-{os.getpid()}-{self._started}"
        process = self._context.Process(
            target=_run, args=(self._service, name, self._stop), name=name, daemon=True
        )
        process.start()
        self._processes[name] = process

    def _watched(self) -> None:
        while not self._stop.wait(LOOK_S):
            for name, process in list(self._processes.items()):
                if not process.is_alive():
                    del self._processes[name]
                    self._take_from(name)
                    self._start()

    def _take_from(self, worker: str) -> None:
        """Queue the job again that a worker ran when it ended, unless its result is complete."""
        for job in self._table.every("running"):
            if job.worker == worker:
                if job.id in self._spool.finished():
                    self._table.end(job.id, "done")
                else:
                    self._table.crashed(job.id)


def _run(service: Service, name: str, stop: Any) -> None:
    """A worker process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the service, which then ends us
    _end_with_parent()
    threads = service.threads or max(1, (os.cpu_count() or 1) // service.slots)
    with service.open_table() as table:
        worker = Worker(
            table, service.open_spool(), threads=threads, recognition=service.recognition, name=name
        )
        worker.load()
        while not stop.is_set():
            if worker.do_next() is None:
                stop.wait(LOOK_S)


def _end_with_parent(end: Callable[[int], Any] = os._exit) -> None:
    """End this process when the service does, even if that was killed: two must not do one job."""
    parent = multiprocessing.parent_process()

    def wait() -> None:
        if parent is not None:
            parent.join()
            end(1)

    threading.Thread(target=wait, name="hocket-parent", daemon=True).start()
