"""Checks of saved packages: they pass, notice faults, and run as in the backend."""

from collections.abc import Callable
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from hocket_forge import coreml
from hocket_forge.coreml_parity import EvaluatedModel, checks, open_evaluated
from hocket_forge.fbank import Fbank
from hocket_forge.graphs import RECIPES
from hocket_forge.parity import windows
from hocket_forge.post_embedding import PostEmbedding
from hocket_forge.powerset import PowersetDecode
from numpy.typing import NDArray
from torch import Tensor, nn

from hocket.backends import reference
from hocket.backends.coreml import CoreMLGraph
from hocket.errors import GraphInputError
from hocket.geometry import Geometry
from hocket.graph import SPECS

from .packages import MODEL, WEIGHTS, copied, edited, failures, made, operation, operations
from .packages import built as package_of
from .packages import weights as weights_of

Array = NDArray[np.float32]

LOGARITHMS = "logarithms, roots and exponentials in float16"
STRUCTURE = {
    "custom layers and strided views",
    "slices",
    LOGARITHMS,
}
RUNS = {
    "segmentation": ("1 x 160000", "3 x 160000", "17 x 80000"),
    "sinc_peaks": ("1 x 29070", "3 x 29070", "17 x 4001"),
}
# `make coreml` checks all packages; these have every check, and take seconds
CHECKED = (
    "segmentation",
    "powerset_decode",
    "sinc_peaks",
    "embedding_inputs",
    "post_embedding",
)


