"""An iterator run ahead of its consumer, on a thread of its own."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from queue import Empty, Full, Queue
from threading import Event, Thread
from typing import TypeVar, cast

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
