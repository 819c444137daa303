"""A process beside the service, for work between a request and its answer: one piece at a time.

The service itself computes nothing, so that it answers at once whatever is computed.
"""

import multiprocessing
import os
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, ParamSpec, TypeVar

from hocket.errors import BackendError, CapacityError

MOST_WAITING = 16
P = ParamSpec("P")
Returned = TypeVar("Returned")


class SideProcess:
    """Started with its first piece of work, again after it was lost; it ends with the service."""

    def __init__(self) -> None:
        self._places = threading.BoundedSemaphore(MOST_WAITING)
        self._lock = threading.Lock()
        self._pool: ProcessPoolExecutor | None = None

    def call(
        self, function: Callable[P, Returned], *arguments: P.args, **named: P.kwargs
    ) -> Returned:
        """Call a function of a module there, and wait for what it returns or raises.

        Raises:
            BackendError: the process ended twice while it ran.
            CapacityError: as much work waits as may: each piece holds a thread of the service.
        """
        if not self._places.acquire(blocking=False):
            raise CapacityError("too much is computed at once; try again in a moment")
        try:
            return self._called(function, *arguments, **named)
        finally:
            self._places.release()

    def _called(
        self, function: Callable[P, Returned], *arguments: P.args, **named: P.kwargs
    ) -> Returned:
        for _ in range(2):
            pool = self._opened()
            try:
                return pool.submit(function, *arguments, **named).result()
            except BrokenProcessPool:
                self._lose(pool)
        raise BackendError("the process that computes this ended twice; try a shorter recording")

    def close(self) -> None:
        """End the process."""
        with self._lock:
            pool, self._pool = self._pool, None
        if pool:
            pool.shutdown(cancel_futures=True)

    def _opened(self) -> ProcessPoolExecutor:
        with self._lock:
            if self._pool is None:
                # networks do not survive a fork
                context = multiprocessing.get_context("spawn")
                self._pool = ProcessPoolExecutor(1, context, initializer=prepare_process)
            return self._pool

    def _lose(self, pool: ProcessPoolExecutor) -> None:
        with self._lock:
            if self._pool is pool:
                self._pool = None
        pool.shutdown(wait=False)


def prepare_process(end: Callable[[int], Any] = os._exit) -> None:
    """To be called first in a process of the service: Ctrl-C is for the service, which ends it.

    It ends with the service, even if that was killed: two must not do one job.
    """
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()

    def wait() -> None:
        if parent is not None:
            parent.join()
            end(1)

    threading.Thread(target=wait, name="hocket-parent", daemon=True).start()
