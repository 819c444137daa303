"""Which runtime takes a graph, and in which precision: one function of plain values.

The rules for `auto` come from measurements. In window-seconds per second, on a processor with
matrix units for bfloat16: segmentation 480 on ONNX Runtime, 600 on OpenVINO in float32, 1300 in
bfloat16; CAM++ 120, 150 and 370 to 500. With AVX2 alone OpenVINO is no faster than ONNX Runtime,
and int8 embeddings on ONNX Runtime are 1.5 times as fast as float32, 2.4 times with VNNI
(docs/decisions/005-which-precisions-ship.md); int8 segmentation gains less and changes more.
Without matrix units bfloat16 is twice as fast as float32, and with VNNI int8 is quicker still:
38 minutes take the embedding 10.6 s in int8 and 13.3 s in bfloat16, and the recurrent layers of a
stream's window, one at a time, 8 and 12 ms (docs/decisions/019-shared-filters.md).
"""

from dataclasses import dataclass

from hocket.config import GraphConfig
from hocket.errors import BackendError, ConfigError

BACKENDS = ("auto", "onnxruntime", "openvino", "cuda", "tensorrt", "coreml")
"""Names of the runtimes a user may choose."""

PRECISIONS = ("auto", "float32", "bfloat16", "int8")
"""Names of the precisions a user may choose."""

BFLOAT16_GRAPHS = frozenset({"segmentation", "segmentation_from_peaks", "embedding"})
"""Graphs that are run in bfloat16 behind a float32 front (`hocket.backends.openvino.front`)."""

INSTALL = {
    "onnxruntime": "run 'pip install onnxruntime'",
    "openvino": "run 'pip install openvino'",
    "cuda": "on a machine with an NVIDIA GPU run 'pip uninstall onnxruntime', then "
    "'pip install onnxruntime-gpu'",
    "tensorrt": "on a machine with an NVIDIA GPU run 'pip uninstall onnxruntime', then "
    "'pip install onnxruntime-gpu tensorrt'",
    "coreml": "run 'pip install coremltools' on macOS",
}
"""What to do about a backend that is not installed."""


@dataclass(frozen=True)
class Processor:
    """What a processor computes in beyond plain float32.

    bfloat16: dot products of bfloat16 (AMX-BF16 or AVX512-BF16).
    matrix: products of whole matrices of bfloat16 (AMX-BF16), eight times as fast and more.
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
    """Resolve `auto`, and refuse what cannot work here.

    Args:
        graph: its name in `hocket.graph.SPECS`.
        config: the backend and precision asked for.
        published: precisions there are files of the graph in; none for a graph without weights,
            which is the same in all of them.
        processor: what the processor computes in.
        installed: backends that can be opened here.

    Raises:
        ConfigError: no such backend or precision, or the backend or the processor lacks it.
        BackendError: the backend is not installed.
    """
    for name, value, known in (
        ("backend", config.backend, BACKENDS),
        ("precision", config.precision, PRECISIONS),
    ):
        if value not in known:
            raise ConfigError(f"{name} is '{value}'; give one of {', '.join(known)}")
    asked = config.precision if published else "float32"
    if asked == "bfloat16" and graph not in BFLOAT16_GRAPHS:
        raise ConfigError(f"precision is 'bfloat16'; '{graph}' has none, give float32")
    if asked == "bfloat16" and not processor.bfloat16:
        raise ConfigError(
            "precision is 'bfloat16'; this processor does not compute in it, give float32 or int8"
        )
    rounds = graph in BFLOAT16_GRAPHS and processor.bfloat16 and bool(published)
    backend = config.backend
    if backend == "auto":
        wins = bool(published) and _openvino_wins(asked, graph, published, processor)
        backend = _backend(asked, wins, installed)
    if backend not in installed:
        raise BackendError(f"backend '{backend}' is not available here; {INSTALL[backend]}")
    if not published:
        return Choice(backend, "float32")
    quickest = "int8" if _prefers_int8(graph, published, processor) else "float32"
    return Choice(backend, _precision(backend, asked, quickest, rounds))


def _openvino_wins(asked: str, graph: str, published: frozenset[str], processor: Processor) -> bool:
    """Whether OpenVINO runs a graph quicker than ONNX Runtime."""
    if asked == "int8":
        return False
    if asked == "float32" or graph not in BFLOAT16_GRAPHS:
        return processor.avx512
    if asked == "auto" and processor.vnni and not processor.matrix:
        return processor.bfloat16 and not _prefers_int8(graph, published, processor)
    return processor.bfloat16


def _backend(asked: str, openvino: bool, installed: frozenset[str]) -> str:
    """OpenVINO or ONNX Runtime: the better one, or the other if only that is there and able."""
    best, other = ("openvino", "onnxruntime") if openvino else ("onnxruntime", "openvino")
    able = asked not in {"bfloat16", "int8"}  # of each of these one backend alone is capable
    return other if able and best not in installed and other in installed else best


def _precision(backend: str, asked: str, quickest: str, rounds: bool) -> str:
    """The precision asked for, or the quickest the backend has; ConfigError if it lacks it."""
    if backend == "onnxruntime":
        if asked == "bfloat16":
            raise _lacks(asked, "ONNX Runtime does not compute in it", "backend openvino")
        return quickest if asked == "auto" else asked
    if backend == "openvino":
        if asked == "int8":  # 100 window-seconds per second where ONNX Runtime has 155 (AVX2)
            problem = "its files are made for ONNX Runtime, and OpenVINO runs them slower"
            raise _lacks(asked, problem, "backend onnxruntime")
        return ("bfloat16" if rounds else "float32") if asked == "auto" else asked
    if asked not in {"auto", "float32"}:
        problem = {
            "coreml": "Core ML packages have their own",
            "cuda": "CUDA runs float32 files only",
            "tensorrt": "TensorRT runs float32 files only",
        }[backend]
        raise _lacks(asked, problem, "precision float32")
    return "float32"


def _prefers_int8(graph: str, published: frozenset[str], processor: Processor) -> bool:
    """Whether ONNX Runtime gains by int8 and loses next to no accuracy."""
    gains = graph == "embedding" or (graph == "segmentation_from_peaks" and processor.vnni)
    return gains and "int8" in published


def _lacks(precision: str, problem: str, remedy: str) -> ConfigError:
    return ConfigError(f"precision is '{precision}'; {problem}; give {remedy}")
