"""Questions to a pool of workers, whose answers are taken in the order of asking."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Self, TypeVar

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
