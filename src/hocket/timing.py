"""Time spent in each stage: always measured, part of every result."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock
from time import perf_counter


@dataclass
class Stopwatch:
    """Time and copied bytes of each stage, in order of first use.

    Threads may share one; their times add up.

    seconds: busy time; stages that run at the same time add up to more than the elapsed time.
    copied: bytes of samples copied from one array to another.
    """

    seconds: dict[str, float] = field(default_factory=dict)
    copied: dict[str, int] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock, repr=False)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the time spent inside the `with` block to stage `name`."""
        started = perf_counter()
        try:
            yield
        finally:
            with self._lock:
                spent = self.seconds.get(name, 0.0) + perf_counter() - started
                self.seconds[name] = spent

    def copy(self, name: str, size: int) -> None:
        """Add `size` to the bytes copied by stage `name`."""
        with self._lock:
            self.copied[name] = self.copied.get(name, 0) + size


def totals(*parts: dict[str, float]) -> dict[str, float]:
    """Seconds per stage, summed over several stopwatches."""
    return {
        stage: sum(part.get(stage, 0.0) for part in parts)
        for stage in dict.fromkeys(stage for part in parts for stage in part)
    }
