"""The checks can fail: each notices a graph with a single alteration."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from hocket_forge.fbank import WindowShape
from hocket_forge.parity import Check, embedding, segmentation, windows
from hocket_forge.parity.common import golden
from numpy.typing import NDArray
from onnx import ModelProto, helper, numpy_helper

from .alterations import (
    Alteration,
    append,
    assert_noticed,
    first_failure,
    negate_largest,
    negated,
    nodes,
    renamed,
    stored,
)

Exported = Callable[[str], ModelProto]


@pytest.fixture(autouse=True)
def quick_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer windows and random cases, and no filter bank: its checks do not concern the file."""

    def few(name: str) -> dict[str, NDArray[np.float32]]:
        recorded = golden(name)
        return recorded | {key: recorded[key][::3] for key in ("starts", "log_probs", "masks")}

    def nothing(_window: WindowShape, _scale: float) -> Iterator[Check]:
        yield from ()

    monkeypatch.setattr(segmentation, "golden", few)
    monkeypatch.setattr(embedding, "_fbank", nothing)
    monkeypatch.setattr(windows, "RANDOM_CASES", 50)


@pytest.mark.parametrize(
    "alter",
    [
        pytest.param(negated("Conv", 0, 1), id="sinc filter"),
        pytest.param(negated("Conv", 0, 2), id="baked shift"),
        pytest.param(negated("Conv", 2, 1), id="last convolution"),
        pytest.param(negated("InstanceNormalization", 3, 1), id="last norm"),
        pytest.param(negated("LSTM", 0, 1), id="first LSTM, input weight"),
        pytest.param(negated("LSTM", 3, 2), id="last LSTM, recurrent weight"),
        pytest.param(negated("LSTM", 2, 3), id="LSTM bias"),
        pytest.param(negated("MatMul", 1, 1), id="linear"),
        pytest.param(negated("MatMul", 2, 1), id="classifier"),
        pytest.param(renamed("Abs", 0, "Relu"), id="Abs to Relu"),
        pytest.param(renamed("MaxPool", 1, "AveragePool"), id="MaxPool to AveragePool"),
    ],
)
def test_one_wrong_thing_in_segmentation_masks_fails(exported: Exported, alter: Alteration) -> None:
    """Compares with recorded arrays: a module with the same error would agree with its file."""
    model = exported("segmentation_masks")
    alter(model)
    assert_noticed("segmentation_masks", model, " = pyannote.audio")


@pytest.mark.parametrize(
    "alter",
    [
        pytest.param(negated("Conv", 0, 1), id="sinc filter"),
        pytest.param(negated("LSTM", 3, 2), id="last LSTM, recurrent weight"),
        pytest.param(negated("MatMul", 2, 1), id="classifier"),
        pytest.param(renamed("MaxPool", 1, "AveragePool"), id="MaxPool to AveragePool"),
        pytest.param(renamed("LogSoftmax", 0, "Softmax"), id="no logarithms"),
    ],
)
def test_one_wrong_thing_in_segmentation_fails(exported: Exported, alter: Alteration) -> None:
    model = exported("segmentation")
    alter(model)
    assert_noticed("segmentation", model, "log-probabilities = pyannote.audio")


def alter_mapping(model: ModelProto, rows: list[int]) -> None:
    mapping = next(t for t in model.graph.initializer if tuple(t.dims) == (7, 3))
    values = numpy_helper.to_array(mapping).copy()
    values[rows] = 1 - values[rows]
    mapping.CopyFrom(numpy_helper.from_array(values, mapping.name))


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param([6], id="one that the golden recording holds"),
        pytest.param([1, 4, 5], id="every class with the first slot, which it never holds"),
    ],
)
def test_a_wrong_row_of_the_mapping_behind_the_network_fails(
    exported: Exported, rows: list[int]
) -> None:
    model = exported("segmentation_masks")
    alter_mapping(model, rows)
    assert_noticed("segmentation_masks", model)


def last_of_tied(model: ModelProto) -> None:
    (decode,) = nodes(model, "ArgMax")
    kept = [attribute for attribute in decode.attribute if attribute.name != "select_last_index"]
    del decode.attribute[:]
    decode.attribute.extend([*kept, helper.make_attribute("select_last_index", 1)])


@pytest.mark.parametrize("name", ["powerset_decode", "segmentation_masks"])
def test_the_last_of_tied_classes_fails(exported: Exported, name: str) -> None:
    model = exported(name)
    last_of_tied(model)
    assert_noticed(name, model, "masks = NumPy, ties")


