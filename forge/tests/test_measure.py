"""Measurement of rows: with which graph and Diarizer, and when it is repeated."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hocket_forge import candidates, measure, rows
from hocket_forge.candidates import DECIDING, SHARING, Candidate
from hocket_forge.parity.common import cut, speech
from hocket_forge.rows import Row
from hocket_forge.sources import ForgeError
from hocket_forge.workspace import ROOT

from hocket import Config, models
from hocket.config import GraphConfig, Runtime
from hocket.graph import Graph, Tensors

Outputs = dict[str, Any]
RATES = {"all": {"der_percent": 10.0}, "kinds": {}, "audio_minutes": 1}


class Rotated:
    """`segmentation` with rotated classes in every tenth frame."""

    def __init__(self) -> None:
        self._graph = models.load("segmentation", GraphConfig(), Runtime(threads=1))
        self.spec, self.metadata = self._graph.spec, self._graph.metadata

    def run(self, inputs: Tensors) -> Outputs:
        log_probs = self._graph.run(inputs)["log_probs"]
        log_probs[:, ::10] = np.roll(log_probs[:, ::10], 1, axis=-1)
        return {"log_probs": log_probs}


def row(name: str, precision: str = "float32", **figures: Any) -> Row:
    return Row(name, candidates.ONNX, precision, "measured", 1, {}, 0, **figures)


def test_frames_of_log_probabilities_differ_by_their_best_class() -> None:
    exact = models.load("segmentation", GraphConfig(precision="float32"), Runtime(threads=1))
    found = rows.differences("segmentation", exact)
    assert found["differing"] == 0
    assert found["max_difference"] < 1e-3
    rotated = rows.differences("segmentation", Rotated())
    assert rotated["differing"] == pytest.approx(59 / 589, abs=1e-3)  # a runtime may round a tie
    assert rotated["mean_difference"] > 0.01


@pytest.mark.parametrize("name", DECIDING)
@pytest.mark.parametrize(("precision", "batch"), [("float32", 4), ("int8", 1)])
def test_a_der_is_taken_with_the_graph_in_its_own_place(
    name: str, precision: str, batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(ROOT))
    from bench import corpus
    from bench.accuracy import der

    engines: list[SimpleNamespace] = []

    def engine(config: Config) -> SimpleNamespace:
        engines.append(SimpleNamespace(batch=config.windows.batch))
        return engines[-1]

    monkeypatch.setattr(measure, "Diarizer", engine)
    monkeypatch.setattr(corpus, "find_recordings", lambda _: [])
    monkeypatch.setattr(der, "measure_errors", lambda *_: RATES)
    graph: Graph = Rotated()
    assert measure._der(row(name, precision), graph, Path("data")) == RATES
    place = "segmentation_graph" if name == "segmentation" else "embedding_graph"
    assert [vars(engine) for engine in engines] == [{"batch": batch, place: graph}]


def test_a_segmentation_in_two_parts_has_a_der_in_int8_as_one_that_takes_sound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(str(ROOT))
    from bench import corpus
    from bench.accuracy import der

    engine, exact = SimpleNamespace(), GraphConfig(precision="float32")
    monkeypatch.setattr(measure, "Diarizer", lambda _: engine)
    monkeypatch.setattr(corpus, "find_recordings", lambda _: [])
    monkeypatch.setattr(der, "measure_errors", lambda *_: RATES)
    parts, whole = (models.load(name, exact, Runtime(threads=1)) for name in (SHARING, DECIDING[0]))
    measure._der(row(SHARING, "int8"), parts, Path("data"))
    given = {"waveform": cut(speech(), 112_000, 80_000)[None, None]}
    found = engine.segmentation_graph.run(given)["log_probs"]
    assert found == pytest.approx(whole.run(given)["log_probs"], abs=1e-3)
    assert engine.segmentation_graph.spec == whole.spec
    assert measure._has_der(row(SHARING, "int8"))
    assert not measure._has_der(row(SHARING))


@pytest.fixture
def taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Keys of the rows that were measured."""
    monkeypatch.syspath_prepend(str(ROOT))
    monkeypatch.setattr(measure, "RESULTS", tmp_path / "models.json")
    monkeypatch.setattr(measure, "pooling", dict)
    keys: list[str] = []

    def measured(candidate: Candidate, _data: Path) -> Row:
        keys.append(candidate.row.key)
        figures = {"der": RATES} if candidate.row.name in DECIDING else {}
        return row(candidate.row.name, candidate.row.precision, **figures)

    monkeypatch.setattr(measure, "_measured", measured)
    return keys


def test_a_row_is_measured_again_where_its_der_is_missing(
    taken: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    known = [row("segmentation"), row("powerset_decode"), row(DECIDING[1], der=RATES)]
    every = [Candidate(each, Rotated) for each in (*known, row("segmentation", "int8"))]
    monkeypatch.setattr(measure, "_all", lambda _: iter(every))
    results = {"rows": {each.key: each.as_json() for each in known}, "pooling": {}}
    monkeypatch.setattr(measure, "read_results", lambda: results)
    measure.measure(tmp_path, tmp_path)
    assert taken == [row("segmentation").key, row("segmentation", "int8").key]
    assert all(row["der"] == RATES for key, row in results["rows"].items() if "decode" not in key)


def test_nothing_is_published_before_float32_was_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    without = {"rows": {row("segmentation").key: row("segmentation").as_json()}}
    monkeypatch.setattr(candidates, "int8", lambda _: pytest.fail("made a variant"))
    for results in ({"rows": {}}, without):
        monkeypatch.setattr(measure, "read_results", lambda results=results: results)
        with pytest.raises(ForgeError, match="has no DER; run 'python -m hocket_forge measure'"):
            measure.publish(Path("recordings"))
