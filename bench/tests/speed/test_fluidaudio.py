"""`bench fluidaudio`: equal numbers, the order of work, ratios and claims."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from bench.annotations import Turn
from bench.errors import BenchError
from bench.speed import timed
from bench.speed.fluidaudio import claims, stages
from bench.speed.fluidaudio.graphs import SPECTRUM, count_slices, filter_bank, sliced
from bench.speed.fluidaudio.pipeline import WINDOW, Graphs, Shape, StageTimes, run_pipeline
from bench.speed.sessions import open_session, read_model
from bench.tests.helpers import run, write_recording

# The graph


@pytest.fixture(scope="module")
def model() -> Any:
    """Hocket's own embedding graph."""
    return read_model("embedding")


SAMPLES = 8000
FRAMES = 48


def test_slices_give_what_the_convolution_gives(model: Any) -> None:
    waveform = np.random.default_rng(0).standard_normal((2, 1, SAMPLES), np.float32) / 10
    masks = np.zeros((2, 1, 30), np.float32)
    masks[:, :, 5:25] = 1
    cut = sliced(model, SAMPLES)
    assert count_slices(cut) == count_slices(model) + FRAMES
    inputs = {"waveform": waveform, "masks": masks}
    found, expected = (open_session(each, 1).run(None, inputs)[0] for each in (cut, model))
    np.testing.assert_allclose(found, expected, atol=1e-4)
    banks = [open_session(filter_bank(each), 1) for each in (cut, model)]
    found, expected = (each.run(None, {"waveform": waveform})[0] for each in banks)
    assert found.shape == (2, 80, FRAMES)
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_the_shipped_graph_is_left_as_it_is(model: Any) -> None:
    before = model.SerializeToString()
    sliced(model, SAMPLES)
    filter_bank(model)
    assert model.SerializeToString() == before


def test_a_graph_with_other_framing_is_refused() -> None:
    with pytest.raises(BenchError, match=f"has no convolution '{SPECTRUM}'"):
        sliced(read_model("powerset_decode"), SAMPLES)


# The shape


class FakeSession:
    """Writes down what it was given."""

    def __init__(self, *answers: Any) -> None:
        self.answers, self.given = answers, list[dict[str, Any]]()

    def run(self, _names: None, inputs: dict[str, Any]) -> tuple[Any, ...]:
        self.given.append(inputs)
        return self.answers

    def get_modelmeta(self) -> SimpleNamespace:
        return SimpleNamespace(custom_metadata_map={"dimension": "2"})


def graphs_for(clean: np.ndarray[Any, Any]) -> Graphs:
    """Graphs with the same output for every window."""
    waveforms = np.arange(3 * WINDOW, dtype=np.float32).reshape(3, WINDOW)
    return Graphs(
        segmentation=FakeSession(np.zeros((1, 589, 7), np.float32)),
        decode=FakeSession(np.ones((1, 589, 3), np.float32)),
        inputs=FakeSession(waveforms, clean),
        embedding=FakeSession(np.array([[[3.0, 4.0]], [[0, 0]], [[0, 0]]], np.float32)),
    )


def loops_for(distances: list[float]) -> Any:
    """Host loops that remember how many speakers were known to them."""

    def loops(embeddings: Any, known: Any, masks: Any) -> dict[str, Any]:
        loops.known.append(len(known))  # type: ignore[attr-defined]
        assert masks.shape == (1, 589, 3)
        # Only a slot that was embedded has a direction.
        valid = np.any(embeddings, axis=1).astype(np.float32)
        rows = np.full((3, len(known)), distances[len(known)], np.float32)
        return {"distances": rows, "valid": valid}

    loops.known = []  # type: ignore[attr-defined]
    return loops


