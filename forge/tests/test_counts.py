"""Operations and multiplications of graphs, against counts by hand."""

import numpy as np
import pytest
import torch
from hocket_forge.counts import example_inputs, multiplications, operation_counts
from hocket_forge.graphs import RECIPES
from onnx import ModelProto, TensorProto, helper, numpy_helper
from torch import nn

from hocket.graph import SPECS, least_lengths

FLOAT = TensorProto.FLOAT


def graph(nodes: list, inputs: dict[str, np.ndarray], weights: dict[str, tuple]) -> ModelProto:
    """A graph of nodes, with the output of the last one; all weights are ones."""
    stored = [
        numpy_helper.from_array(np.ones(shape, kind), name)
        for name, (*shape, kind) in weights.items()
    ]
    ports = [helper.make_tensor_value_info(n, FLOAT, [None] * a.ndim) for n, a in inputs.items()]
    out = helper.make_tensor_value_info(nodes[-1].output[0], FLOAT, None)
    made = helper.make_graph(nodes, "one", ports, [out], stored)
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def ones(*shape: int) -> np.ndarray:
    return np.ones(shape, np.float32)


def node(kind: str, inputs: str, output: str = "y", **attributes) -> object:
    return helper.make_node(kind, inputs.split(), [output], **attributes)


SMALL = {
    # 2 windows, 6 channels, (9 - 3) // 2 + 1 = 4 positions; each of 4 / 2 channels times 3 taps
    "Conv in groups with a stride": (
        [node("Conv", "x w", group=2, strides=[2])],
        {"x": ones(2, 4, 9)},
        {"w": (6, 2, 3, np.float32)},
        2 * 6 * 4 * 2 * 3,
    ),
    # padded to 6 x 6, of which every second position
    "Conv over planes": (
        [node("Conv", "x w b", strides=[2, 2], pads=[1, 1, 1, 1])],
        {"x": ones(1, 3, 4, 4)},
        {"w": (5, 3, 3, 3, np.float32), "b": (5, np.float32)},
        5 * 2 * 2 * 3 * 3 * 3,
    ),
    "MatMul of a batch": (
        [node("MatMul", "x w")],
        {"x": ones(2, 3, 5)},
        {"w": (5, 7, np.float32)},
        2 * 3 * 5 * 7,
    ),
    "MatMul of two inputs": (
        [node("MatMul", "x z")],
        {"x": ones(2, 3, 5), "z": ones(2, 5, 4)},
        {},
        2 * 3 * 5 * 4,
    ),
    "Gemm": ([node("Gemm", "x w")], {"x": ones(3, 5)}, {"w": (5, 4, np.float32)}, 3 * 5 * 4),
    "Gemm of a transposed input": (
        [node("Gemm", "x w", transA=1)],
        {"x": ones(5, 3)},
        {"w": (5, 4, np.float32)},
        3 * 5 * 4,
    ),
    "Gemm of transposed weights": (
        [node("Gemm", "x w b", transB=1)],
        {"x": ones(3, 5)},
        {"w": (4, 5, np.float32), "b": (4, np.float32)},
        3 * 5 * 4,
    ),
    # 7 steps, 2 windows, both directions, 4 gates of 4 cells; each takes 3 inputs and 4 cells
    "LSTM both ways": (
        [node("LSTM", "x w r", hidden_size=4, direction="bidirectional")],
        {"x": ones(7, 2, 3)},
        {"w": (2, 16, 3, np.float32), "r": (2, 16, 4, np.float32)},
        7 * 2 * 2 * 4 * 4 * (3 + 4),
    ),
    "weights that are cast first": (
        [node("Cast", "half", "w", to=FLOAT), node("MatMul", "x w")],
        {"x": ones(3, 5)},
        {"half": (5, 7, np.float16)},
        3 * 5 * 7,
    ),
    "shapes known only by running": (
        [
            node("Gather", "x places", "some", axis=1),
            node("MatMul", "some w", "product"),
            node("Relu", "product", "middle"),
            node("MatMul", "middle v"),
        ],
        {"x": ones(2, 9, 5)},
        {"places": (4, np.int64), "w": (5, 7, np.float32), "v": (7, 3, np.float32)},
        2 * 4 * 5 * 7 + 2 * 4 * 7 * 3,
    ),
    "nothing that multiplies": ([node("Mul", "x x")], {"x": ones(3, 5)}, {}, 0),
}


@pytest.mark.parametrize("case", SMALL)
def test_multiplications_are_those_counted_by_hand(case: str) -> None:
    nodes, inputs, weights, expected = SMALL[case]
    model = graph(nodes, inputs, weights)
    before = model.SerializeToString()
    assert multiplications(model, inputs) == expected
    assert model.SerializeToString() == before


