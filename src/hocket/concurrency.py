"""Work on other threads: an iterator run ahead, and tasks whose results come in order."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from queue import Empty, Full, Queue
from threading import Event, Thread
from typing import Any, Self, TypeVar, cast

Item = TypeVar("Item")

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


Answer = TypeVar("Answer")

WAITING = 2  # questions per worker beside the one it answers: nobody idles while answers are read


class Questions:
    """What was asked and not yet taken. Only the thread that asks may take answers."""

    def __init__(self, pool: ThreadPoolExecutor, workers: int) -> None:
        self._pool = pool
        self._most = (1 + WAITING) * workers
        self._open: deque[tuple[Future[Any], Callable[[Any], None]]] = deque()

    @classmethod
    @contextmanager
    def to(cls, workers: int) -> Iterator[Self]:
        """Questions to so many workers; on leaving, none of them is left."""
        pool = ThreadPoolExecutor(workers, thread_name_prefix="hocket")
        try:
            yield cls(pool, workers)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def ask(self, work: Callable[[], Answer], then: Callable[[Answer], None]) -> None:
        """Have a worker do `work`; `then` takes what it returns, on this thread, in its turn."""
        self._open.append((self._pool.submit(work), then))

    def take(self) -> None:
        """Take answers while they are there, and wait for some while too many are open."""
        while self._open and (len(self._open) > self._most or self._open[0][0].done()):
            self._take_first()

    def take_all(self) -> None:
        """Take all answers, and those to what is asked meanwhile."""
        while self._open:
            self._take_first()

    def _take_first(self) -> None:
        future, then = self._open.popleft()
        then(future.result())