def test_every_slot_with_enough_clean_frames_has_a_call_of_its_own() -> None:
    clean = np.zeros((3, 589), np.float32)
    clean[0, :10], clean[1, :9], clean[2, 20:300] = 1, 1, 1
    graphs, loops = graphs_for(clean), loops_for([9, 9, 9, 9])
    times = run_pipeline(np.ones(WINDOW, np.float32), graphs, loops, Shape())
    calls = graphs.embedding.given
    assert [call["waveform"].shape for call in calls] == [(3, 1, WINDOW)] * 2
    for call, slot in zip(calls, (0, 2), strict=True):
        assert (call["masks"][0, 0] == clean[slot]).all()
        assert not call["masks"][1:].any()
    assert (times.windows, times.rows) == (1, 6)
    names = ["windows", "segmentation", "inputs", "embedding", "post_embedding"]
    assert list(times.seconds) == names
    assert min(times.seconds.values()) > 0


def test_one_row_a_call() -> None:
    clean = np.ones((3, 589), np.float32)
    graphs = graphs_for(clean)
    times = run_pipeline(np.ones(WINDOW, np.float32), graphs, loops_for([9] * 9), Shape(rows=1))
    assert {call["waveform"].shape for call in graphs.embedding.given} == {(1, 1, WINDOW)}
    assert times.rows == 3


def test_windows_are_copies_one_after_the_other_the_last_filled_up() -> None:
    waveform = np.arange(2.5 * WINDOW, dtype=np.float32)
    graphs = graphs_for(np.zeros((3, 589), np.float32))
    run_pipeline(waveform, graphs, loops_for([9] * 9), Shape())
    windows = [call["waveform"][0, 0] for call in graphs.segmentation.given]
    assert [window[0] for window in windows] == [0, WINDOW, 2 * WINDOW]
    assert not windows[2][WINDOW // 2 :].any()
    assert not any(np.shares_memory(window, waveform) for window in windows)
    assert graphs.embedding.given == []
    dense = graphs_for(np.zeros((3, 589), np.float32))
    assert run_pipeline(waveform, dense, loops_for([9] * 9), Shape(step_s=2.5)).windows == 10


def test_loops_compare_with_the_speakers_of_earlier_windows() -> None:
    clean = np.zeros((3, 589), np.float32)
    clean[0] = 1
    loops = loops_for([9, 9, 0.1])
    run_pipeline(np.ones(4 * WINDOW, np.float32), graphs_for(clean), loops, Shape())
    assert loops.known == [0, 1, 2, 2]


# Ratios and claims


def test_ratios_are_by_purpose_of_the_stages() -> None:
    theirs = {"windows": 1.0, "segmentation": 4.0, "inputs": 1.0, "embedding": 8.0}
    ours = {"segmentation": 2.0, "embedding": 0.5, "clustering": 1.0, "reconstruct": 1.0}
    found = stages.ratios({**theirs, "post_embedding": 1.0}, {"load": 0.5, **ours})
    expected = {"segmentation": 2.0, "embedding": 18.0, "post_embedding": 0.5, "all": 3.0}
    assert found == expected


def test_a_summary_has_shares_and_the_network_input() -> None:
    total = StageTimes()
    for _ in range(2):
        stages.add(total, StageTimes({"segmentation": 1.0, "embedding": 3.0}, windows=1, rows=6))
    found = stages.summary(total.seconds, audio_s=16.0, network_input=total.network_input())
    assert (found["seconds"], found["x_real_time"]) == (8.0, 2.0)
    assert found["stages"]["embedding"] == {"seconds": 6.0, "share_percent": 75.0}
    assert (found["segmented_per_audio_s"], found["embedded_per_audio_s"]) == (1.25, 7.5)


def test_pieces_of_work_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timed, "SHORTEST_S", 0.0)
    done: list[str] = []
    works = {name: lambda name=name: done.append(name) for name in ("a", "b")}  # type: ignore[misc]
    times = timed.alternate(works, repeats=2)
    assert done == ["a", "a", "b", "b", "a", "b", "a", "b"]
    assert min(times.values()) > 0


def test_short_work_is_timed_many_times_over(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(1000))
    monkeypatch.setattr(timed, "perf_counter", lambda: float(next(clock)))
    monkeypatch.setattr(timed, "SHORTEST_S", 4.0)
    done: list[int] = []
    # a call takes a second by that clock, so four calls are one measurement of a second
    assert timed.alternate({"a": lambda: done.append(1)}, repeats=3) == {"a": 0.25}
    assert len(done) == 2 + 3 * 4


