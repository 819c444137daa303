"""The tables of docs/speakers.md and decision 16."""

import json
from pathlib import Path
from typing import Any

import pytest

from bench.errors import BenchError
from bench.pages.people import DECISION, PEOPLE_PAGES, SECTIONS, SPEAKERS, with_people

ENVIRONMENT = {"cores": 2, "cpu": "chip", "date": "2026-01-02", "commit": "0123456789abcdef"}
GOALS = {"right_allowed_percent": 95.0, "strangers_allowed_percent": 2.0}


def known(engine: str, kind: str, enrolled: str, right: float) -> dict[str, Any]:
    return {
        "engine": engine, "kind": kind, "store": "these five", "enrolled": enrolled, "people": 5,
        "right_percent": right, "worst": {"voice": "7", "right_percent": right - 10},
        "right_of_named_percent": 97.0, "named_percent": 88.0,
    }  # fmt: skip


def strangers(engine: str, kind: str, named: int) -> dict[str, Any]:
    return {
        "engine": engine, "kind": kind, "store": "the other four", "enrolled": "clean",
        "trials": 40, "named": named, "named_percent": 2.5 * named,
    }  # fmt: skip


def pairs(name: str, place: str, rate: float) -> dict[str, Any]:
    return {
        "pairs": name, "place": place, "right_pairs": 300, "wrong_pairs": 4_000,
        "equal_error_percent": rate, "equal_error_distance": 0.567,
    }  # fmt: skip


def swept(limit: float, enrolled: str, **found: float) -> dict[str, Any]:
    about = {"kind": "meeting", "store": "these five", "enrolled": enrolled}
    return {**about, "name_distance": limit, **found}


RESULTS: dict[str, dict[str, Any]] = {
    "names": {
        "known": [
            known("offline", "meeting", "clean", 98.0),
            known("offline", "panel", "clean", 9.0),
        ],
        "strangers": [strangers("offline", "meeting", 1), strangers("offline", "panel", 3)],
        "name_distance": 0.45,
        "by_name_distance": [
            *(swept(0.4, place, right_of_all_percent=90.0) for place in ("clean", "in a room")),
            *(swept(0.45, place, right_of_all_percent=91.04) for place in ("clean", "in a room")),
            swept(0.4, "clean", trials=40, named=0),
            swept(0.4, "in a room", trials=40, named=1),
            swept(0.45, "clean", trials=40, named=2),
            swept(0.45, "in a room", trials=40, named=3),
        ],
        **GOALS,
    },
    "online": {
        "known": [known("online", "meeting", "clean", 78.0)],
        "strangers": [strangers("online", "meeting", 0)],
        **GOALS,
    },
    "verify": {
        "rows": [
            pairs("clip and speaker", "clean", 0.0),
            pairs("the same by the nearest exemplar", "clean", 0.1),
            pairs("clip and speaker", "in a room", 0.378),
            pairs("the same by the nearest exemplar", "in a room", 0.4),
        ],
        "equal_error_allowed_percent": 3.0,
        "clip_s": 3.0,
    },
    "file": {
        "kills": {"kills": 100, "acknowledged": 5_085, "lost": 1, "torn": 2, "damaged": 1,
                  "lost_allowed": 0},
        "writers": {"processes": 4, "writes": 800, "lost": 0, "lost_allowed": 0},
        "search": {"exemplars": 100_000, "nearest_ms": 5.44, "identify_ms": 17.3, "clusters": 5,
                   "identify_allowed_ms": 50.0, "read_s": 0.36, "forget_s": 0.82},
        "forget": {"forgotten": 150, "pieces": 21_600, "piece_bytes": 16, "left": 3,
                   "left_after_closing": 1, "left_allowed": 0},
    },
}  # fmt: skip


def page_of(file: Path) -> str:
    return "".join(f"<!-- {n}: by -->\nold\n<!-- /{n} -->\nmore\n" for n in SECTIONS[file.name])


@pytest.fixture
def results(tmp_path: Path) -> Path:
    for part, found in RESULTS.items():
        text = json.dumps({**found, "environment": ENVIRONMENT})
        (tmp_path / f"people-{part}-development.json").write_text(text, encoding="utf-8")
    return tmp_path


def rows(page: str, name: str) -> dict[str, list[str]]:
    part = page.partition(f"<!-- {name}: by -->\n")[2].partition(f"<!-- /{name} -->")[0]
    assert part.endswith("\n\n2 cores (chip), 2026-01-02, commit 0123456789ab.\n")
    lines = [line[2:-2].split(" | ") for line in part.splitlines() if line.startswith("| ")]
    return {cells[0]: cells[1:] for cells in lines}


@pytest.mark.parametrize("path", PEOPLE_PAGES, ids=lambda path: path.name)
def test_the_tables_on_the_pages_are_the_measured_ones(path: Path) -> None:
    page = path.read_text(encoding="utf-8")
    assert PEOPLE_PAGES[path](page) == page
    assert "Not measured yet" not in page


def test_strangers_verification_and_the_file(results: Path) -> None:
    page = with_people(page_of(SPEAKERS), SPEAKERS.name, results)
    found = rows(page, "how well")
    stranger = "strangers who are given a name: offline, meetings, the other four, enrolled clean"
    assert found[stranger] == ["1 of 40, 2.5 %", "2 % or less"]
    together = "strangers who are given a name: offline, all of these"
    assert found[together] == ["4 of 80, 5.0 %", "2 % or less"]
    assert "strangers who are given a name: online, all of these" not in found
    room = "equal error: clip and speaker, in a room, 4,300 pairs"
    assert found[room] == ["0.38 %", "3 % or less"]
    assert not any("the same by" in name for name in found)
    assert found["identify 5 clusters in 100,000 exemplars, ms"] == ["17.3", "50"]
    assert found["100 processes killed, 5,085 acknowledged: lost"] == ["1", "0"]
    assert found["the same: half written, or the file damaged"] == ["3", "0"]
    assert found["150 people forgotten, 21,600 pieces of 16 bytes: left"] == ["4", "0"]
    assert page.count("2 cores (chip)") == 2  # once per table, for all results are alike


def test_speech_of_known_speakers_with_their_name(results: Path) -> None:
    found = rows(with_people(page_of(SPEAKERS), SPEAKERS.name, results), "names")
    about = "{}s, these five, enrolled clean"
    assert found[about.format("offline, meeting")] == ["5", "98.0", "88.0", "97.0", "88.0"]
    assert found[about.format("online, meeting")][1] == "78.0"
    assert found["wanted in meetings, or more"] == ["-", "95", "95", "-", "-"]


def test_equal_errors_and_other_distances(results: Path) -> None:
    page = with_people(page_of(DECISION), DECISION.name, results)
    found = rows(page, "equal errors")
    assert found["clip and speaker"] == ["300", "4000", "0.00 at 0.57", "0.38 at 0.57"]
    found = rows(page, "distances")
    assert found["`name_distance`"] == ["0.4", "**0.45**"]
    assert found["meeting, these five, right of all %"] == ["90.0 / 90.0", "91.0 / 91.0"]
    assert found["meeting, these five, strangers named of 40"] == ["0 / 1", "2 / 3"]


def test_missing_results_and_markers(results: Path) -> None:
    (results / "people-online-development.json").unlink()
    assert "Not measured yet." in with_people(page_of(SPEAKERS), SPEAKERS.name, results)
    with pytest.raises(BenchError, match=r"speakers\.md: found no '<!-- names: "):
        with_people("no marker", SPEAKERS.name, results)
