"""What Core ML needs beyond the contract: fixed shapes, no empty axis, macOS."""

import logging
import platform
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import soundfile

from hocket import Config, Diarizer, models
from hocket.backends import REFERENCES, ReferenceGraph
from hocket.backends.coreml import CoreMLGraph, open_package
from hocket.config import GraphConfig, Runtime
from hocket.errors import BackendError, ConfigError, GraphInputError, ModelError
from hocket.graph import Graph
from hocket.models.coreml_packages import coreml_folder, write_hashes
from tests.helpers.coreml_double import BATCHES, FakeMLModel, Feature, fake_package
from tests.helpers.paths import CONVERSATION

Arrays = dict[str, np.ndarray]

COREML = GraphConfig("campplus", backend="coreml")
PLAIN = Config(graphs=GraphConfig("campplus", "float32", "onnxruntime"))


def package(name: str) -> FakeMLModel:
    inner: Graph = (
        ReferenceGraph(name)
        if name in REFERENCES
        else models.load(name, GraphConfig("campplus", "float32"), Runtime(threads=1))
    )
    return fake_package(name, inner)


class Loudness:
    """A stand-in for networks: the first sample of every window, in every output."""

    metadata: Mapping[str, str] = {}

    def run(self, inputs: Arrays) -> Arrays:
        level = inputs["waveform"][:, :, :1]
        slots = inputs["masks"].shape[1] if "masks" in inputs else 3
        return {"masks": level.repeat(3, 2), "embeddings": level.repeat(slots, 1).repeat(5, 2)}


def rising(batch: int, samples: int = 80_000) -> Arrays:
    """Windows of constant level, each louder by one."""
    levels = np.arange(1, batch + 1, dtype=np.float32)
    return {"waveform": np.broadcast_to(levels[:, None, None], (batch, 1, samples))}


@pytest.mark.parametrize(
    ("batch", "given"),
    [(1, [1]), (2, [4]), (4, [4]), (5, [16]), (16, [16]), (17, [16, 1]), (37, [16, 16, 16])],
)
def test_a_batch_is_padded_to_the_next_size_or_split(batch: int, given: list[int]) -> None:
    model = fake_package("embedding", Loudness())
    inputs = rising(batch, 8_000) | {"masks": np.ones((batch, 2, 30), np.float32)}
    found = CoreMLGraph("embedding", model).run(inputs)["embeddings"]
    assert model.given == [{"waveform": (n, 1, 8_000), "masks": (n, 2, 30)} for n in given]
    assert found.shape == (batch, 2, 5)
    assert found[:, 1, 4].tolist() == list(range(1, batch + 1))


def test_rows_keep_their_order_in_all_outputs() -> None:
    found = CoreMLGraph("fused", fake_package("fused", Loudness())).run(rising(21))
    assert found["masks"][:, 0, 0].tolist() == list(range(1, 22))
    assert found["embeddings"][:, 2, 1].tolist() == list(range(1, 22))


@pytest.mark.parametrize("samples", [79_999, 80_001, 160_001, 1_261])
def test_a_length_that_the_package_does_not_take_is_refused_with_those_it_takes(
    samples: int,
) -> None:
    model = package("segmentation")
    with pytest.raises(GraphInputError) as caught:
        CoreMLGraph("segmentation", model).run(rising(2, samples))
    message = str(caught.value)
    assert message.startswith(
        f"waveform: found shape (2, 1, {samples}); this package takes (1, 1, "
    )
    for length in (80_000, 160_000):
        assert all(f"({batch}, 1, {length})" in message for batch in BATCHES)
    assert model.given == []


@pytest.mark.parametrize(("port", "frames"), [("segments", 4_001), ("segments", 9_999)])
def test_an_axis_out_of_its_range_is_refused_with_the_range(port: str, frames: int) -> None:
    model = package("post_embedding")
    arrays = {
        "embeddings": np.ones((3, 8), np.float32),
        "database": np.ones((2, 8), np.float32),
        "segments": np.ones((1, frames, 3), np.float32),
    }
    with pytest.raises(GraphInputError, match=rf"^{port}: found shape \(1, {frames}, 3\); .*4000"):
        CoreMLGraph("post_embedding", model).run(arrays)
    assert model.given == []


