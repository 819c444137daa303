"""The peak rate of multiplications of this machine: large matrix products in each precision."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from itertools import pairwise
from time import perf_counter
from typing import Any

import numpy as np

from bench.speed.sessions import Model, import_openvino, open_session

SIZE = 2048  # rows and columns of both matrices
WIDTH, LAYERS = 512, 16  # of a network with the same number of multiplications
ROUNDS = 5
PRODUCTS = 1  # per session and round

Product = Callable[[], object]


def measure_peaks(threads: Sequence[int]) -> dict[str, dict[str, float] | None]:
    """GMAC/s in every precision, by the number of single-threaded sessions that run at once.

    None if this machine or the installed runtimes do not have the precision. ONNX Runtime computes
    in float32 and int8, OpenVINO in bfloat16, there in layers.
    """
    makers = {"float32": _float32, "int8": _int8, "bfloat16": _bfloat16}
    found: dict[str, dict[str, float] | None] = {}
    for precision, make in makers.items():
        products = [make() for _ in range(max(threads))]
        usable = [product for product in products if product is not None]
        found[precision] = (
            {str(number): round(rate(usable[:number], SIZE**3) / 1e9, 2) for number in threads}
            if usable
            else None
        )
    return found


def rate(products: Sequence[Product], macs: int) -> float:
    """MAC/s of products that run at once, each in a thread and of `macs`: the best round."""

    def work(product: Product) -> None:
        for _ in range(PRODUCTS):
            product()

    rates = []
    with ThreadPoolExecutor(len(products)) as pool:
        list(pool.map(work, products))  # memory is touched and kernels are chosen on first use
        for _ in range(ROUNDS):
            started = perf_counter()
            list(pool.map(work, products))
            rates.append(len(products) * PRODUCTS * macs / (perf_counter() - started))
    return max(rates)


def _float32() -> Product:
    return _product(_model("MatMul", "FLOAT", "FLOAT", "FLOAT"), np.float32, np.float32)


def _int8() -> Product:
    return _product(_model("MatMulInteger", "UINT8", "INT8", "INT32"), np.uint8, np.int8)


def _product(model: Model, left: Any, right: Any) -> Product:
    session = open_session(model, 1)
    inputs = {"left": np.ones((SIZE, SIZE), left), "right": np.ones((SIZE, SIZE), right)}
    return lambda: session.run(None, inputs)


def _bfloat16() -> Product | None:
    openvino = import_openvino()
    if openvino is None:
        return None
    core = openvino.Core()
    if "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        return None
    model = core.read_model(BytesIO(_layers().SerializeToString()))
    options = {"INFERENCE_PRECISION_HINT": "bf16", "INFERENCE_NUM_THREADS": 1}
    request = core.compile_model(model, "CPU", options).create_infer_request()
    inputs = {"left": np.ones((SIZE, WIDTH), np.float32)}
    return lambda: request.infer(inputs, share_inputs=True, share_outputs=True)


def _layers() -> Model:
    """The same multiplications as layers with constant weights, which OpenVINO packs once.

    A product of two inputs would be slower: half of its time goes into packing the second input.
    """
    from onnx import TensorProto, helper, numpy_helper

    weights = (
        np.eye(WIDTH, dtype=np.float32) * 0.99
    )  # not an identity, which would be optimized away
    names = ["left", *(f"layer{number}" for number in range(1, LAYERS)), "result"]
    nodes = [
        helper.make_node("MatMul", [taken, f"weights{number}"], [given])
        for number, (taken, given) in enumerate(pairwise(names))
    ]
    tensors = [
        numpy_helper.from_array(weights + number, f"weights{number}") for number in range(LAYERS)
    ]
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [SIZE, WIDTH])
        for name in ("left", "result")
    ]
    graph = helper.make_graph(nodes, "peak", ends[:1], ends[1:], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def _model(operation: str, left: str, right: str, result: str) -> Model:
    """A graph of one matrix product of two inputs; types by their names in ONNX."""
    from onnx import TensorProto, helper

    def port(name: str, kind: str) -> Any:
        return helper.make_tensor_value_info(name, TensorProto.DataType.Value(kind), [SIZE, SIZE])

    node = helper.make_node(operation, ["left", "right"], ["result"])
    graph = helper.make_graph(
        [node], "peak", [port("left", left), port("right", right)], [port("result", result)]
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
