"""`bench speed --copies`: exact counts of allocations in all threads, and the steady state."""

import json
import threading
from pathlib import Path

import numpy as np
import pytest

from bench.annotations import Turn
from bench.errors import BenchError
from bench.speed import allocations
from bench.speed.allocations import Allocations, counted
from bench.speed.copies import SteadyState, summarize_copies
from bench.tests.helpers import run, write_recording


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


def test_large_allocations_have_a_function() -> None:
    found = Allocations()
    with counted(found.add):
        allocate()
        np.empty(1000)
    ((function, requested),) = found.requested.items()
    assert function.endswith("test_copies.allocate")
    assert (requested.largest, requested.allocated) == (1_000_000, 3_000_000)


def test_the_innermost_function_of_hocket_is_named() -> None:
    from hocket.arrays import segments_of

    found = Allocations()
    with counted(found.add):
        segments_of(np.zeros(100_000, bool))
    assert "hocket.arrays.segments_of" in found.requested


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
    state = SteadyState()
    state.on_progress("segmentation", 1, 10)
    state.on_progress("embedding", 5, 5)  # all that it knows of yet
    state.add(1)
    state.on_progress("embedding", 6, 6)
    assert state.steady.count == 0
    state.on_progress("segmentation", 2, 10)
    state.add(2)
    state.on_progress("embedding", 7, 7)
    assert state.steady.allocated == 2


def test_the_steady_state_begins_at_a_fifth_and_ends_with_the_last_report() -> None:
    state = SteadyState()
    for size, report in [
        (1, ("segmentation", 1, 10)),  # a tenth: not yet
        (2, ("segmentation", 2, 10)),  # what came before does not count
        (4, ("embedding", 1, 10)),
        (8, ("embedding", 10, 10)),
        (16, None),
    ]:
        state.add(size)
        if report:
            state.on_progress(*report)
    state.end()
    assert state.total.allocated == 31
    assert (state.steady.count, state.steady.allocated) == (2, 12)


def test_the_steady_states_of_all_recordings_add_up() -> None:
    state = SteadyState()
    for _ in range(2):
        state.on_progress("segmentation", 5, 10)
        state.add(3)
        state.on_progress("segmentation", 10, 10)
        state.add(100)
        state.end()
        state.add(1000)
    assert state.steady.allocated == 6
    assert state.total.allocated == 2206


def test_bytes_are_reported_per_second_of_audio() -> None:
    found = {
        "total": {"count": 4, "allocated": 4000, "requested": {}},
        "steady": {
            "count": 2,
            "allocated": 1000,
            "requested": {
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
    assert [row["function"] for row in summary["requested_in_steady_state"]] == ["b", "a"]
    assert summary["requested_in_steady_state"][0]["per_audio_s"] == 200


@pytest.mark.usefixtures("fake_hocket")
def test_the_command_counts_in_a_process_of_its_own(tmp_path: Path) -> None:
    corpus, output = tmp_path / "corpus", tmp_path / "out.json"
    for name in ("one", "two"):
        write_recording(corpus, name, [Turn(0.0, 2.0, "anna")])
    result = run("speed", corpus, "--copies", "--threads", "2", "--output", output)
    assert result.exit_code == 0, result.output
    found = json.loads(output.read_text(encoding="utf-8"))
    assert (found["command"], found["threads"], found["files"]) == ("copies", 2, 2)
    # neither the 2 MB at the end nor anything before the first report is in the steady state
    assert found["steady_largest"]["bytes"] == 400_000
    assert found["steady_allocated_per_audio_s"] == pytest.approx(450_000, rel=1e-3)
    assert found["allocated_per_audio_s"] == pytest.approx(2 * 3_025_200 / 4, rel=1e-3)
    assert found["copied_per_audio_s"]["embedding"] == 500
    assert found["requested_in_steady_state"] == [
        {"function": "hocket.Diarizer.__call__", "largest": 400_000, "per_audio_s": 450_000}
    ]
    assert "hocket.Diarizer.__call__" in result.stdout
    assert "1,000,000 allowed" in result.stdout