def test_a_range_without_an_end_has_none() -> None:
    model = package("post_embedding")
    arrays = {
        "embeddings": np.ones((3, 5_000), np.float32),
        "database": np.ones((2, 5_000), np.float32),
        "segments": np.ones((1, 9, 3), np.float32),
    }
    assert CoreMLGraph("post_embedding", model).run(arrays)["distances"].shape == (3, 2)


def test_a_batch_over_a_range_is_split_too() -> None:
    model = package("powerset_decode")
    log_probs = np.random.default_rng(3).standard_normal((40, 5, 7)).astype(np.float32)
    found = CoreMLGraph("powerset_decode", model).run({"log_probs": log_probs})["masks"]
    assert [call["log_probs"][0] for call in model.given] == [16, 16, 8]
    expected = ReferenceGraph("powerset_decode").run({"log_probs": log_probs})["masks"]
    assert np.array_equal(found, expected)


def test_an_input_of_one_shape_takes_that_shape() -> None:
    model = package("powerset_decode")
    model = replace(model, features=(Feature("log_probs", shape=(1, 5, 7)),))
    graph = CoreMLGraph("powerset_decode", model)
    assert graph.run({"log_probs": np.zeros((1, 5, 7), np.float32)})["masks"].shape == (1, 5, 3)
    with pytest.raises(GraphInputError, match=r"found shape \(1, 6, 7\)"):
        graph.run({"log_probs": np.zeros((1, 6, 7), np.float32)})


def test_an_empty_database_is_padded_with_a_row_that_is_removed_again() -> None:
    model = package("post_embedding")
    arrays = {
        "embeddings": np.ones((3, 192), np.float32),
        "database": np.empty((0, 192), np.float32),
        "segments": np.ones((1, 589, 3), np.float32),
    }
    found = CoreMLGraph("post_embedding", model).run(arrays)
    assert model.given[0]["database"] == (1, 192)
    assert found["distances"].shape == (3, 0)
    expected = ReferenceGraph("post_embedding").run(arrays)
    assert all(np.array_equal(found[name], expected[name]) for name in expected)


def test_metadata_is_that_of_the_package() -> None:
    graph = CoreMLGraph("fused", package("fused"))
    assert graph.metadata == dict(
        models.load("fused", GraphConfig("campplus", "float32"), Runtime()).metadata
    )
    assert graph.metadata["least_samples"] == "1261"


def test_a_foreign_package_is_refused() -> None:
    with pytest.raises(ModelError, match=r"^graph 'embedding': found inputs .*\['log_probs', 'wav"):
        CoreMLGraph("embedding", package("segmentation"))
    with pytest.raises(ModelError, match=r"^graph 'segmentation_masks': .*\['log_probs', 'wav"):
        CoreMLGraph("segmentation_masks", package("segmentation"))


# --- opening


