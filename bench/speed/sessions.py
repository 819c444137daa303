"""Sessions of the benchmark for graphs that hocket does not ship."""

import os
import sys
from importlib import import_module
from types import ModuleType
from typing import Any

Session = Any  # ONNX Runtime has no types
Model = Any  # those of protobuf are empty

# ONNX Runtime has documented both; they must be set before the library loads
_TELEMETRY_SWITCHES = ("ORT_DISABLE_TELEMETRY", "ORT_TELEMETRY_DISABLED")
_REPORTS = "openvino_telemetry"


def open_session(model: Model, threads: int) -> Session:
    """Open a session on the processor with `threads` threads; `model` is an ONNX ModelProto."""
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
    """Import OpenVINO; None if it is not installed.

    It reports its import through a separate package, which is hidden from it here.
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
    """A graph shipped with hocket, in float32 if there is a choice, with its weights."""
    import onnx

    from hocket import models

    artefact = models.read_catalogue().artefact(graph, embedding, "float32")
    return onnx.load(str(artefact.file.path))
