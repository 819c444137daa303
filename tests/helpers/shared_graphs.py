"""Graphs that tests share: each is opened once, and may remember its outputs."""

import sys
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from hocket.backends import this_processor
from hocket.graph import Graph, Tensors
from hocket.models.catalogue import ModelFile
from tests.helpers.recorder import Outputs, Wrapper

Opening = Callable[..., Graph]
Key = tuple[Any, ...]

MOST_BYTES = 300_000_000


@dataclass(eq=False)
class Memo:
    """Outputs by graph and inputs; the least recently used leave first.

    used: while False, graphs compute every output.
    """

    used: bool = False
    outputs: OrderedDict[Key, Outputs] = field(default_factory=OrderedDict)
    held_bytes: int = 0
    lock: Lock = field(default_factory=Lock)

    def find(self, key: Key) -> Outputs | None:
        with self.lock:
            if key not in self.outputs:
                return None
            self.outputs.move_to_end(key)
            return self.outputs[key]

    def add(self, key: Key, outputs: Outputs) -> None:
        with self.lock:
            self.held_bytes += _size(outputs) - _size(self.outputs.get(key, {}))
            self.outputs[key] = outputs
            while self.held_bytes > MOST_BYTES:
                self.held_bytes -= _size(self.outputs.popitem(last=False)[1])


MEMO = Memo()


@dataclass(eq=False)
class RememberingGraph(Wrapper):
    """A graph that gives the outputs of earlier equal inputs without computing them again.

    identity: different for graphs that compute differently.
    """

    identity: int

    def run(self, inputs: Tensors) -> Outputs:
        if not MEMO.used:
            return super().run(inputs)
        key = self._key(inputs)
        outputs = MEMO.find(key)
        if outputs is None:
            outputs = super().run(inputs)
            MEMO.add(key, outputs)
        return {name: array.copy() for name, array in outputs.items()}

    def _key(self, inputs: Tensors) -> Key:
        arrays = sorted(inputs.items())
        return self.identity, *((n, a.dtype.str, a.shape, hash(a.tobytes())) for n, a in arrays)


def opened_once(open_graph: Opening) -> Opening:
    """The same function with a cache: the same file, options and runtime give the same graph."""
    opened: dict[Key, tuple[Any, Graph]] = {}

    def reopened(name: str, content: bytes, weights: Mapping[str, bytes], *how: Any) -> Graph:
        files = (content, *(weights[file] for file in sorted(weights)))
        runtimes = [sys.modules.get(runtime) for runtime in ("onnxruntime", "openvino")]
        key = name, *map(hash, files), *weights, this_processor(), how, *map(id, runtimes)
        if key not in opened:  # keeping runtimes alive keeps their ids unique
            graph = open_graph(name, content, weights, *how)
            opened[key] = runtimes, RememberingGraph(graph, hash(key))
        return opened[key][1]

    return reopened


def read_once(read: Callable[[ModelFile], bytes]) -> Callable[[ModelFile], bytes]:
    """`ModelFile.read` with a cache: a file that has not changed is read and verified once."""
    contents: dict[Key, bytes] = {}

    def reread(file: ModelFile) -> bytes:
        if not (MEMO.used and file.path.exists()):
            return read(file)
        state = file.path.stat()
        key = file, state.st_mtime_ns, state.st_size
        if key not in contents:
            contents[key] = read(file)
        return contents[key]

    return reread


def own_graph(graph: Graph) -> Graph:
    """The runtime's graph."""
    return graph.graph if isinstance(graph, RememberingGraph) else graph


def _size(outputs: Outputs) -> int:
    return sum(array.nbytes for array in outputs.values())
