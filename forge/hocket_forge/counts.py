"""The cost of a graph, counted in the graph itself: operations by type, and multiplications."""

import math
from collections import Counter
from collections.abc import Mapping

import numpy as np
import onnx
import onnxruntime
from onnx import AttributeProto, ModelProto, NodeProto

from hocket_forge.parity.common import Array

Shapes = Mapping[str, tuple[int, ...]]

IDLE = frozenset({"Constant", "Identity"})  # these compute nothing


def operation_counts(model: ModelProto) -> dict[str, int]:
    """Number of operations of each type, most frequent first, without constants."""
    found = Counter(node.op_type for node in model.graph.node if node.op_type not in IDLE)
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))


def multiplications(model: ModelProto, inputs: Mapping[str, Array]) -> int:
    """Multiplications with accumulation (MACs) of convolutions, products and recurrent layers.

    The graph runs once on `inputs` to find all shapes; nothing is estimated.

    Args:
        model: a graph in float32 with its weights inside, with standard ONNX operations only.
        inputs: arrays by name.
    """
    counted = [node for node in model.graph.node if node.op_type in _MACS]
    if not counted:
        return 0
    shapes = _shapes(model, inputs, counted)
    return sum(_MACS[node.op_type](node, shapes) for node in counted)


def _shapes(model: ModelProto, inputs: Mapping[str, Array], nodes: list[NodeProto]) -> Shapes:
    """Shapes of all inputs and outputs of `nodes`."""
    shapes = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
    shapes |= {name: array.shape for name, array in inputs.items()}
    wanted = {name for node in nodes for name in (*node.input[:3], node.output[0]) if name}
    watched = ModelProto()
    watched.CopyFrom(model)
    del watched.graph.output[:]
    names = sorted(wanted - set(shapes))
    watched.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(watched.SerializeToString(), options)
    found = session.run(names, dict(inputs))
    return shapes | {name: array.shape for name, array in zip(names, found, strict=True)}


def _convolution(node: NodeProto, shapes: Shapes) -> int:
    return math.prod(shapes[node.output[0]]) * math.prod(shapes[node.input[1]][1:])


def _product(node: NodeProto, shapes: Shapes) -> int:
    return math.prod(shapes[node.output[0]]) * shapes[node.input[0]][-1]


def _general_product(node: NodeProto, shapes: Shapes) -> int:
    transposed = any(a.name == "transA" and _integer(a) for a in node.attribute)
    return math.prod(shapes[node.output[0]]) * shapes[node.input[0]][0 if transposed else 1]


def _recurrent(node: NodeProto, shapes: Shapes) -> int:
    steps, batch, _ = shapes[node.input[0]]
    return steps * batch * (math.prod(shapes[node.input[1]]) + math.prod(shapes[node.input[2]]))


def _integer(attribute: AttributeProto) -> int:
    return int(attribute.i)


_MACS = {
    "Conv": _convolution,
    "MatMul": _product,
    "Gemm": _general_product,
    "LSTM": _recurrent,
}


def example_inputs(graph: str, dimension: int) -> dict[str, Array]:
    """Inputs for a window of ten seconds, on which every row of the report is counted."""
    generator = np.random.default_rng(0)
    waveform = (generator.standard_normal((1, 1, 160_000)) / 10).astype(np.float32)
    masks = np.ones((1, 589, 3), np.float32)
    known = generator.standard_normal((10, dimension)).astype(np.float32)
    return {
        "segmentation": {"waveform": waveform},
        "segmentation_masks": {"waveform": waveform},
        "sinc_peaks": {"waveform": waveform},
        "segmentation_from_peaks": {
            "waveform": waveform,
            "peaks": np.ones((1, 160, 5_325), np.float32),
        },
        "fused": {"waveform": waveform},
        "powerset_decode": {"log_probs": generator.standard_normal((1, 589, 7), np.float32)},
        "embedding_inputs": {"audio": waveform, "masks": masks},
        "embedding": {"waveform": waveform, "masks": np.ones((1, 3, 589), np.float32)},
        "post_embedding": {"embeddings": known[:3], "database": known, "segments": masks},
    }[graph]
