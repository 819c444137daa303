"""The shipped files: complete, unaltered, and refused if they are not."""

import hashlib
import logging
import re
import shutil
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from hocket import Config, Diarizer, models
from hocket.backends import REFERENCES
from hocket.config import GraphConfig, Runtime
from hocket.errors import ConfigError, ModelError
from hocket.graph import SPECS, Graph
from hocket.models.catalogue import RESTORE

SHIPPED = ("segmentation", "campplus", "segmentation-int8", "campplus-int8")
NEEDED = {
    "segmentation": ["segmentation.onnx", "segmentation.weights"],
    "segmentation_masks": ["segmentation_masks.onnx", "segmentation.weights"],
    "embedding": ["embedding-campplus.onnx", "campplus.weights"],
    "fused": ["fused-campplus.onnx", "segmentation.weights", "campplus.weights"],
}
PAIRS = [(graph, file) for graph, files in NEEDED.items() for file in files]


def load(graph: str, embedding: str = "campplus") -> Graph:
    return models.load(graph, GraphConfig(embedding), Runtime(threads=1))


def refusal(graph: str) -> str:
    with pytest.raises(ModelError) as caught:
        load(graph)
    message = str(caught.value)
    assert "\n" not in message
    return message


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def list_as_it_is(path: Path, before: str) -> None:
    """Make the manifest beside `path`, which listed sha256 `before`, list the file as it is."""
    manifest = path.with_name("manifest.toml")
    text = manifest.read_text()
    assert text.count(f'"{before}"') == 1
    manifest.write_text(text.replace(before, sha256(path)))


