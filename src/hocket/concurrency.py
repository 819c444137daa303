"""Work on other threads: an iterator that is read ahead, and a map with results in order."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from queue import Empty, Full, Queue
from threading import Event, Thread
from typing import TypeVar, cast

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")

_END = object()
_POLL_S = 0.05  # a thread notices within this time that it was stopped


class _Failure:
    def __init__(self, error: BaseException) -> None:
        self.error = error


@contextmanager
def prefetched(source: Iterator[Item], ahead: int) -> Iterator[Iterator[Item]]:
    """The items of `source` in order; another thread prepares up to `ahead` of them in advance.

    If `source` raises, the iterator raises the same error in place of the next item. On exit, the
    thread has ended and `source` is closed, however many items were taken.
    """
    queue: Queue[object] = Queue(ahead)
    stopped = Event()
    thread = Thread(target=_fill, args=(source, queue, stopped), name="hocket-decode")
    thread.start()
    try:
        yield _drain(queue)
    finally:
        stopped.set()
        thread.join()


def _fill(source: Iterator[Item], queue: Queue[object], stopped: Event) -> None:
    last: object = _END
    try:
        with ExitStack() as stack:
            if hasattr(source, "close"):
                stack.callback(source.close)
            for item in source:
                if not _put(item, queue, stopped):
                    break
    except BaseException as error:  # noqa: BLE001 - the reading thread raises it again
        last = _Failure(error)
    _put(last, queue, stopped)


def _put(item: object, queue: Queue[object], stopped: Event) -> bool:
    while not stopped.is_set():
        try:
            queue.put(item, timeout=_POLL_S)
        except Full:
            continue
        return True
    return False


def _drain(queue: Queue[object]) -> Iterator[Item]:
    while True:
        try:
            item = queue.get(timeout=_POLL_S)  # a timeout lets Ctrl-C through on Windows
        except Empty:
            continue
        if item is _END:
            return
        if isinstance(item, _Failure):
            raise item.error
        yield cast("Item", item)


@contextmanager
def worker_pool(workers: int) -> Iterator[ThreadPoolExecutor]:
    """A pool of `workers` threads; on exit, all of its tasks have ended."""
    pool = ThreadPoolExecutor(workers, thread_name_prefix="hocket")
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def ordered_map(
    function: Callable[[Item], Outcome], items: Iterable[Item], pool: ThreadPoolExecutor, most: int
) -> Iterator[Outcome]:
    """Apply `function` to each item on a pool, and yield the results in the order of the items.

    Items are taken only as results are consumed, so a chain of these maps runs at the pace of the
    consumer of the last one. An error of `function` is raised in place of the item's result.

    Args:
        function: called on the pool's threads.
        items: taken on the caller's thread.
        pool: runs the tasks; several maps may share one.
        most: largest number of unfinished tasks.
    """
    waiting: deque[Future[Outcome]] = deque()
    for item in items:
        waiting.append(pool.submit(function, item))
        while waiting and (len(waiting) >= most or waiting[0].done()):
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def usable_cores() -> int:
    """Cores that the scheduler grants this process, which may be fewer than the machine has."""
    if hasattr(os, "process_cpu_count"):  # Python 3.13 and later; also honors -X cpu_count
        return int(os.process_cpu_count() or 1)
    if hasattr(os, "sched_getaffinity"):  # Linux
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def keep_forever(value: object) -> None:
    """Never free a value, not even when the process ends."""
    import ctypes

    ctypes.pythonapi.Py_IncRef(ctypes.py_object(value))
