"""Times of small pieces of work, one against the other."""

from collections.abc import Callable, Mapping
from statistics import median
from time import perf_counter

SHORTEST_S = 0.002  # a piece that takes less is repeated within one measurement


def alternate(works: Mapping[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Median seconds of one call of each.

    The pieces take turns, so that a machine that slows down slows all of them, after a call each
    that is not timed.
    """
    calls = {}
    for name, work in works.items():
        work()
        started = perf_counter()
        work()
        calls[name] = max(1, round(SHORTEST_S / max(perf_counter() - started, 1e-9)))
    times: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(repeats):
        for name, work in works.items():
            started = perf_counter()
            for _ in range(calls[name]):
                work()
            times[name].append((perf_counter() - started) / calls[name])
    return {name: median(each) for name, each in times.items()}
