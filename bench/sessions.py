"""ONNX Runtime sessions of the benchmark's own: graphs that hocket does not ship."""

import os
import sys
from importlib import import_module
from types import ModuleType
from typing import Any

Session = Any  # ONNX Runtime has no types
Model = Any  # and protobuf's say nothing

# Both spellings occur in ONNX Runtime's threads; either must be set before the library loads.
_TELEMETRY_SWITCHES = ("ORT_DISABLE_TELEMETRY", "ORT_TELEMETRY_DISABLED")
_REPORTS = "openvino_telemetry"


def open_session(model: Model, threads: int) -> Session:
    """A session on the processor with `threads` threads; `model` is a graph of `onnx`."""
    for switch in _TELEMETRY_SWITCHES:
        os.environ[switch] = "1"
    import onnxruntime

    onnxruntime.disable_telemetry_events()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def import_openvino() -> ModuleType | None:
    """OpenVINO, None where it is not installed.

    It reports its import through a package of its own; without that package it is silent.
    """
    hidden = sys.modules.get(_REPORTS)
    sys.modules[_REPORTS] = None  # type: ignore[assignment] # as if it were not installed
    try:
        return import_module("openvino")
    except ImportError:
        return None
    finally:
        del sys.modules[_REPORTS]
        if hidden is not None:
            sys.modules[_REPORTS] = hidden


def read_model(graph: str, embedding: str = "campplus") -> Model:
    """A graph that ships with hocket, float32 where there is a choice, its weights inside."""
    import onnx

    from hocket import models

    artefact = models.read_catalogue().artefact(graph, embedding, "float32")
    return onnx.load(str(artefact.file.path))
