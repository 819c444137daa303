"""Runtimes that execute graphs."""

from hocket.backends.onnx_runtime import open_onnx
from hocket.backends.reference import REFERENCES, ReferenceGraph

BACKENDS = ("onnxruntime", "coreml")
"""Names of the runtimes a user may choose."""

__all__ = ["BACKENDS", "REFERENCES", "ReferenceGraph", "open_onnx"]
