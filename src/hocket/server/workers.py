"""Worker processes: one for each slot, started again when they end.

A worker is a process of its own, so that a recording that brings it down takes no other with it,
and the service goes on answering. A worker ends with the service, however that ends.
"""

import multiprocessing
import os
import threading
import time
from multiprocessing.context import SpawnProcess
from typing import Any, Self

from hocket.server.service import Service
from hocket.server.side import prepare_process
from hocket.server.spool import Spool
from hocket.server.table import JobTable
from hocket.server.work import Worker

LOOK_S = 0.2  # between looks for a job, and at processes
GRACE_S = 10.0  # for running jobs when the service ends


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
        self._loaded: dict[str, Any] = {}  # events, by name of the worker
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

    @property
    def ready(self) -> int:
        """How many workers have loaded their networks."""
        return sum(event.is_set() for event in tuple(self._loaded.values()))

    def _start(self) -> None:
        self._started += 1
        name = f"worker-{os.getpid()}-{self._started}"
        loaded = self._context.Event()
        arguments = (self._service, name, self._stop, loaded)
        process = self._context.Process(target=_run, args=arguments, name=name, daemon=True)
        process.start()
        self._processes[name], self._loaded[name] = process, loaded

    def _watched(self) -> None:
        while not self._stop.wait(LOOK_S):
            self._end_overdue()
            for name, process in list(self._processes.items()):
                if not process.is_alive():
                    del self._processes[name], self._loaded[name]
                    self._take_from(name)
                    self._start()

    def _end_overdue(self) -> None:
        """Kill the workers of jobs that run longer than they may, whatever they compute."""
        limit = self._service.most_job_s
        for job in self._table.every("running"):
            process = self._processes.get(job.worker)
            if process and job.started is not None and time.time() - job.started > limit:
                process.kill()
                process.join()
                if job.id not in self._spool.finished():
                    problem = f"ran longer than {limit:g} s, the most a job may; send less"
                    self._table.end(job.id, "failed", problem)

    def _take_from(self, worker: str) -> None:
        """Queue the job again that a worker ran when it ended, unless its result is complete."""
        for job in self._table.every("running"):
            if job.worker == worker:
                if job.id in self._spool.finished():
                    self._table.end(job.id, "done")
                else:
                    self._table.crashed(job.id)


def _run(service: Service, name: str, stop: Any, loaded: Any) -> None:
    """A worker process."""
    prepare_process()
    threads = service.threads or max(1, (os.cpu_count() or 1) // service.slots)
    with service.open_table() as table:
        worker = Worker(
            table,
            service.open_spool(),
            threads=threads,
            recognition=service.recognition,
            store=service.store,
            most_sound_s=service.most_sound_s,
            name=name,
        )
        worker.load()
        loaded.set()
        while not stop.is_set():
            if worker.do_next() is None:
                stop.wait(LOOK_S)