@pytest.mark.parametrize(
    "alter",
    [
        pytest.param(negated("Conv", 2, 1), id="first convolution of the head"),
        pytest.param(negated("Conv", 5, 2), id="bias in the head"),
        pytest.param(negated("BatchNormalization", 5, 1), id="scale in the trunk"),
        pytest.param(negated("BatchNormalization", 30, 2), id="shift in the trunk"),
        pytest.param(negated("Conv", -1, 1), id="embedding layer"),
        pytest.param(renamed("Relu", 0, "Sigmoid"), id="Relu to Sigmoid, first"),
        pytest.param(renamed("Relu", -1, "Sigmoid"), id="Relu to Sigmoid, last"),
        pytest.param(renamed("Sigmoid", 20, "Tanh"), id="a gate's Sigmoid to Tanh"),
        pytest.param(renamed("Sqrt", 0, "Identity"), id="variance for deviation"),
        pytest.param(renamed("Log", 0, "Sqrt"), id="Log to Sqrt"),
    ],
)
def test_one_wrong_thing_in_campplus_fails(exported: Exported, alter: Alteration) -> None:
    model = exported("embedding-campplus")
    alter(model)
    assert_noticed("embedding-campplus", model, "CAM++ = 3D-Speaker")


def negated_tensor(name: str) -> Alteration:
    return lambda model: negate_largest(stored(model, name))


@pytest.mark.parametrize(
    "alter",
    [
        pytest.param(negated("Conv", 0, 1), id="filter bank, analysis"),
        pytest.param(negated("Conv", 1, 1), id="filter bank, mel"),
        pytest.param(negated_tensor("conv1.weight"), id="first convolution"),
        pytest.param(negated_tensor("layer1.2.conv2.weight"), id="convolution in the trunk"),
        pytest.param(negated_tensor("layer3.0.shortcut.0.weight"), id="convolution of a shortcut"),
        pytest.param(negated_tensor("layer2.3.bn1.weight"), id="scale in the trunk"),
        pytest.param(negated_tensor("layer4.2.bn2.bias"), id="shift in the trunk"),
        pytest.param(negated_tensor("layer3.5.bn1.running_mean"), id="running mean"),
        pytest.param(negated_tensor("seg_1.weight"), id="embedding layer"),
        pytest.param(negated_tensor("seg_1.bias"), id="bias of the embedding layer"),
        pytest.param(renamed("Relu", 0, "Sigmoid"), id="Relu to Sigmoid, first"),
        pytest.param(renamed("Relu", -1, "Sigmoid"), id="Relu to Sigmoid, last"),
        pytest.param(renamed("ReduceMean", 0, "ReduceMax"), id="features without their maximum"),
        pytest.param(renamed("Sqrt", 0, "Identity"), id="variance for deviation"),
        pytest.param(renamed("Greater", -1, "Less"), id="zeros for all but empty masks"),
    ],
)
def test_one_wrong_thing_in_resnet34_fails(exported: Exported, alter: Alteration) -> None:
    model = exported("embedding-wespeaker-resnet34")
    alter(model)
    assert_noticed("embedding-wespeaker-resnet34", model, "ResNet34 = WeSpeaker")


@pytest.mark.parametrize("name", ["embedding-campplus", "embedding-wespeaker-resnet34"])
def test_embeddings_of_a_hundredth_of_their_length_fail(exported: Exported, name: str) -> None:
    """post_embedding compares lengths with 0.1, and a cosine does not depend on them."""
    model = exported(name)
    append(model, 0, "Mul", np.array(0.01, np.float32))
    assert_noticed(name, model)


def test_embeddings_of_nothing_fail(exported: Exported) -> None:
    """Without the zeros for empty masks, these embeddings are the last layer's bias."""
    model = exported("embedding-wespeaker-resnet34")
    (last,) = (node for node in model.graph.node if node.output[0] == "embeddings")
    last.op_type = "Mul"
    last.input[:] = [last.input[0], "one"]
    model.graph.initializer.append(numpy_helper.from_array(np.ones(1, np.float32), "one"))
    assert_noticed("embedding-wespeaker-resnet34", model, "empty masks")


def without_cleaning(model: ModelProto) -> None:
    """Frames in which two slots speak count for both."""
    for node in model.graph.node:
        for position, read in enumerate(node.input):
            if node.name.startswith("cleaning/") and read == "cleaning//Cast_output_0":
                node.input[position] = "one"
    model.graph.initializer.append(numpy_helper.from_array(np.ones(1, np.float32), "one"))


@pytest.mark.parametrize(
    "alter",
    [
        pytest.param(negated("LSTM", 3, 2), id="segmentation, recurrent weight"),
        pytest.param(negated("Conv", -1, 1), id="embedding layer"),
        pytest.param(negated("BatchNormalization", 5, 1), id="scale in the trunk"),
        pytest.param(renamed("ArgMax", 0, "ArgMin"), id="ArgMax to ArgMin"),
        pytest.param(renamed("Less", 0, "Greater"), id="only frames in which two speak"),
        pytest.param(without_cleaning, id="frames in which two speak too"),
    ],
)
def test_one_wrong_thing_in_the_fused_graph_fails(exported: Exported, alter: Alteration) -> None:
    model = exported("fused-campplus")
    alter(model)
    assert_noticed("fused-campplus", model)


def test_one_wrong_weight_in_the_fused_graph_of_resnet34_fails(exported: Exported) -> None:
    model = exported("fused-wespeaker-resnet34")
    negated_tensor("embedding/layer3.5.bn1.running_mean")(model)
    assert_noticed("fused-wespeaker-resnet34", model, "embeddings = PyTorch")


