"""Runtimes that run the graphs."""

from hocket.backends.choice import BACKENDS, INSTALL, PRECISIONS, Choice, Processor, choose
from hocket.backends.onnx_runtime import open_onnx
from hocket.backends.openvino.graph import open_openvino
from hocket.backends.processor import installed_backends, missing, this_processor
from hocket.backends.reference import REFERENCES, ReferenceGraph

__all__ = [
    "BACKENDS",
    "INSTALL",
    "PRECISIONS",
    "REFERENCES",
    "Choice",
    "Processor",
    "ReferenceGraph",
    "choose",
    "installed_backends",
    "missing",
    "open_onnx",
    "open_openvino",
    "this_processor",
]