@pytest.fixture
def macos(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Darwin")


Loader = Callable[[str], FakeMLModel]


def install(monkeypatch: pytest.MonkeyPatch, load: Loader) -> None:
    """Make `import coremltools` find one whose MLModel is `load`."""
    fake = ModuleType("coremltools")
    fake.models = SimpleNamespace(MLModel=load)
    monkeypatch.setitem(sys.modules, "coremltools", fake)


@pytest.mark.parametrize("system", ["Linux", "Windows"])
def test_other_systems_are_refused_before_anything_is_opened(
    system: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform, "system", lambda: system)
    for opening in (
        lambda: open_package("segmentation", Path("nowhere.mlpackage")),
        lambda: models.load("segmentation", COREML, Runtime()),
        lambda: Diarizer(Config(graphs=COREML)).load(),
    ):
        with pytest.raises(BackendError, match=rf"macOS only, this is {system}; use .*onnxruntime"):
            opening()


def test_without_coremltools_the_error_says_what_to_install(
    macos: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "coremltools", None)
    with pytest.raises(BackendError, match=r"coremltools cannot be imported .*'pip install"):
        open_package("segmentation", Path("nowhere.mlpackage"))


def test_a_package_that_cannot_be_loaded_is_named(
    macos: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: str) -> FakeMLModel:
        raise RuntimeError("Error compiling model:\nunsupported")

    install(monkeypatch, fail)
    with pytest.raises(ModelError, match=r"^odd\.mlpackage: .*compiling model:\\nunsupported"):
        open_package("segmentation", Path("odd.mlpackage"))


@pytest.fixture
def built(user_folder: Path) -> Path:
    """A folder of packages for the engine, with arbitrary content."""
    names = ["segmentation.mlpackage", "embedding-campplus.mlpackage"]
    for name in names:
        content = coreml_folder() / name / "Data" / "weights.bin"
        content.parent.mkdir(parents=True)
        content.write_bytes(name.encode())
    write_hashes(coreml_folder(), names)
    assert coreml_folder() == user_folder / "coreml"
    return coreml_folder()


def test_a_package_that_was_not_built_is_named_with_the_command(macos: None) -> None:
    with pytest.raises(ModelError) as caught:
        models.load("segmentation", COREML, Runtime())
    path = coreml_folder() / "segmentation.mlpackage"
    assert str(caught.value).startswith(f"{path}: ")
    assert f"run 'hocket models export --to coreml {coreml_folder()}'" in str(caught.value)


def damage_a_file(package: Path) -> None:
    (package / "Data" / "weights.bin").write_bytes(b"altered")


def add_a_file(package: Path) -> None:
    (package / "Data" / "more.bin").write_bytes(b"")


def rename_a_file(package: Path) -> None:
    (package / "Data" / "weights.bin").rename(package / "Data" / "weight.bin")


@pytest.mark.parametrize("alter", [damage_a_file, add_a_file, rename_a_file])
def test_an_altered_package_is_refused_with_both_hashes(
    built: Path,
    macos: None,
    monkeypatch: pytest.MonkeyPatch,
    alter: Callable[[Path], None],
) -> None:
    install(monkeypatch, lambda path: pytest.fail("looked into the package"))
    path = built / "segmentation.mlpackage"
    alter(path)
    with pytest.raises(ModelError) as caught:
        models.load("segmentation", COREML, Runtime())
    found, expected = re.findall(r"[0-9a-f]{64}", str(caught.value))
    assert found != expected
    assert expected in (built / "hashes.toml").read_text()
    assert str(caught.value).startswith(f"{path}: found sha256 ")


def test_the_engine_gives_the_same_turns_through_packages(
    built: Path,
    macos: None,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The engine needs few shapes: whole windows, and subsegments on the grid."""
    loaded = []

    def load(path: str) -> FakeMLModel:
        loaded.append(Path(path).name)
        return package("embedding" if "embedding" in path else "segmentation")

    install(monkeypatch, load)
    samples, rate = soundfile.read(CONVERSATION, dtype="float32", frames=14 * 16_000)
    with caplog.at_level(logging.WARNING):
        found = Diarizer(Config(graphs=COREML))(samples, sample_rate=rate)
    assert sorted(loaded) == sorted(path.name for path in built.glob("*.mlpackage"))
    assert found.turns == Diarizer(PLAIN)(samples, sample_rate=rate).turns
    assert len(found.turns) > 1
    assert caplog.records == []


@pytest.mark.parametrize("backend", ["", "TensorRT", "CoreML"])
def test_an_unknown_backend_is_refused_with_the_known_ones(backend: str) -> None:
    with pytest.raises(
        ConfigError, match=rf"^backend is '{backend}'; give one of auto, onnxruntime, "
    ):
        models.load("segmentation", GraphConfig(backend=backend), Runtime())
