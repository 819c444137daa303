"""Quantized variants: what they keep, how much they round, and what they never change."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import onnx
import pytest
from hocket_forge import quantize
from hocket_forge.export import export
from hocket_forge.graphs import RECIPES
from hocket_forge.parity.common import run, runner
from hocket_forge.rows import cosines_of
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper, numpy_helper

Array = NDArray[np.float32]
Variant = Callable[[ModelProto], ModelProto]

NAMES = ("segmentation", "embedding-campplus")
STORED = {"half": quantize.half_weights, "int8": quantize.int8_weights}
every = pytest.mark.parametrize("name", NAMES)
both = pytest.mark.parametrize("make", STORED.values(), ids=STORED)


@pytest.fixture(scope="module")
def exact() -> dict[str, bytes]:
    """Contents of graphs in float32."""
    return {
        name: export(name, replace(RECIPES[name], half_weights=False)).SerializeToString()
        for name in NAMES
    }


def opened(content: bytes) -> ModelProto:
    model = ModelProto()
    model.ParseFromString(content)
    return model


def pieces(speech: Array, starts: range, length: int = 32_000) -> list[dict[str, Array]]:
    """Pieces of two seconds, or another length in samples."""
    everything = np.ones((1, 1, 1), np.float32)
    return [{"waveform": speech[a : a + length][None, None], "masks": everything} for a in starts]


@pytest.fixture(scope="module")
def calibration(speech: Array) -> list[dict[str, Array]]:
    return pieces(speech, range(16_000, 400_000, 48_000), length=16_000)


@pytest.fixture(scope="module")
def int8_embedding(exact: dict[str, bytes], calibration: list[dict[str, Array]]) -> bytes:
    model = opened(exact["embedding-campplus"])
    return quantize.int8_embedding(model, calibration).SerializeToString()


def interface(model: ModelProto) -> list[object]:
    """The interface of a graph."""
    ports = [port.SerializeToString() for port in (*model.graph.input, *model.graph.output)]
    facts = [(entry.key, entry.value) for entry in model.metadata_props]
    assert ports
    assert facts
    return [ports, facts, model.graph.name, model.producer_name, model.producer_version]


def restored(model: ModelProto) -> dict[str, Array]:
    """Every tensor that does not depend on an input, as a runtime unpacks it."""
    found = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    for node in model.graph.node:
        if not node.input or not all(name in found for name in node.input):
            continue
        if node.op_type == "Cast":
            found[node.output[0]] = found[node.input[0]].astype(np.float32)
        elif node.op_type == "Mul":
            found[node.output[0]] = found[node.input[0]] * found[node.input[1]]
    return found


def stored_types(model: ModelProto) -> dict[int, int]:
    """Bytes of stored tensors, by type."""
    found: dict[int, int] = {}
    for tensor in model.graph.initializer:
        found[tensor.data_type] = found.get(tensor.data_type, 0) + len(tensor.raw_data)
    return found


@every
@both
def test_a_variant_has_the_same_interface(
    make: Variant, name: str, exact: dict[str, bytes]
) -> None:
    model = opened(exact[name])
    variant = make(model)
    assert model.SerializeToString() == exact[name]
    assert interface(variant) == interface(model)
    onnx.checker.check_model(variant, full_check=True)
    assert make(model).SerializeToString() == variant.SerializeToString()
    smaller = 0.54 if make is quantize.half_weights else 0.39
    assert variant.ByteSize() < smaller * model.ByteSize()


def test_half_weights_are_the_nearest_float16(exact: dict[str, bytes]) -> None:
    model = opened(exact["segmentation"])
    before, after = restored(model), restored(quantize.half_weights(model))
    rounded = 0
    for name, values in before.items():
        if np.array_equal(after[name], values):
            continue
        assert np.array_equal(after[name], values.astype(np.float16).astype(np.float32)), name
        rounded += values.size
    assert rounded > 1_000_000


# weights, their layer, and the axes that one output channel spans
LAYERS = {
    "Conv": ((128, 131, 4), (1, 2)),
    "MatMul": ((256, 200), (0,)),
    "LSTM": ((2, 256, 130), (2,)),
}


def layered(kind: str, small: bool = False) -> ModelProto:
    """A layer whose weights have very uneven rows."""
    shape, axes = LAYERS[kind]
    if small:
        shape = (*shape[:-1], shape[-1] // 4)
    generator = np.random.default_rng(4)
    one_each = [1 if axis in axes else size for axis, size in enumerate(shape)]
    weights = generator.standard_normal(shape) * 10.0 ** generator.integers(-3, 3, one_each)
    weights[(0, 0, *[slice(None)] * (len(shape) - 2))[: len(shape)]] = 0
    tensors = [numpy_helper.from_array(weights.astype(np.float32), "w")]
    attributes = {"hidden_size": 64, "direction": "bidirectional"} if kind == "LSTM" else {}
    if kind == "LSTM":
        tensors.append(numpy_helper.from_array(np.zeros((2, 256, 64), np.float32), "r"))
    names = ["x", *(tensor.name for tensor in tensors)]
    node = helper.make_node(kind, names, ["y"], **attributes)
    ports = [
        helper.make_tensor_value_info(port, TensorProto.FLOAT, [None] * len(shape))
        for port in ("x", "y")
    ]
    graph = helper.make_graph([node], "one", ports[:1], ports[1:], tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, {"kept": "yes"})
    return model


@pytest.mark.parametrize("kind", LAYERS)
def test_large_weights_are_within_half_a_step_of_their_channel(kind: str) -> None:
    model = layered(kind)
    weights = restored(model)["w"]
    variant = quantize.int8_weights(model)
    assert stored_types(variant)[TensorProto.INT8] == weights.size
    step = np.abs(weights).max(LAYERS[kind][1], keepdims=True) / 127
    gaps = np.abs(restored(variant)["w"] - weights)
    assert (gaps <= step * 0.501).all()
    assert (gaps > step * 0.4).any()


@pytest.mark.parametrize("kind", ["Conv", "MatMul"])
def test_small_weights_are_rounded_to_float16_only(kind: str) -> None:
    model = layered(kind, small=True)
    weights = restored(model)["w"]
    variant = quantize.int8_weights(model)
    assert TensorProto.INT8 not in stored_types(variant)
    expected = weights.astype(np.float16).astype(np.float32)
    assert np.array_equal(restored(variant)["w"], expected)


def test_float_weights_undo_the_casts(exported: Callable[[str], ModelProto]) -> None:
    stored = exported("embedding-campplus")
    before = stored.SerializeToString()
    plain = quantize.float_weights(stored)
    assert stored.SerializeToString() == before
    assert TensorProto.FLOAT16 not in stored_types(plain)
    names = {tensor.name for tensor in plain.graph.initializer}
    assert len(names) == len(stored.graph.initializer)
    assert not [n for n in plain.graph.node if n.op_type == "Cast" and n.input[0] in names]
    first, second = restored(stored), restored(plain)
    assert all(np.array_equal(first[name], values) for name, values in second.items())
    assert interface(plain) == interface(stored)


def bank(model: ModelProto) -> list[Array]:
    """The filter bank's two matrices."""
    values = restored(model)
    found = [n for n in model.graph.node if n.op_type == "Conv" and n.name.startswith("/fbank/")]
    return [values[node.input[1]] for node in found if node.input[1] in values]


