"""Bytes allocated, counted exactly and in all threads, and bytes copied, beside what is allowed."""

import json
import threading
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from bench import allocations
from bench.allocations import Allocations, counted
from bench.annotations import Turn
from bench.copies import Watch, ledger, summarize_copies
from bench.errors import BenchError
from tests.unit.test_bench_corpus import write_recording
from tests.unit.test_bench_speed import FAKE_HOCKET, run


def allocate() -> None:
    """A million bytes each by all three ways there are, and a small array."""
    np.empty(1_000_000, np.uint8)
    np.zeros(1_000_000, np.uint8)
    grown = np.empty(1000, np.uint8)
    grown.resize(1_000_000, refcheck=False)


ASKED = 3_001_000  # bytes


def test_every_byte_is_counted() -> None:
    found = Allocations()
    with counted(found.add):
        allocate()
    assert (found.count, found.allocated) == (4, ASKED)
    allocate()
    assert found.allocated == ASKED


def test_threads_count_too() -> None:
    found = Allocations()
    with counted(found.add):
        threads = [threading.Thread(target=allocate) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert found.allocated == 3 * ASKED


def test_arrays_outlive_the_count() -> None:
    before = np.arange(1000)
    with counted(lambda _size: None):
        before = before + 1
        within = np.arange(1000)
    del before
    assert within.sum() == 499_500
    within.resize(2000, refcheck=False)
    assert within.sum() == 499_500


def test_who_asks_for_much_is_known() -> None:
    found = Allocations()
    with counted(found.add):
        allocate()
        np.empty(1000)
    (place,) = found.asked
    assert place.endswith("test_bench_copies.allocate")
    assert (found.asked[place].largest, found.asked[place].allocated) == (1_000_000, 3_000_000)


def test_the_innermost_function_of_hocket_is_named_whatever_it_calls() -> None:
    from hocket.arrays import segments_of

    found = Allocations()
    with counted(found.add):
        segments_of(np.zeros(100_000, bool))
    assert "hocket.arrays.stretches" in found.asked


def test_the_table_is_whole_after_an_error() -> None:
    with pytest.raises(KeyError), counted(lambda _size: None):
        raise KeyError
    found = Allocations()
    with counted(found.add):
        np.empty(100, np.uint8)
    assert found.allocated == 100


def test_another_numpy_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(allocations, "VERSION", 2)
    with (
        pytest.raises(BenchError, match=r"handler has version 1; .* counted for version 2"),
        counted(lambda _size: None),
    ):
        pass


# The steady state


def test_the_stage_that_reports_first_says_when_it_begins() -> None:
    watch = Watch()
    watch.listen("segmentation", 1, 10)
    watch.listen("embedding", 5, 5)  # all that it knows of yet
    watch.add(1)
    watch.listen("embedding", 6, 6)
    assert watch.steady.count == 0
    watch.listen("segmentation", 2, 10)
    watch.add(2)
    watch.listen("embedding", 7, 7)
    assert watch.steady.allocated == 2


def test_the_steady_state_begins_at_a_fifth_and_ends_with_the_last_report() -> None:
    watch = Watch()
    for size, report in [
        (1, ("segmentation", 1, 10)),  # a tenth: not yet
        (2, ("segmentation", 2, 10)),  # what came before does not count
        (4, ("embedding", 1, 10)),
        (8, ("embedding", 10, 10)),
        (16, None),
    ]:
        watch.add(size)
        if report:
            watch.listen(*report)
    watch.end()
    assert watch.total.allocated == 31
    assert (watch.steady.count, watch.steady.allocated) == (2, 12)


def test_the_steady_states_of_all_recordings_add_up() -> None:
    watch = Watch()
    for _ in range(2):
        watch.listen("segmentation", 5, 10)
        watch.add(3)
        watch.listen("segmentation", 10, 10)
        watch.add(100)
        watch.end()
        watch.add(1000)
    assert watch.steady.allocated == 6
    assert watch.total.allocated == 2206


def test_an_engine_without_a_ledger_is_refused() -> None:
    assert ledger(SimpleNamespace(copied={"a": 1})) == {"a": 1}
    with pytest.raises(BenchError, match="does not say what was copied"):
        ledger(SimpleNamespace())


def test_bytes_are_told_by_second_of_audio() -> None:
    found = {
        "total": {"count": 4, "allocated": 4000, "asked": {}},
        "steady": {
            "count": 2,
            "allocated": 1000,
            "asked": {
                "a": {"allocated": 600, "largest": 100},
                "b": {"allocated": 400, "largest": 300},
            },
        },
        "copied": {"decode": 64_000, "embedding": 64_000},
    }
    summary = summarize_copies(found, audio_s=2.0)
    assert summary["copied_per_audio_s"] == {
        "decode": 32_000,
        "embedding": 32_000,
        "all": 64_000,
        "times_the_audio": 1.0,
        "allowed": 192_000,
    }
    assert summary["allocated_per_audio_s"] == 2000
    assert summary["allocations_per_audio_s"] == 2
    assert summary["steady_allocated_per_audio_s"] == 500
    assert summary["steady_largest"] == {"bytes": 300, "allowed": 1_000_000}
    assert [row["function"] for row in summary["asked_in_steady_state"]] == ["b", "a"]
    assert summary["asked_in_steady_state"][0]["per_audio_s"] == 200


def test_the_command_counts_in_a_process_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "engine/hocket"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(FAKE_HOCKET)
    (package / "config.py").write_text("from hocket import Runtime as Runtime")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "engine"))
    corpus, output = tmp_path / "corpus", tmp_path / "out.json"
    for name in ("one", "two"):
        write_recording(corpus, name, [Turn(0.0, 2.0, "anna")])
    result = run("speed", corpus, "--copies", "--threads", "2", "--output", output)
    assert result.exit_code == 0, result.output
    found = json.loads(output.read_text(encoding="utf-8"))
    assert (found["command"], found["threads"], found["files"]) == ("copies", 2, 2)
    # 2 MB at the end are in no steady state, nor is what came before the first report.
    assert found["steady_largest"]["bytes"] == 400_000
    assert found["steady_allocated_per_audio_s"] == pytest.approx(450_000, rel=1e-3)
    assert found["allocated_per_audio_s"] == pytest.approx(2 * 3_025_200 / 4, rel=1e-3)
    assert found["copied_per_audio_s"]["embedding"] == 500
    assert found["asked_in_steady_state"] == [
        {"function": "hocket.Diarizer.__call__", "largest": 400_000, "per_audio_s": 450_000}
    ]
    assert "hocket.Diarizer.__call__" in result.stdout
    assert "1,000,000 are allowed" in result.stdout