@pytest.fixture
def few_cases(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer random cases of `post_embedding` than `make coreml` checks."""
    monkeypatch.setattr(windows, "RANDOM_CASES", 20)


@pytest.mark.usefixtures("few_cases")
@pytest.mark.parametrize("name", CHECKED)
def test_every_check_of_a_built_package_passes(name: str) -> None:
    found = list(checks(name, package_of(name)))
    assert not [check for check in found if not check.passed]
    labels = {check.name for check in found}
    assert len(labels) == len(found)
    assert labels >= STRUCTURE
    for port in SPECS[RECIPES[name].graph].outputs:
        for run in RUNS.get(name, ("NumPy",)):
            assert [label for label in labels if label.startswith(port.name) and run in label]


@pytest.mark.parametrize("name", ["segmentation", "segmentation_masks"])
@pytest.mark.parametrize(("layer", "argument"), [("conv", "weight"), ("lstm", "weight_hh")])
def test_one_altered_weight_is_noticed(
    name: str, layer: str, argument: str, tmp_path: Path
) -> None:
    package = copied(name, tmp_path)
    weights = weights_of(package, layer, argument)
    largest = np.abs(weights).argmax()
    weights.flat[largest] *= -1
    weights.flush()
    failed = failures(name, package)
    assert failed
    assert all("frames" in label or "difference" in label for label in failed)


def test_wrong_values_of_log_probabilities_are_noticed(tmp_path: Path) -> None:
    package = copied("segmentation", tmp_path)
    with edited(package) as model:
        [log] = [step for step in operations(model) if step.type == "log"]
        log.type = "exp"
        del log.inputs["epsilon"]
    assert failures("segmentation", package)


@pytest.mark.parametrize(
    ("output", "was", "instead", "caught"),
    [
        ("var_6", "less", "greater", ["distances", "valid"]),
        ("var_47", "maximum", "minimum", ["distances"]),
    ],
)
@pytest.mark.usefixtures("few_cases")
def test_one_swapped_operation_is_noticed(
    output: str, was: str, instead: str, caught: list[str], tmp_path: Path
) -> None:
    package = copied("post_embedding", tmp_path)
    with edited(package) as model:
        step = operation(model, output)
        assert step.type == was
        step.type = instead
    assert failures("post_embedding", package) == [f"{name} = NumPy" for name in caught]


@pytest.mark.usefixtures("few_cases")
def test_a_small_graph_in_float16_is_noticed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(coreml, "FLOAT32_GRAPHS", frozenset())
    package = made("post_embedding", PostEmbedding(), tmp_path)
    failed = failures("post_embedding", package)
    assert {LOGARITHMS, "operations in float16", "distances = NumPy", "valid = NumPy"} <= {*failed}


class Infinite(PostEmbedding):
    """Infinite distances from a constant."""

    def forward(self, *given: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        distances, activity, valid, filtered = super().forward(*given)
        finite = distances.abs() < torch.inf
        return torch.where(finite, distances, torch.inf), activity, valid, filtered


@pytest.mark.usefixtures("few_cases")
def test_infinity_written_as_the_largest_float_is_noticed(tmp_path: Path) -> None:
    package = made("post_embedding", Infinite(), tmp_path)
    one, zero = np.ones((1, 192), np.float32), np.zeros((1, 192), np.float32)
    inputs = {"embeddings": one, "database": zero, "segments": np.ones((1, 1, 1), np.float32)}
    [[distance]] = EvaluatedModel(package).predict(inputs)["distances"]
    assert 3e38 < distance < np.inf  # the check exists to find this
    assert failures("post_embedding", package) == ["distances = NumPy"]


class SmallEmbedding(nn.Module):
    """In place of an embedding network: a filter bank, its mean, and a layer."""

    def __init__(self) -> None:
        super().__init__()
        self.fbank = Fbank()
        self.layer = nn.Linear(80, 192)

    def forward(self, waveform: Tensor, masks: Tensor) -> Tensor:
        return self.layer(self.fbank(waveform).mean(-1))[:, None] * masks.amax(-1, keepdim=True)


def test_a_filter_bank_in_float16_is_noticed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def structure(folder: Path) -> list[str]:
        package = made("embedding-campplus", SmallEmbedding(), folder)
        first = islice(checks("embedding-campplus", package), 4)
        return [check.name for check in first if not check.passed]

    assert structure(tmp_path / "planned") == []
    monkeypatch.setattr(coreml, "ISLANDS", coreml.ISLANDS - {"fbank"})
    assert structure(tmp_path / "other") == [LOGARITHMS]


def test_a_logarithm_of_softmax_in_float16_is_noticed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(coreml, "ISLANDS", frozenset())
    package = made("segmentation", RECIPES["segmentation"].module(), tmp_path)
    assert LOGARITHMS in failures("segmentation", package)


def test_normalization_of_peaks_in_float16_is_noticed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(coreml, "ISLANDS", coreml.ISLANDS - {"levelling"})
    package = made("segmentation_from_peaks", RECIPES["segmentation_from_peaks"].module(), tmp_path)
    assert LOGARITHMS in failures("segmentation_from_peaks", package)


def test_layers_in_float32_are_noticed(tmp_path: Path) -> None:
    package = tmp_path / "segmentation_masks.mlpackage"
    module = RECIPES["segmentation_masks"].module()
    coreml.convert("segmentation_masks", module, half=False).save(str(package))
    assert failures("segmentation_masks", package) == ["layers in float32"]


class Sliced(PowersetDecode):
    """With a slice for each frame."""

    def forward(self, scores: Tensor) -> Tensor:
        first = torch.cat([scores[:, frame : frame + 1] for frame in range(9)], dim=1)
        return super().forward(torch.cat([first, scores[:, 9:]], dim=1))


def test_a_slice_per_frame_is_noticed(tmp_path: Path) -> None:
    package = made("powerset_decode", Sliced(), tmp_path)
    assert failures("powerset_decode", package) == ["slices"]


def _truncated(package: Path) -> None:
    content = (package / WEIGHTS).read_bytes()
    (package / WEIGHTS).write_bytes(content[:-2])


def _without_weights(package: Path) -> None:
    (package / WEIGHTS).unlink()


def _without_program(package: Path) -> None:
    (package / MODEL).unlink()


def _other_names(package: Path) -> None:
    with edited(package) as model:
        model.description.output[0].name = "log_probs"


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (_truncated, "stopped by ForgeError: weights/weight.bin, tensor at "),
        (_without_weights, "stopped by ForgeError: weight.bin cannot be read"),
        (_without_program, "stopped by ForgeError: model.mlmodel cannot be read"),
        (_other_names, "stopped by ForgeError: the function gives"),
    ],
)
def test_a_damaged_package_is_one_failed_check(
    spoil: Callable[[Path], None], reason: str, tmp_path: Path
) -> None:
    package = copied("segmentation_masks", tmp_path)
    spoil(package)
    [check] = checks("segmentation_masks", package)
    assert not check.passed
    assert check.name.startswith(reason)


def test_a_package_of_another_graph_is_a_failed_check() -> None:
    *_, last = checks("segmentation", package_of("segmentation_masks"))
    assert last.name.startswith("stopped by ModelError: graph 'segmentation'")
    assert not last.passed


class Watched(EvaluatedModel):
    """Records the shapes of its inputs."""

    def __init__(self, package: Path) -> None:
        super().__init__(package)
        self.given: list[dict[str, tuple[int, ...]]] = []

    def predict(self, inputs):
        self.given.append({name: array.shape for name, array in inputs.items()})
        return super().predict(inputs)


def watched(name: str) -> tuple[Watched, CoreMLGraph]:
    model = Watched(package_of(name))
    return model, CoreMLGraph(RECIPES[name].graph, model)


def pieces(speech: Array, number: int, length: int) -> Array:
    return np.stack([speech[112_000 + 9_000 * i :][:length] for i in range(number)])[:, None]


def test_an_empty_database_gives_no_distances() -> None:
    model, graph = watched("post_embedding")
    generator = np.random.default_rng(2)
    embeddings = generator.standard_normal((3, 192)).astype(np.float32)
    segments = (np.arange(600).reshape(1, 200, 3) % 7 < 5).astype(np.float32)
    database = np.zeros((0, 192), np.float32)
    found = graph.run({"embeddings": embeddings, "database": database, "segments": segments})
    expected = reference.post_embedding(embeddings, database, segments)
    assert found["distances"].shape == (3, 0)
    assert model.given == [{"embeddings": (3, 192), "database": (1, 192), "segments": (1, 200, 3)}]
    for port, array in expected.items():
        assert found[port].shape == array.shape
        assert np.array_equal(found[port], array), port
    assert found["activity"].any()


def test_three_windows_are_padded_to_four_and_cut(speech: Array) -> None:
    model, graph = watched("segmentation_masks")
    windows = pieces(speech, 3, 80_000)
    masks = graph.run({"waveform": windows})["masks"]
    assert model.given == [{"waveform": (4, 1, 80_000)}]
    assert masks.shape == (3, 293, 3)
    assert masks.any(axis=(1, 2)).all()
    for window, expected in zip(windows, masks, strict=True):
        alone = graph.run({"waveform": window[None]})["masks"]
        assert np.array_equal(alone[0], expected)


def test_seventeen_windows_are_sixteen_and_one(speech: Array) -> None:
    model, graph = watched("segmentation")
    windows = pieces(speech, 17, 80_000)
    log_probs = graph.run({"waveform": windows})["log_probs"]
    assert [given["waveform"][0] for given in model.given] == [16, 1]
    assert log_probs.shape == (17, 293, 7)
    last = graph.run({"waveform": windows[16:]})["log_probs"]
    assert np.array_equal(last[0], log_probs[16])
    assert np.abs(np.exp(log_probs).sum(-1) - 1).max() < 1e-5


def test_batches_of_a_graph_with_ranges_are_split_but_not_padded(speech: Array) -> None:
    model, graph = watched("embedding-campplus")
    masks = np.ones((17, 2, 4), np.float32)
    found = graph.run({"waveform": pieces(speech, 17, 2_000), "masks": masks})
    assert [given["waveform"][0] for given in model.given] == [16, 1]
    assert [given["masks"][0] for given in model.given] == [16, 1]
    assert found["embeddings"].shape == (17, 2, 192)


@pytest.mark.parametrize("length", [79_999, 80_001, 100_000, 160_001])
def test_a_length_that_is_not_listed_is_refused(length: int) -> None:
    graph = open_evaluated("segmentation_masks", package_of("segmentation_masks"))
    with pytest.raises(GraphInputError, match=rf"found shape \(1, 1, {length}\); this package"):
        graph.run({"waveform": np.zeros((1, 1, length), np.float32)})


def test_the_least_length_of_the_metadata_is_kept() -> None:
    graph = open_evaluated("embedding-campplus", package_of("embedding-campplus"))
    short = {"waveform": np.zeros((1, 1, 399), np.float32), "masks": np.ones((1, 1, 1), np.float32)}
    with pytest.raises(GraphInputError, match="axis 'samples' must be 400 or more"):
        graph.run(short)


@pytest.mark.parametrize("name", ["segmentation", "segmentation_masks"])
def test_geometry_is_read_from_the_package(name: str) -> None:
    graph = open_evaluated(name, package_of(name))
    geometry = Geometry.from_metadata(graph.metadata)
    assert geometry == Geometry(
        sample_rate=16_000,
        window_samples=160_000,
        frame_step=270,
        receptive_field=991,
        window_frames=589,
        slots=3,
    )
