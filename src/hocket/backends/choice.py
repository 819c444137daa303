"""The choice of runtime and precision for a graph, as one function of plain values.

The rules for `auto` come from measurements. In window-seconds per second, on a processor with
matrix units for bfloat16: segmentation 480 on ONNX Runtime, 600 on OpenVINO in float32, 1300 in
bfloat16; CAM++ 120, 150 and 370 to 500. With AVX2 alone, OpenVINO is no faster than ONNX Runtime,
and int8 embeddings on ONNX Runtime are 1.5 times as fast as float32, 2.4 times with VNNI
(docs/decisions/005-which-precisions-ship.md); int8 segmentation gains less and changes more.
Without matrix units, bfloat16 is twice as fast as float32, and with VNNI int8 is faster still:
38 minutes of audio take the embedding network 10.6 s in int8 and 13.3 s in bfloat16, and the
recurrent layers of a single stream window 8 and 12 ms (docs/decisions/019-shared-filters.md).
"""

from dataclasses import dataclass

from hocket.config import GraphConfig
from hocket.errors import BackendError, ConfigError

BACKENDS = ("auto", "onnxruntime", "openvino", "cuda", "tensorrt", "coreml")
"""Names of the runtimes that a user may choose."""

PRECISIONS = ("auto", "float32", "bfloat16", "int8")
"""Names of the precisions that a user may choose."""

BFLOAT16_GRAPHS = frozenset({"segmentation", "segmentation_from_peaks", "embedding"})
"""Graphs that can run in bfloat16 behind a float32 front (`hocket.backends.openvino.front`)."""

INSTALL = {
    "onnxruntime": "run 'pip install onnxruntime'",
    "openvino": "run 'pip install openvino'",
    "cuda": "on a machine with an NVIDIA GPU run 'pip uninstall onnxruntime', then "
    "'pip install onnxruntime-gpu'",
    "tensorrt": "on a machine with an NVIDIA GPU run 'pip uninstall onnxruntime', then "
    "'pip install onnxruntime-gpu tensorrt'",
    "coreml": "run 'pip install coremltools' on macOS",
}
"""How to install each backend."""


@dataclass(frozen=True)
class Processor:
    """Features of a processor beyond plain float32.

    bfloat16: dot products in bfloat16 (AMX-BF16 or AVX512-BF16).
    matrix: matrix products in bfloat16 (AMX-BF16), at least eight times as fast.
    vnni: dot products of 8-bit integers that cannot saturate (AVX512-VNNI or AVX-VNNI).
    avx512: 512-bit vectors of float32.
    """

    bfloat16: bool = False
    matrix: bool = False
    vnni: bool = False
    avx512: bool = False


@dataclass(frozen=True)
class Choice:
    """A backend and a precision, neither of them `auto`."""

    backend: str
    precision: str


def choose(
    graph: str,
    config: GraphConfig,
    published: frozenset[str],
    processor: Processor,
    installed: frozenset[str],
) -> Choice:
    """Resolve `auto`, and reject combinations that cannot work on this machine.

    Args:
        graph: its name in `hocket.graph.SPECS`.
        config: the requested backend and precision.
        published: precisions in which the graph has files; empty for a graph without weights, which
            is the same in every precision.
        processor: features of the processor.
        installed: backends that can be opened on this machine.

    Raises:
        ConfigError: an unknown backend or precision, or one that backend or processor lacks.
        BackendError: the backend is not installed.
    """
    for name, value, known in (
        ("backend", config.backend, BACKENDS),
        ("precision", config.precision, PRECISIONS),
    ):
        if value not in known:
            raise ConfigError(f"{name} is '{value}'; give one of {', '.join(known)}")
    requested = config.precision if published else "float32"
    if requested == "bfloat16" and graph not in BFLOAT16_GRAPHS:
        raise ConfigError(f"precision is 'bfloat16'; '{graph}' has none, give float32")
    if requested == "bfloat16" and not processor.bfloat16:
        raise ConfigError(
            "precision is 'bfloat16'; this processor does not compute in it, give float32 or int8"
        )
    has_bfloat16 = graph in BFLOAT16_GRAPHS and processor.bfloat16 and bool(published)
    backend = config.backend
    if backend == "auto":
        faster = bool(published) and _openvino_is_faster(requested, graph, published, processor)
        backend = _backend(requested, faster, installed)
    if backend not in installed:
        raise BackendError(f"backend '{backend}' is not available here; {INSTALL[backend]}")
    if not published:
        return Choice(backend, "float32")
    fastest = "int8" if _prefers_int8(graph, published, processor) else "float32"
    return Choice(backend, _precision(backend, requested, fastest, has_bfloat16))


def _openvino_is_faster(
    requested: str, graph: str, published: frozenset[str], processor: Processor
) -> bool:
    """Whether OpenVINO runs a graph faster than ONNX Runtime."""
    if requested == "int8":
        return False
    if requested == "float32" or graph not in BFLOAT16_GRAPHS:
        return processor.avx512
    if requested == "auto" and processor.vnni and not processor.matrix:
        return processor.bfloat16 and not _prefers_int8(graph, published, processor)
    return processor.bfloat16


def _backend(requested: str, openvino_is_faster: bool, installed: frozenset[str]) -> str:
    """The faster of OpenVINO and ONNX Runtime, or the other one if only that is installed."""
    best, other = "openvino", "onnxruntime"
    if not openvino_is_faster:
        best, other = other, best
    both_can = requested not in {"bfloat16", "int8"}  # only one backend computes in each of these
    return other if both_can and best not in installed and other in installed else best


def _precision(backend: str, requested: str, fastest: str, has_bfloat16: bool) -> str:
    """The requested precision, or the backend's fastest one; ConfigError if it lacks it."""
    if backend == "onnxruntime":
        if requested == "bfloat16":
            raise _lacks(requested, "ONNX Runtime does not compute in it", "backend openvino")
        return fastest if requested == "auto" else requested
    if backend == "openvino":
        if requested == "int8":  # 100 window-seconds per second; ONNX Runtime has 155 (AVX2)
            problem = "its files are made for ONNX Runtime, and OpenVINO runs them slower"
            raise _lacks(requested, problem, "backend onnxruntime")
        return ("bfloat16" if has_bfloat16 else "float32") if requested == "auto" else requested
    if requested not in {"auto", "float32"}:
        problem = {
            "coreml": "Core ML packages have their own",
            "cuda": "CUDA runs float32 files only",
            "tensorrt": "TensorRT runs float32 files only",
        }[backend]
        raise _lacks(requested, problem, "precision float32")
    return "float32"


def _prefers_int8(graph: str, published: frozenset[str], processor: Processor) -> bool:
    """Whether int8 makes ONNX Runtime faster at almost no cost in accuracy."""
    gains = graph == "embedding" or (graph == "segmentation_from_peaks" and processor.vnni)
    return gains and "int8" in published


def _lacks(precision: str, problem: str, remedy: str) -> ConfigError:
    return ConfigError(f"precision is '{precision}'; {problem}; give {remedy}")