@both
def test_the_filter_bank_is_not_changed(make: Variant, exact: dict[str, bytes]) -> None:
    model = opened(exact["embedding-campplus"])
    before, after = bank(model), bank(make(model))
    assert [matrix.shape for matrix in before] == [(512, 1, 400), (80, 256, 1)]
    for matrix, expected in zip(after, before, strict=True):
        assert np.array_equal(matrix, expected)


def test_the_filter_bank_of_an_int8_embedding_is_not_changed(
    exact: dict[str, bytes], int8_embedding: bytes
) -> None:
    before, after = bank(opened(exact["embedding-campplus"])), bank(opened(int8_embedding))
    assert len(before) == len(after) == 2
    assert all(np.array_equal(*pair) for pair in zip(after, before, strict=True))


def test_int8_segmentation_decides_nearly_every_frame_alike(
    exact: dict[str, bytes], speech: Array
) -> None:
    model = opened(exact["segmentation"])
    variant = quantize.int8_segmentation(model)
    assert model.SerializeToString() == exact["segmentation"]
    assert interface(variant) == interface(model)
    assert quantize.int8_segmentation(model).SerializeToString() == variant.SerializeToString()
    assert stored_types(variant)[TensorProto.INT8] > 1_000_000
    assert not [node for node in variant.graph.node if node.op_type == "LSTM"]
    windows = np.stack([speech[a : a + 160_000] for a in range(0, 320_001, 80_000)])[:, None]
    [expected], [found] = run(model, windows), run(variant, windows)
    assert found.shape == expected.shape
    best, rounded = expected.argmax(-1), found.argmax(-1)
    assert best.any()
    assert 0 < (best != rounded).mean() < 0.02
    # 0.15 on a processor without VNNI, where pairs of 8-bit products saturate
    assert 0 < np.abs(found - expected).mean() < 0.3


def cosines(model: ModelProto, variant: ModelProto, speech: Array) -> Array:
    """Cosines for pieces that are not in the calibration."""
    found = []
    exact, rounded = runner(model), runner(variant)
    for piece in pieces(speech, range(40_000, 420_001, 48_000)):
        [expected], [embedding] = exact(*piece.values()), rounded(*piece.values())
        assert embedding.shape == expected.shape == (1, 1, 192)
        found.append(cosines_of(embedding, expected))
    return np.concatenate(found)


@pytest.mark.parametrize(
    ("make", "least"), [(quantize.half_weights, 0.9999), (STORED["int8"], 0.99)]
)
def test_embeddings_of_stored_weights_keep_their_direction(
    make: Variant, least: float, exact: dict[str, bytes], speech: Array
) -> None:
    model = opened(exact["embedding-campplus"])
    found = cosines(model, make(model), speech)
    assert len(found) == 8
    assert found.min() > least


def test_an_int8_embedding_keeps_its_direction(
    exact: dict[str, bytes], int8_embedding: bytes, speech: Array
) -> None:
    model, variant = opened(exact["embedding-campplus"]), opened(int8_embedding)
    (_, *facts), (_, *expected) = interface(variant), interface(model)
    assert facts == expected
    assert list(variant.graph.input) == list(model.graph.input)
    assert [port.name for port in variant.graph.output] == ["embeddings"]
    assert stored_types(variant)[TensorProto.INT8] > 1_000_000
    assert variant.ByteSize() < 0.4 * model.ByteSize()
    found = cosines(model, variant, speech)
    assert len(found) == 8
    assert 0.95 < found.min() < 0.999999


def test_calibration_leaves_the_float_graph_alone(
    exact: dict[str, bytes], calibration: list[dict[str, Array]], int8_embedding: bytes
) -> None:
    model = opened(exact["embedding-campplus"])
    again = quantize.int8_embedding(model, calibration)
    assert model.SerializeToString() == exact["embedding-campplus"]
    assert again.SerializeToString() == int8_embedding
