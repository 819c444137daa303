"""Runtimes that execute graphs; `open_graph` is the only door."""

from hocket.backends.onnx_runtime import open_graph

__all__ = ["open_graph"]
