"""The checks can fail: graphs with one thing wrong, and what the forge does with them."""

import hashlib
import shutil
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
from hocket_forge import __main__ as shell
from hocket_forge import manifest, parity, workspace
from hocket_forge.export import OPSET
from hocket_forge.graphs import RECIPES
from hocket_forge.parity import Check
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

Exported = Callable[[str], ModelProto]
Alteration = Callable[[ModelProto], None]


@pytest.fixture(autouse=True)
def without_the_filter_bank(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its checks concern the module, not the file, and cost seconds."""

    def nothing() -> Iterator[Check]:
        yield from ()

    monkeypatch.setattr(parity, "_fbank", nothing)


def first_failure(name: str, model: ModelProto) -> Check | None:
    """Checks run one by one, so that a graph that fails costs little."""
    with np.errstate(all="ignore"):
        checks = parity.checks(name, model)
        return next((check for check in checks if not check.passed), None)


def assert_noticed(name: str, model: ModelProto, check: str = "") -> None:
    """A comparison whose name starts so found a difference; it did not merely stumble."""
    failure = first_failure(name, model)
    assert failure is not None
    assert not failure.name.startswith("stopped by")
    assert failure.name.startswith(check)


# Initializers are found by the node that reads them: exporters number them as they like.


def nodes(model: ModelProto, kind: str) -> list[NodeProto]:
    return [node for node in model.graph.node if node.op_type == kind]


def stored(model: ModelProto, name: str) -> TensorProto:
    """The initializer of that name, or the half-precision one cast to it."""
    names = {name, f"{name}.half"}
    tensor: TensorProto = next(t for t in model.graph.initializer if t.name in names)
    return tensor


def negate_largest(tensor: TensorProto) -> None:
    values = numpy_helper.to_array(tensor).copy()
    largest = np.unravel_index(np.abs(values.astype(np.float64)).argmax(), values.shape)
    values[largest] *= -1
    tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))


def negated(kind: str, index: int, port: int) -> Alteration:
    """Another sign for the largest value of one input of the index-th node of a kind."""

    def alter(model: ModelProto) -> None:
        negate_largest(stored(model, nodes(model, kind)[index].input[port]))

    return alter


def renamed(kind: str, index: int, other: str) -> Alteration:
    def alter(model: ModelProto) -> None:
        node = nodes(model, kind)[index]
        node.op_type = other
        allowed = onnx.defs.get_schema(other, OPSET).attributes
        kept = [attribute for attribute in node.attribute if attribute.name in allowed]
        del node.attribute[:]
        node.attribute.extend(kept)

    return alter


def append(model: ModelProto, output: int, kind: str, *constants: NDArray[np.generic]) -> None:
    """Put one more operation behind an output of the graph."""
    name = model.graph.output[output].name
    for node in model.graph.node:
        for position, produced in enumerate(node.output):
            if produced == name:
                node.output[position] = f"{name}.before"
    for number, value in enumerate(constants):
        model.graph.initializer.append(numpy_helper.from_array(value, f"{name}.extra.{number}"))
    extra = [f"{name}.extra.{number}" for number in range(len(constants))]
    model.graph.node.append(helper.make_node(kind, [f"{name}.before", *extra], [name]))


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
def test_one_wrong_thing_in_segmentation_fails(exported: Exported, alter: Alteration) -> None:
    """Against recorded arrays: a module wrong in the same way would agree with its file."""
    model = exported("segmentation_masks")
    alter(model)
    assert_noticed("segmentation_masks", model, "log-probabilities = pyannote.audio")


def alter_mapping(model: ModelProto, rows: list[int]) -> None:
    mapping = next(t for t in model.graph.initializer if tuple(t.dims) == (7, 3))
    values = numpy_helper.to_array(mapping).copy()
    values[rows] = 1 - values[rows]
    mapping.CopyFrom(numpy_helper.from_array(values, mapping.name))


def test_a_wrong_row_of_the_mapping_fails(exported: Exported) -> None:
    model = exported("segmentation_masks")
    alter_mapping(model, [6])
    assert_noticed("segmentation_masks", model)


def test_wrong_rows_for_classes_the_golden_recording_never_holds_fail(exported: Exported) -> None:
    model = exported("segmentation_masks")
    alter_mapping(model, [1, 4, 5])  # every class with the first slot
    assert_noticed("segmentation_masks", model)


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
def test_one_wrong_thing_in_the_embedding_fails(exported: Exported, alter: Alteration) -> None:
    model = exported("embedding")
    alter(model)
    assert_noticed("embedding", model, "CAM++ = 3D-Speaker")


def test_embeddings_of_a_hundredth_of_their_length_fail(exported: Exported) -> None:
    """post_embedding holds lengths against 0.1; a cosine does not see them."""
    model = exported("embedding")
    append(model, 0, "Mul", np.array(0.01, np.float32))
    assert_noticed("embedding", model)


def shorten_runs(model: ModelProto) -> None:
    """Runs of 58 frames count, and the output keeps its shape."""
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
        pytest.param(shorten_runs, "filtered", id="runs of 58 frames"),
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
    """Without the padding to match: two frames too many come out."""
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


@pytest.mark.parametrize("name", ["segmentation_masks", "embedding"])
def test_a_graph_that_gives_nan_is_never_passed(exported: Exported, name: str) -> None:
    model = exported(name)
    if name == "embedding":
        append(model, 0, "Mul", np.array(np.nan, np.float32))
    else:
        bias = nodes(model, "Add")[-1].input
        tensor = next(t for t in model.graph.initializer if t.name in bias)
        values = np.full(tuple(tensor.dims), np.nan, np.float32)
        tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    assert_noticed(name, model)


@pytest.mark.parametrize("output", range(4))
def test_post_embedding_that_gives_nan_is_never_passed(exported: Exported, output: int) -> None:
    model = exported("post_embedding")
    append(model, output, "Mul", np.array(np.nan, np.float32))
    assert_noticed("post_embedding", model)


def test_nan_for_the_distance_of_a_hopeless_embedding_is_never_passed(exported: Exported) -> None:
    model = exported("post_embedding")
    chosen = next(node for node in model.graph.node if node.output[0] == "distances")
    assert chosen.op_type == "Where"  # 1 - cosine, or infinity
    infinity = next(node for node in model.graph.node if node.output[0] == chosen.input[2])
    (value,) = infinity.attribute
    value.t.CopyFrom(numpy_helper.from_array(np.array(np.nan, np.float32)))
    assert_noticed("post_embedding", model)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty place for artefacts; every name under which the forge knows the real one."""
    for module in (shell, manifest):
        monkeypatch.setattr(module, "MODELS", tmp_path)
    monkeypatch.setattr(manifest, "MANIFEST", tmp_path / "manifest.toml")
    return tmp_path


@pytest.fixture
def stubs(monkeypatch: pytest.MonkeyPatch) -> dict[str, ModelProto]:
    """Small files for the forge to make instead of graphs."""
    made = {name: ModelProto(doc_string=f"in place of {name}") for name in RECIPES}
    monkeypatch.setattr(shell, "export", lambda name, _recipe: made[name])
    return made


@pytest.fixture
def verdict(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """What the checks of each graph find; at most 1 passes."""
    found = dict.fromkeys(RECIPES, 0.0)

    def check(name: str, _model: ModelProto) -> list[Check]:
        return [Check("first", 0.0, 1.0), Check("second", found[name], 1.0)]

    monkeypatch.setattr(parity, "checks", check)
    return found


Verdict = dict[str, float]
Stubs = dict[str, ModelProto]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("failing", list(RECIPES))
@pytest.mark.parametrize("found", [1.5, np.nan])
def test_build_writes_nothing_and_returns_1_when_a_check_fails(
    folder: Path,
    stubs: Stubs,
    verdict: Verdict,
    capsys: pytest.CaptureFixture[str],
    failing: str,
    found: float,
) -> None:
    assert set(stubs) == set(verdict)
    verdict[failing] = found
    assert shell.main(["build"]) == 1
    assert contents(folder) == {}
    printed = capsys.readouterr()
    assert f"FAIL {failing}: second" in printed.out
    assert printed.err == (
        f"hocket_forge: 1 checks failed, nothing was written: {failing}: second\n"
    )


def test_a_failed_build_leaves_what_was_built_before(
    folder: Path, stubs: Stubs, verdict: Verdict
) -> None:
    assert shell.main(["build"]) == 0
    before = contents(folder)
    stubs["embedding"].doc_string = "another"
    verdict["post_embedding"] = 2
    assert shell.main(["build"]) == 1
    assert contents(folder) == before


def test_build_writes_every_graph_and_a_manifest_with_its_hash(
    folder: Path, stubs: Stubs, verdict: Verdict
) -> None:
    assert not any(verdict.values())
    assert shell.main(["build"]) == 0
    graphs = tomllib.loads((folder / "manifest.toml").read_text())["graphs"]
    assert set(graphs) == set(stubs)
    for name, entry in graphs.items():
        content = (folder / entry["file"]).read_bytes()
        assert content == stubs[name].SerializeToString()
        assert entry["sha256"] == hashlib.sha256(content).hexdigest()
        assert entry["bytes"] == len(content)
    assert len(contents(folder)) == len(stubs) + 1
    assert shell.main(["check"]) == 0


def test_building_again_keeps_calibration_and_nothing_else(
    folder: Path, stubs: Stubs, verdict: Verdict
) -> None:
    assert not any(verdict.values())
    assert shell.main(["build"]) == 0
    path = folder / "manifest.toml"
    before = path.read_text()
    path.write_text(before + "\n[graphs.embedding.calibration]\nthreshold = 0.5\n")
    stubs["embedding"].doc_string = "another"
    assert shell.main(["build"]) == 0
    graphs = tomllib.loads(path.read_text())["graphs"]
    assert graphs["embedding"].pop("calibration") == {"threshold": 0.5}
    content = stubs["embedding"].SerializeToString()
    assert graphs["embedding"]["sha256"] == hashlib.sha256(content).hexdigest()
    other = tomllib.loads(before)["graphs"]
    assert graphs["segmentation_masks"] == other["segmentation_masks"]


def test_check_notices_a_file_that_is_not_the_manifests(
    folder: Path, stubs: Stubs, verdict: Verdict, capsys: pytest.CaptureFixture[str]
) -> None:
    assert not any(verdict.values())
    assert shell.main(["build"]) == 0
    path = folder / "embedding.onnx"
    stubs["embedding"].doc_string = "still a model, with other bytes"
    path.write_bytes(stubs["embedding"].SerializeToString())
    capsys.readouterr()
    assert shell.main(["check"]) == 1
    printed = capsys.readouterr()
    assert "embedding.onnx: found sha256" in printed.err
    assert hashlib.sha256(path.read_bytes()).hexdigest() in printed.err
    assert printed.out == ""  # a foreign file is not even loaded


def test_check_fails_with_the_parity_of_a_file(
    folder: Path, stubs: Stubs, verdict: Verdict, capsys: pytest.CaptureFixture[str]
) -> None:
    assert shell.main(["build"]) == 0
    before = contents(folder)
    assert set(stubs) == set(verdict)
    verdict["segmentation_masks"] = np.nan
    assert shell.main(["check"]) == 1
    assert "segmentation_masks: second" in capsys.readouterr().err
    assert contents(folder) == before


def test_check_notices_a_graph_missing_from_the_manifest(
    folder: Path, stubs: Stubs, verdict: Verdict, capsys: pytest.CaptureFixture[str]
) -> None:
    assert not any(verdict.values())
    assert shell.main(["check"]) == 1  # before the first build
    assert shell.main(["build"]) == 0
    path = folder / "manifest.toml"
    text = path.read_text()
    path.write_text(text[: text.index("[graphs.post_embedding]")])
    capsys.readouterr()
    assert shell.main(["check"]) == 1
    err = capsys.readouterr().err
    assert all(name in err for name in stubs)


@pytest.mark.parametrize("arguments", [[], ["deploy"], ["build", "check"], ["--help"]])
def test_wrong_usage_is_2_and_says_what_is_right(
    folder: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert shell.main(arguments) == 2
    assert capsys.readouterr().err == "usage: python -m hocket_forge build|check\n"
    assert contents(folder) == {}


def test_writing_the_shipped_graphs_again_changes_no_byte(folder: Path) -> None:
    shutil.copy(workspace.MANIFEST, folder)
    manifest.write_artefacts(
        {name: onnx.load(workspace.MODELS / f"{name}.onnx") for name in RECIPES}
    )
    written = contents(folder)
    assert len(written) == len(RECIPES) + 1
    for name, content in written.items():
        assert content == (workspace.MODELS / name).read_bytes(), name