def test_multiplications_grow_with_the_input() -> None:
    model = graph([node("Conv", "x w")], {"x": ones(1, 1, 1)}, {"w": (2, 1, 3, np.float32)})
    found = [multiplications(model, {"x": ones(n, 1, 12)}) for n in (1, 2, 5)]
    assert found == [2 * 3 * 10, 2 * 2 * 3 * 10, 5 * 2 * 3 * 10]


def test_operations_are_counted_by_type_the_most_frequent_first() -> None:
    value = numpy_helper.from_array(ones(1))
    nodes = [
        helper.make_node("Constant", [], ["one"], value=value),
        helper.make_node("Constant", [], ["two"], value=value),
        helper.make_node("Constant", [], ["three"], value=value),
        node("Identity", "x", "same"),
        node("Sub", "same one", "a"),
        node("Relu", "a", "b"),
        node("Add", "b two", "c"),
        node("Relu", "c", "d"),
        node("Add", "d three"),
    ]
    counts = operation_counts(graph(nodes, {"x": ones(1)}, {}))
    assert list(counts.items()) == [("Add", 2), ("Relu", 2), ("Sub", 1)]


def test_ten_seconds_of_segmentation_are_the_sum_of_its_layers(exported) -> None:
    model = exported("segmentation_masks")
    found = multiplications(model, example_inputs("segmentation_masks", 192))
    # filters of 251 taps, every tenth sample; two convolutions of 5; pools by 3 after each
    convolutions = 15_975 * 80 * 251 + 5_321 * 60 * 80 * 5 + 1_769 * 60 * 60 * 5
    first = 589 * 2 * 512 * (60 + 128)
    others = 3 * 589 * 2 * 512 * (256 + 128)
    linear = 589 * (256 * 128 + 128 * 128 + 128 * 7)
    assert found == convolutions + first + others + linear
    assert found == pytest.approx(1.318e9, rel=0.01)
    assert operation_counts(model)["LSTM"] == 4
    parts = ("sinc_peaks", "segmentation_from_peaks")
    parted = [multiplications(exported(part), example_inputs(part, 192)) for part in parts]
    assert parted == [15_975 * 80 * 251, found - 15_975 * 80 * 251]


def layers_of(module: nn.Module, *given: torch.Tensor) -> int:
    """Multiplications of the layers that PyTorch runs, without those outside of layers."""
    found = []

    def count(layer: nn.Module, _: object, out: torch.Tensor) -> None:
        found.append(out.numel() * layer.weight[0].numel())

    hooks = [
        layer.register_forward_hook(count)
        for layer in module.modules()
        if isinstance(layer, nn.Conv1d | nn.Conv2d | nn.Linear)
    ]
    with torch.no_grad():
        module(*given)
    for hook in hooks:
        hook.remove()
    return sum(found)


# Outside of layers: means of the gates over their segments and back, and means under three masks.
# With local gates also: means of squares, means of the spectrum of three sounds and back, and the
# assignment of 25 segments to sounds and back.
PRODUCTS = {
    "embedding-campplus-local": 52 * (128 + 32) * 499 * 25
    + 2 * 3 * 512 * 499
    + 2 * 3 * 80 * 998
    + 2 * 3 * 25 * 499,
    "embedding-campplus": 52 * (128 + 32) * 499 * 5 + 3 * 512 * 499,
    "embedding-wespeaker-resnet34": 3 * 2560 * 125,
}


@pytest.mark.parametrize("name", PRODUCTS)
def test_an_embedding_is_its_layers_its_filter_bank_and_its_means(exported, name: str) -> None:
    recipe = RECIPES[name]
    inputs = example_inputs("embedding", recipe.geometry["dimension"])
    layers = layers_of(recipe.module(), *(torch.from_numpy(array) for array in inputs.values()))
    frames = 1 + (160_000 - 400) // 160
    bank = frames * (512 * 400 + 256 * 80)
    assert multiplications(exported(name), inputs) == layers + bank + PRODUCTS[name]


@pytest.mark.parametrize("name", RECIPES)
def test_examples_are_what_their_graph_takes(name: str) -> None:
    recipe = RECIPES[name]
    dimension = recipe.geometry.get("dimension", 192)
    inputs = example_inputs(recipe.graph, dimension)
    least = least_lengths({key: str(value) for key, value in recipe.geometry.items()})
    SPECS[recipe.graph].check_inputs(inputs, least)
    for port in SPECS[recipe.graph].inputs:
        lengths = dict(zip(port.axes, inputs[port.name].shape, strict=True))
        wanted = {"windows": 1, "samples": 160_000, "frames": 589, "slots": 3}
        wanted |= {"speakers": 10, "dimension": dimension}
        assert all(lengths[axis] == wanted[axis] for axis in lengths if axis in wanted)
    again = example_inputs(recipe.graph, dimension)
    assert all(np.array_equal(array, again[key]) for key, array in inputs.items())
