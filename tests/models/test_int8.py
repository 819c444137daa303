"""int8: used where it is chosen, published only with its figures, and close to float32."""

import tomllib

import numpy as np
import pytest

from hocket import Config, Diarizer, models
from hocket.audio.reading import read_audio
from hocket.config import GraphConfig, Runtime, WindowConfig
from hocket.errors import ConfigError
from hocket.graph import Graph, Tensors
from tests.helpers.paths import CLIPS, CONVERSATION

MANIFEST = tomllib.loads((models.FOLDER / "manifest.toml").read_text())
VARIANTS = {name: entry for name, entry in MANIFEST["graphs"].items() if name.endswith("-int8")}
MOST_DER = 0.3  # points over float32 on the development recordings


def load(graph: str, precision: str, embedding: str = "campplus-local") -> Graph:
    return models.load(graph, GraphConfig(embedding, precision), Runtime(threads=1))


@pytest.fixture(scope="module")
def speech() -> np.ndarray:
    return read_audio(CONVERSATION, target_rate=16_000).samples


def test_the_graphs_of_the_engine_are_published_in_int8() -> None:
    names = {"segmentation", "segmentation_from_peaks", "embedding-campplus-local"}
    assert set(VARIANTS) == {f"{name}-int8" for name in names}


@pytest.mark.parametrize("name", VARIANTS)
def test_a_variant_is_published_with_its_figures_and_costs_little(name: str) -> None:
    measured = VARIANTS[name]["measured"]
    assert measured["der"] - measured["der_float32"] <= MOST_DER
    if "embedding" in name:
        assert 0.9 < measured["cosine_worst"] < measured["cosine_mean"] < 1
    else:
        assert 0 < measured["differing"] < 0.02


@pytest.mark.parametrize("name", VARIANTS)
def test_a_variant_is_much_smaller(name: str) -> None:
    weights = {key: entry["bytes"] for key, entry in MANIFEST["weights"].items()}
    (own,), (whole,) = (
        VARIANTS[name]["weights"],
        MANIFEST["graphs"][name.removesuffix("-int8")]["weights"],
    )
    assert weights[own] < 0.7 * weights[whole]


@pytest.mark.parametrize("graph", ["segmentation", "segmentation_from_peaks"])
def test_int8_segments_the_same_speech(speech: np.ndarray, graph: str) -> None:
    windows = np.stack([speech[a : a + 160_000] for a in (0, 160_000, 320_000)])[:, None]
    inputs = {"waveform": windows}
    if graph == "segmentation_from_peaks":
        inputs |= load("sinc_peaks", "float32").run(inputs)
    exact, rounded = (
        load(graph, precision).run(inputs)["log_probs"] for precision in ("float32", "int8")
    )
    share = float((exact.argmax(axis=-1) != rounded.argmax(axis=-1)).mean())
    assert 0 < share < 0.03  # some frames differ, so it is another graph
    assert np.abs(np.exp(exact) - np.exp(rounded)).mean() < 0.01


def test_int8_embeddings_have_the_direction_of_float32(speech: np.ndarray) -> None:
    pieces = np.stack([speech[a : a + 32_000] for a in range(16_000, 400_000, 48_000)])[:, None]
    inputs = {"waveform": pieces, "masks": np.ones((len(pieces), 1, 1), np.float32)}
    exact, rounded = (
        load("embedding", precision).run(inputs)["embeddings"][:, 0]
        for precision in ("float32", "int8")
    )
    cosine = (exact * rounded).sum(1) / np.linalg.norm(exact, axis=1)
    cosine /= np.linalg.norm(rounded, axis=1)
    assert 0.93 < cosine.min() < 0.99999


def test_the_whole_engine_runs_in_int8() -> None:
    config = Config(graphs=GraphConfig(precision="int8"))
    result = Diarizer(config)(CONVERSATION)
    exact = Diarizer()(CONVERSATION)
    assert result.speakers == exact.speakers
    spoken = [sum(t.end - t.start for t in r.turns) for r in (result, exact)]
    assert spoken[0] == pytest.approx(spoken[1], rel=0.03)
    assert Diarizer(config)(next(CLIPS.glob("*.flac"))).turns


class Recorder:
    """A graph that keeps the number of windows of each call."""

    def __init__(self, graph: Graph) -> None:
        self.spec, self.metadata, self._graph = graph.spec, graph.metadata, graph
        self.calls: list[int] = []

    def run(self, inputs: Tensors) -> dict[str, np.ndarray]:
        self.calls.append(len(inputs["waveform"]))
        return self._graph.run(inputs)


@pytest.mark.parametrize(("precision", "batches"), [("int8", {1}), ("float32", {3, 2})])
def test_windows_of_one_call_share_no_scale_in_int8(
    precision: str, batches: set[int], speech: np.ndarray
) -> None:
    windows = WindowConfig(step_s=2.5, batch=3)
    config = Config(graphs=GraphConfig(precision=precision), windows=windows)
    diarizer = Diarizer(config)
    recorder = Recorder(diarizer.segmentation_graph)
    diarizer.segmentation_graph = recorder
    diarizer.infer(speech[: 19 * 16_000])
    assert sum(recorder.calls) == 5
    assert set(recorder.calls) == batches


@pytest.mark.parametrize("precision", ["", "INT8", "float16"])
def test_an_unknown_precision_is_refused_with_those_there_are(precision: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load("embedding", precision)
    expected = f"precision is '{precision}'; give one of auto, float32, bfloat16, int8"
    assert str(caught.value) == expected


def test_a_graph_without_an_int8_variant_is_refused() -> None:
    for graph, embedding in (
        ("embedding", "wespeaker-resnet34"),
        ("fused", "campplus"),
        ("segmentation_masks", "campplus"),
    ):
        with pytest.raises(ConfigError, match=f"of '{graph}' with {embedding} there is float32$"):
            load(graph, "int8", embedding)


@pytest.mark.parametrize("graph", ["powerset_decode", "sinc_peaks"])
def test_small_graphs_are_the_same_in_every_precision(graph: str) -> None:
    assert load(graph, "int8").metadata == load(graph, "float32").metadata


def test_core_ml_takes_no_other_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="precision is 'int8'; Core ML packages have their own"):
        models.load("embedding", GraphConfig(precision="int8", backend="coreml"), Runtime())
