"""Graphs that tests share, each opened once."""

import hashlib
import sys
from collections.abc import Callable, Mapping
from typing import Any

from hocket.backends import this_processor
from hocket.graph import Graph

Opening = Callable[..., Graph]


def opened_once(open_graph: Opening) -> Opening:
    """The same function with a cache: the same file, options and runtime give the same graph."""
    opened: dict[Any, tuple[Any, Graph]] = {}

    def reopened(name: str, content: bytes, weights: Mapping[str, bytes], *how: Any) -> Graph:
        bytes_of = hashlib.blake2b(content)
        for file in sorted(weights):
            bytes_of.update(file.encode() + weights[file])
        runtimes = [sys.modules.get(runtime) for runtime in ("onnxruntime", "openvino")]
        key = name, bytes_of.digest(), this_processor(), how, *map(id, runtimes)
        if key not in opened:  # keeping runtimes alive keeps their ids unique
            opened[key] = runtimes, open_graph(name, content, weights, *how)
        return opened[key][1]

    return reopened
