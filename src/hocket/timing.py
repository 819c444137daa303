"""How long each stage took: always measured, part of every result."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter


@dataclass
class Stopwatch:
    """Seconds spent per stage, in order of first use."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the time spent inside the block to stage `name`."""
        started = perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + perf_counter() - started


def totals(*parts: dict[str, float]) -> dict[str, float]:
    """Seconds per stage, added up over several stopwatches."""
    return {
        stage: sum(part.get(stage, 0.0) for part in parts)
        for stage in dict.fromkeys(stage for part in parts for stage in part)
    }