@pytest.fixture
def unread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail if ONNX Runtime is used."""
    monkeypatch.setattr(
        onnxruntime, "InferenceSession", lambda *_, **__: pytest.fail("ONNX Runtime was asked")
    )


def test_the_manifest_lists_every_graph_and_every_file_that_ships() -> None:
    catalogue = models.read_catalogue()
    embeddings = set(catalogue.calibrations)
    for graph in SPECS:
        models_in = {a.embedding for a in catalogue.artefacts.values() if a.graph == graph}
        whole = {"embedding": embeddings, "fused": embeddings - {"campplus-local"}}
        assert models_in == whole.get(graph, {None})
    files = [artefact.file for artefact in catalogue.artefacts.values()]
    for weights in catalogue.weights.values():
        files += [file for file in (weights.file, weights.layout) if file]
    files += catalogue.channels.values()
    for file in files:
        assert file.path.stat().st_size == file.size
        assert sha256(file.path) == file.sha256
        assert file.read() == file.path.read_bytes()
    suffixes = {".onnx", ".weights", ".npz"}
    kept = {path for path in models.FOLDER.iterdir() if path.suffix in suffixes}
    assert kept == {file.path for file in files if file.path.suffix != ".json"}
    assert sum(file.size for file in files) < 36e6  # the wheel stays under 40 MB


def test_weights_have_licence_and_attribution_and_shipped_ones_may_be_sold() -> None:
    catalogue = models.read_catalogue()
    shipped = {name for name, weights in catalogue.weights.items() if weights.file}
    assert shipped == set(SHIPPED)
    for name, weights in catalogue.weights.items():
        assert weights.attribution
        assert weights.model
        if name in shipped:
            assert weights.licence in {"MIT", "Apache-2.0"}


def test_every_embedding_model_has_a_threshold_with_a_reason() -> None:
    catalogue = models.read_catalogue()
    assert GraphConfig().embedding in catalogue.calibrations
    for name in catalogue.calibrations:
        assert 0 < catalogue.calibrations[name]["threshold"] < 2
        assert len(catalogue.reasons[name].split()) > 3
        chosen = Diarizer(Config(graphs=GraphConfig(name)))
        assert chosen.calibration == catalogue.calibrations[name]


@pytest.mark.parametrize("graph", SPECS)
def test_a_shipped_graph_loads_and_states_what_it_is(graph: str) -> None:
    opened, artefact = load(graph), models.read_catalogue().artefact(graph, "campplus", "float32")
    assert opened.spec is SPECS[graph]
    assert opened.metadata["graph"] == graph
    for key, value in artefact.geometry.items():
        assert opened.metadata[key] == str(value)
    for name in artefact.weights:
        weights = models.read_catalogue().weights[name]
        assert opened.metadata[f"{name}.licence"] == weights.licence
        assert opened.metadata[f"{name}.attribution"] == weights.attribution


@pytest.mark.parametrize("embedding", ["", "Campplus", "segmentation", "wespeaker"])
def test_an_unknown_embedding_model_is_refused_with_the_known_ones(embedding: str) -> None:
    for graph in ("embedding", "segmentation_masks"):
        with pytest.raises(ConfigError) as caught:
            load(graph, embedding)
        expected = (
            f"embedding is '{embedding}'; give one of campplus, campplus-local, wespeaker-resnet34"
        )
        assert str(caught.value) == expected


# --- altered and missing files


@pytest.mark.parametrize(("graph", "file"), PAIRS)
def test_a_missing_file_is_named_with_its_hash_and_the_remedy(
    copied: Path, unread: None, graph: str, file: str
) -> None:
    before = sha256(copied / file)
    (copied / file).unlink()
    expected = f"{copied / file}: No such file or directory; expected sha256 {before}; {RESTORE}"
    assert refusal(graph) == expected


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def cut_in_half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def lengthen(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\0")


@pytest.mark.parametrize(
    ("graph", "file"), [*PAIRS, *((graph, f"{graph}.onnx") for graph in sorted(REFERENCES))]
)
def test_an_altered_file_is_refused_before_the_runtime_gets_it(
    copied: Path, unread: None, graph: str, file: str
) -> None:
    """Small graphs too: NumPy replaces a missing file, not an altered one."""
    path, content = copied / file, (copied / file).read_bytes()
    for alter in (flip_a_bit, cut_in_half, empty, lengthen):
        path.write_bytes(content)
        before = sha256(path)
        alter(path)
        expected = f"{path}: found sha256 {sha256(path)}, expected {before}; {RESTORE}"
        assert refusal(graph) == expected


def test_the_command_that_restores_names_this_package() -> None:
    assert RESTORE == "run 'pip install --force-reinstall hocket'"


def test_the_file_of_a_model_of_channels_is_verified(
    copied: Path,
) -> None:
    path = copied / "channels-campplus.npz"
    content, before = path.read_bytes(), sha256(path)
    for alter in (flip_a_bit, cut_in_half, empty, lengthen):
        path.write_bytes(content)
        alter(path)
        with pytest.raises(ModelError) as caught:
            models.channel_model("campplus-local")
        assert (
            str(caught.value)
            == f"{path}: found sha256 {sha256(path)}, expected {before}; {RESTORE}"
        )
    cut_in_half(path)
    list_as_it_is(path, before)
    with pytest.raises(ModelError, match=rf"npz: no model of channels \(.*\); {RESTORE}"):
        models.channel_model("campplus")
    assert models.channel_model("wespeaker-resnet34") is None
    with pytest.raises(ConfigError, match="embedding is 'x'"):
        models.channel_model("x")


@pytest.mark.parametrize(("graph", "file"), PAIRS)
def test_a_swapped_hash_in_the_manifest_is_refused(
    copied: Path, unread: None, graph: str, file: str
) -> None:
    right, wrong = sha256(copied / file), "0" * 64
    manifest = copied / "manifest.toml"
    manifest.write_text(manifest.read_text().replace(right, wrong))
    message = refusal(graph)
    assert message.startswith(f"{copied / file}: found sha256 {right}, expected {wrong}; ")


@pytest.mark.parametrize("file", ["segmentation.onnx", "segmentation.weights"])
def test_a_damaged_file_with_a_matching_hash_is_one_line_of_the_loader(
    copied: Path, file: str
) -> None:
    for alter in (cut_in_half, empty):
        before = sha256(copied / file)
        alter(copied / file)
        list_as_it_is(copied / file, before)
        assert refusal("segmentation").startswith("graph 'segmentation': ")


def test_weights_in_the_working_directory_are_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    noise = np.random.default_rng(0).standard_normal((1, 1, 16_000)).astype(np.float32)
    expected = load("segmentation").run({"waveform": noise})["log_probs"]
    size = (models.FOLDER / "segmentation.weights").stat().st_size
    (tmp_path / "segmentation.weights").write_bytes(bytes(size))
    monkeypatch.chdir(tmp_path)
    assert np.array_equal(load("segmentation").run({"waveform": noise})["log_probs"], expected)


@pytest.mark.parametrize(
    ("graph", "file", "foreign"),
    [
        ("post_embedding", "post_embedding.onnx", "powerset_decode.onnx"),
        ("segmentation_masks", "segmentation_masks.onnx", "segmentation.onnx"),
        ("embedding", "embedding-campplus.onnx", "fused-campplus.onnx"),
        ("segmentation", "segmentation.onnx", "embedding_inputs.onnx"),
    ],
)
def test_another_graph_under_the_right_name_and_hash_is_refused(
    copied: Path, graph: str, file: str, foreign: str
) -> None:
    before = sha256(copied / file)
    shutil.copy(copied / foreign, copied / file)
    list_as_it_is(copied / file, before)
    message = refusal(graph)
    assert message.startswith(f"graph '{graph}': ")
    needs = {"fused-campplus.onnx"}  # more weights than this graph is given
    assert foreign in needs or re.search(r"found inputs and outputs .*, expected ", message)


@pytest.mark.parametrize("content", ["", "graphs = 3", "[graphs.embedding]\nfile = 'x'", "\x00"])
def test_a_damaged_manifest_is_one_clear_error(copied: Path, content: str) -> None:
    (copied / "manifest.toml").write_text(content)
    assert re.search(rf"manifest\.toml: no usable manifest \(.*\); {RESTORE}", refusal("fused"))
    (copied / "manifest.toml").unlink()
    assert "no usable manifest" in refusal("fused")


def test_a_manifest_without_the_graph_is_one_clear_error(copied: Path) -> None:
    manifest = copied / "manifest.toml"
    manifest.write_text(manifest.read_text().replace('graph = "fused"', 'graph = "other"'))
    assert refusal("fused") == f"{manifest}: lists no graph 'fused'; {RESTORE}"


# --- small graphs work without their file


@pytest.mark.parametrize("graph", sorted(REFERENCES))
def test_a_small_graph_without_its_file_is_computed_by_numpy_with_one_warning(
    copied: Path, caplog: pytest.LogCaptureFixture, graph: str
) -> None:
    usual = load(graph)
    inputs = {
        port.name: np.ones([int(a) if a.isdigit() else 4 for a in port.axes], np.float32)
        for port in SPECS[graph].inputs
    }
    (copied / f"{graph}.onnx").unlink()
    with caplog.at_level(logging.WARNING):
        instead = load(graph)
        found, expected = instead.run(inputs), usual.run(inputs)
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.name.startswith("hocket")
    expected_line = f"{copied / graph}.onnx: no such file; NumPy computes '{graph}' instead"
    assert record.getMessage() == expected_line
    for name, array in expected.items():
        assert found[name] == pytest.approx(array, abs=1e-6)


def test_an_embedding_model_is_identified_by_its_weights() -> None:
    spread, local = models.embedding_model("campplus"), models.embedding_model("campplus-local")
    assert spread.sha256 == local.sha256 == models.read_catalogue().weights["campplus"].file.sha256
    assert (local.name, local.dimension) == ("campplus-local", 192)
    assert models.embedding_model("wespeaker-resnet34").sha256 == ""
    with pytest.raises(ConfigError, match="embedding is 'x'"):
        models.embedding_model("x")


def test_added_weights_identify_the_model(resnet34: Path) -> None:
    placed = hashlib.sha256(resnet34.read_bytes()).hexdigest()
    assert models.embedding_model("wespeaker-resnet34").sha256 == placed
