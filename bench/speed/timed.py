"""Times of short functions, measured alternately."""

from collections.abc import Callable, Mapping
from statistics import median
from time import perf_counter

SHORTEST_S = 0.002  # a faster function is called repeatedly within one measurement


def alternate(works: Mapping[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Median seconds of one call of each function.

    The functions alternate, so a machine that slows down slows all of them. The first call of each
    is not timed.
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
