"""The amount of audio that the networks of a diarizer process, counted at their calls."""

from collections.abc import Mapping
from threading import Lock
from typing import TYPE_CHECKING, Any

from bench.errors import BenchError

if TYPE_CHECKING:
    from hocket import Diarizer

NETWORKS = ("segmentation", "embedding")


class CountingGraph:
    """A graph that counts its input samples, from any thread."""

    def __init__(self, graph: Any) -> None:
        self._graph = graph
        self._lock = Lock()
        self.samples = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._graph, name)

    def run(self, inputs: Mapping[str, Any]) -> Any:
        """Run the graph and count its input."""
        with self._lock:
            self.samples += inputs["waveform"].size
        return self._graph.run(inputs)


def count_input(diarizer: "Diarizer") -> dict[str, CountingGraph]:
    """Replace the networks of a diarizer by counting ones, which are returned by name."""
    counters = {name: CountingGraph(getattr(diarizer, f"{name}_graph")) for name in NETWORKS}
    for name, graph in counters.items():
        setattr(diarizer, f"{name}_graph", graph)
    vars(diarizer).pop("embedder", None)  # it would keep calling the graph it was made with
    return counters


def input_seconds(counters: Mapping[str, CountingGraph], sample_rate: int) -> dict[str, float]:
    """Seconds of audio that each network received; BenchError if a counter was bypassed."""
    for name, graph in counters.items():
        if not graph.samples:
            raise BenchError(f"hocket does not call 'run' of its {name} graph")
    return {name: graph.samples / sample_rate for name, graph in counters.items()}
