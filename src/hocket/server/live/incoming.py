"""Bytes that come in pieces, and turns at the processor in the order in which they are due."""

from collections import deque
from collections.abc import Callable
from threading import Condition, Lock

MOST_SILENT_BYTES = 1 << 22  # that are read without any sound in them


class Incoming:
    """Bytes that one thread gives and another one reads as from a pipe.

    Args:
        taken: called with a number of bytes that are read.

    Attributes:
        is_stopped: whether nothing more is to be read, not even what waits.
        is_silent: whether that is because much was read, and no sound was in it.
    """

    def __init__(self, taken: Callable[[int], object] = lambda _size: None) -> None:
        self._taken = taken
        self._chunks = deque[bytes]()
        self._changed = Condition()
        self._has_ended = self.is_stopped = self.is_silent = False
        self._silent_bytes = 0

    def give(self, chunk: bytes) -> None:
        """The next bytes."""
        with self._changed:
            if chunk:
                self._chunks.append(chunk)
                self._changed.notify()

    def end(self) -> None:
        """No more will come."""
        with self._changed:
            self._has_ended = True
            self._changed.notify()

    def stop(self) -> None:
        """Nothing more is to be read."""
        with self._changed:
            self._has_ended = self.is_stopped = True
            self._chunks.clear()
            self._changed.notify()

    def has_any(self) -> bool:
        """Whether there are bytes at all; waits for the first."""
        with self._changed:
            self._wait()
            return bool(self._chunks)

    def read(self, size: int) -> bytes:
        """At most that many bytes, as soon as there are any; none at the end."""
        with self._changed:
            self._wait()
            found, length = list[bytes](), 0
            while self._chunks and length < size:
                chunk = self._chunks.popleft()
                found.append(chunk[: size - length])
                if rest := chunk[size - length :]:
                    self._chunks.appendleft(rest)
                length += len(found[-1])
        self._silent_bytes += length
        if self._silent_bytes > MOST_SILENT_BYTES:
            self.is_silent = True
            self.stop()
            return b""
        if length:
            self._taken(length)
        return b"".join(found)

    def note_sound(self) -> None:
        """There was sound in what was read."""
        self._silent_bytes = 0

    def _wait(self) -> None:
        while not (self._chunks or self._has_ended):
            self._changed.wait()


class FairSlots:
    """Threads that may compute at once; each waits for those that came before it.

    A semaphore may be taken again by the thread that has just given it back, whoever waits.

    Args:
        slots: how many.
    """

    def __init__(self, slots: int) -> None:
        self._free, self._lock, self._waiting = slots, Lock(), deque[Lock]()

    def __enter__(self) -> None:
        with self._lock:
            if self._free:
                self._free -= 1
                return
            mine = Lock()
            mine.acquire()
            self._waiting.append(mine)
        mine.acquire()

    def __exit__(self, *_: object) -> None:
        with self._lock:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._free += 1