def test_both_ways_of_a_claim_do_the_same_work() -> None:
    generator = np.random.default_rng(0)
    waveform = generator.standard_normal(WINDOW + claims.BATCH * claims.STEP, np.float32)
    loops, graph = claims._post_embedding(generator)
    names = ("distances", "activity", "valid", "filtered")
    outputs: Any = loops()
    for name, found in zip(names, graph(), strict=True):  # type: ignore[call-overload]
        np.testing.assert_allclose(found, outputs[name], atol=1e-5)
    assert outputs["filtered"].any()
    assert outputs["filtered"].sum() < claims._random_masks(np.random.default_rng(0)).size
    tiled, viewed = claims._window_copies(waveform)
    windows: Any = tiled()
    assert [window.shape for window in windows] == [(3, WINDOW)] * claims.BATCH
    viewed()
    fresh, kept = claims._buffers(waveform)
    kept()
    np.testing.assert_array_equal(fresh(), [window[0] for window in windows])


def test_claims_are_ratios(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_boxed_copies", "_window_copies", "_buffers", "_post_embedding", "_slots"):
        monkeypatch.setattr(claims, name, lambda _: (int, int))
    monkeypatch.setattr(claims, "alternate", lambda _works, _repeats: {"theirs": 4.0, "ours": 1.0})
    found = claims.measure_claims(3)
    assert set(found) == {"copy", "windows", "pool", "post_embedding", "slots"}
    rows = {"ratio": 4.0, "saved_percent": 75.0}
    assert found["slots"] == {"theirs_s": 4.0, "ours_s": 1.0, **rows}
    # eight windows at a time
    assert found["pool"] == {"theirs_s": 0.5, "ours_s": 0.125, **rows}


def test_the_command_runs_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clean = np.zeros((3, 589), np.float32)
    clean[0] = 1
    monkeypatch.setattr(Graphs, "open", lambda _threads: graphs_for(clean))
    bank = {"slices": 1002, "seconds_per_window": {}, "ratio": 1.5}
    monkeypatch.setattr(stages, "measure_filter_bank", lambda _: bank)
    monkeypatch.setattr(claims, "measure_claims", lambda _: {})
    corpus, output = tmp_path / "corpus", tmp_path / "out.json"
    write_recording(corpus, "one", [Turn(0.0, 2.0, "anna")], duration_s=12.0)
    # without speech the embedding has no input, which is an error
    monkeypatch.setattr(stages, "input_seconds", lambda *_: {"segmentation": 22, "embedding": 5.5})
    result = run("fluidaudio", corpus, "--seconds", "11", "--output", output)
    assert result.exit_code == 0, result.output
    found = json.loads(output.read_text(encoding="utf-8"))
    assert found["audio_s"] == 11.0
    shapes = {name: (each["rows"], each["step_s"]) for name, each in found["notes"].items()}
    assert list(shapes.values()) == [(3, 10.0), (3, 5.0), (1, 10.0), (1, 5.0)]
    assert found["notes"]["as it ran"]["embedded_per_audio_s"] == pytest.approx(60 / 11, abs=1e-3)
    assert found["hocket"]["stages"]["segmentation"]["seconds"] > 0
    assert found["hocket"]["embedded_per_audio_s"] == 0.5
    assert "1002 slices" in result.stdout


def test_the_filter_bank_alone(monkeypatch: pytest.MonkeyPatch, model: Any) -> None:
    monkeypatch.setattr(stages, "WINDOW", SAMPLES)
    monkeypatch.setattr(stages, "read_model", lambda _: model)
    found = stages.measure_filter_bank(1)
    assert found["slices"] == count_slices(model) + FRAMES
    assert found["largest_difference"] < 1e-3
    times = found["seconds_per_window"]
    assert found["ratio"] == pytest.approx(times["sliced"] / times["convolution"], rel=0.05)
