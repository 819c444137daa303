"""How much audio the networks of an engine hear, counted where it calls them."""

from collections.abc import Mapping
from threading import Lock
from typing import TYPE_CHECKING, Any

from bench.errors import BenchError

if TYPE_CHECKING:
    from hocket import Diarizer

NETWORKS = ("segmentation", "embedding")


class CountedGraph:
    """A graph that counts the samples it is given, in whatever thread."""

    def __init__(self, graph: Any) -> None:
        self._graph = graph
        self._lock = Lock()
        self.samples = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._graph, name)

    def run(self, inputs: Mapping[str, Any]) -> Any:
        """What the graph gives."""
        with self._lock:
            self.samples += inputs["waveform"].size
        return self._graph.run(inputs)


def count_in(diarizer: "Diarizer") -> dict[str, CountedGraph]:
    """Put counters before the networks of an engine, by their names; there they stay."""
    counted = {name: CountedGraph(getattr(diarizer, f"{name}_graph")) for name in NETWORKS}
    for name, graph in counted.items():
        setattr(diarizer, f"{name}_graph", graph)
    return counted


def seconds_heard(counted: Mapping[str, CountedGraph], sample_rate: int) -> dict[str, float]:
    """Seconds that each network heard; BenchError if the engine went past a counter."""
    for name, graph in counted.items():
        if not graph.samples:
            raise BenchError(f"hocket calls its {name} graph by another way than 'run'")
    return {name: graph.samples / sample_rate for name, graph in counted.items()}