def shorten_segments(model: ModelProto) -> None:
    """Segments of 58 frames are kept, and the output keeps its shape."""
    for node in nodes(model, "MaxPool"):
        next(a for a in node.attribute if a.name == "kernel_shape").ints[:] = [58]
    (padding,) = (
        attribute
        for node in nodes(model, "Constant")
        for attribute in node.attribute
        if numpy_helper.to_array(attribute.t).tolist() == [58, 58]
    )
    padding.t.CopyFrom(numpy_helper.from_array(np.array([57, 57])))


def constant_becomes(old: float, new: float) -> Alteration:
    def alter(model: ModelProto) -> None:
        found = [
            attribute
            for node in nodes(model, "Constant")
            for attribute in node.attribute
            if numpy_helper.to_array(attribute.t).tolist() == float(np.float32(old))
        ]
        assert found
        for attribute in found:
            attribute.t.CopyFrom(numpy_helper.from_array(np.array(new, np.float32)))

    return alter


@pytest.mark.parametrize(
    ("alter", "output"),
    [
        pytest.param(shorten_segments, "filtered", id="segments of 58 frames"),
        pytest.param(constant_becomes(10, 0), "valid", id="any activity"),
        pytest.param(constant_becomes(0.1, 0), "valid", id="any length"),
        pytest.param(renamed("Sub", 0, "Add"), "distances", id="1 + cosine"),
        pytest.param(renamed("Greater", 6, "Less"), "valid", id="Greater to Less"),
    ],
)
def test_one_wrong_thing_in_post_embedding_fails_where_it_is_wrong(
    exported: Exported, alter: Alteration, output: str
) -> None:
    model = exported("post_embedding")
    alter(model)
    assert_noticed("post_embedding", model, output)


def smaller_kernels(model: ModelProto) -> None:
    """The padding does not match, so the output has two extra frames."""
    for node in nodes(model, "MaxPool"):
        next(a for a in node.attribute if a.name == "kernel_shape").ints[:] = [58]


def test_an_output_of_another_length_fails_instead_of_stopping_the_checks(
    exported: Exported,
) -> None:
    model = exported("post_embedding")
    smaller_kernels(model)
    assert_noticed("post_embedding", model, "filtered")


def test_a_minimum_for_a_maximum_fails_instead_of_stopping_the_checks(exported: Exported) -> None:
    model = exported("segmentation_masks")
    renamed("ArgMax", 0, "ArgMin")(model)
    assert first_failure("segmentation_masks", model) is not None


def test_an_output_without_its_leading_axis_fails(exported: Exported) -> None:
    model = exported("post_embedding")
    append(model, 3, "Squeeze", np.array([0]))
    del model.graph.output[3].type.tensor_type.shape.dim[0]
    assert_noticed("post_embedding", model)


@pytest.mark.parametrize(
    ("found", "passed"), [(0.0, True), (0.5, True), (0.6, False), (np.inf, False), (np.nan, False)]
)
def test_a_check_passes_up_to_what_is_allowed_and_never_with_nan(
    found: float, passed: bool
) -> None:
    assert Check("difference", found, allowed=0.5).passed is passed


def test_a_network_that_gives_nan_scores_is_never_passed(exported: Exported) -> None:
    model = exported("segmentation_masks")
    bias = nodes(model, "Add")[-1].input
    tensor = next(t for t in model.graph.initializer if t.name in bias)
    values = np.full(tuple(tensor.dims), np.nan, np.float32)
    tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    assert_noticed("segmentation_masks", model)


@pytest.mark.parametrize(
    ("name", "output"),
    [
        ("segmentation", 0),
        ("powerset_decode", 0),
        ("segmentation_masks", 0),
        ("sinc_peaks", 0),
        ("segmentation_from_peaks", 0),
        *(("embedding_inputs", output) for output in range(2)),
        *(("post_embedding", output) for output in range(4)),
        ("embedding-campplus", 0),
        ("embedding-wespeaker-resnet34", 0),
        ("fused-campplus", 1),
        ("fused-wespeaker-resnet34", 1),
    ],
)
def test_a_graph_that_gives_nan_is_never_passed(exported: Exported, name: str, output: int) -> None:
    model = exported(name)
    append(model, output, "Mul", np.array(np.nan, np.float32))
    assert_noticed(name, model)


def test_nan_for_the_distance_of_an_invalid_embedding_is_never_passed(exported: Exported) -> None:
    model = exported("post_embedding")
    (last,) = (node for node in model.graph.node if node.output[0] == "distances")
    last.output[0] = "right"
    model.graph.initializer.append(numpy_helper.from_array(np.zeros((), np.float32), "zero"))
    model.graph.node.append(helper.make_node("Mul", ["right", "zero"], ["nan where infinite"]))
    model.graph.node.append(helper.make_node("Add", ["right", "nan where infinite"], ["distances"]))
    assert_noticed("post_embedding", model, "distances")
