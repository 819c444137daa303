"""Work on other threads: an iterator run ahead, and a map whose results come in order."""

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
PATIENCE_S = 0.05  # how soon a stopped thread is noticed


class _Failure:
    def __init__(self, error: BaseException) -> None:
        self.error = error


@contextmanager
def prefetched(source: Iterator[Item], ahead: int) -> Iterator[Iterator[Item]]:
    """The items of `source` in order, up to `ahead` of them made before they are asked for.

    What `source` raises is raised where the item would have been. On leaving, the thread has ended
    and `source` is closed, however many items were taken.
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
    except BaseException as error:  # noqa: BLE001 - it is raised again on the other side
        last = _Failure(error)
    _put(last, queue, stopped)


def _put(item: object, queue: Queue[object], stopped: Event) -> bool:
    while not stopped.is_set():
        try:
            queue.put(item, timeout=PATIENCE_S)
        except Full:
            continue
        return True
    return False


def _drain(queue: Queue[object]) -> Iterator[Item]:
    while True:
        try:
            item = queue.get(timeout=PATIENCE_S)  # a timeout lets Ctrl-C through on Windows
        except Empty:
            continue
        if item is _END:
            return
        if isinstance(item, _Failure):
            raise item.error
        yield cast("Item", item)


@contextmanager
def worker_pool(workers: int) -> Iterator[ThreadPoolExecutor]:
    """A pool of so many threads; on leaving, none of its tasks is left."""
    pool = ThreadPoolExecutor(workers, thread_name_prefix="hocket")
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def ordered_map(
    function: Callable[[Item], Outcome], items: Iterable[Item], pool: ThreadPoolExecutor, most: int
) -> Iterator[Outcome]:
    """What `function` returns for each item, in the order of items.

    Items are taken as results are asked for, so a chain of these maps works at the pace of whoever
    consumes the last one. What `function` raises is raised in the item's turn.

    Args:
        function: called on the pool's threads.
        items: taken on the caller's thread.
        pool: who does the work; several maps may share one.
        most: results that may be open at once.
    """
    waiting: deque[Future[Outcome]] = deque()
    for item in items:
        waiting.append(pool.submit(function, item))
        while waiting and (len(waiting) >= most or waiting[0].done()):
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()
