"""The table of docs/accuracy.md, and the command that writes all pages."""

import json
from pathlib import Path

import pytest

from bench.errors import BenchError
from bench.pages.accuracy import ACCURACY, with_comparison, with_tables, with_words
from bench.pages.people import SECTIONS as PEOPLE_SECTIONS
from bench.pages.performance import SECTIONS
from bench.tests.helpers import run

PAGE = "before\n<!-- compared: by hand -->\nold\n<!-- /compared -->\nafter\n"
RATES = {"der": 12.25, "miss": 3.0, "false_alarm": 4.0, "confusion": 5.25, "jer": 20.0}


def system(name: str, failed: dict[str, str]) -> dict[str, object]:
    rates = {f"{rate}_percent": value for rate, value in RATES.items()}
    counts = {"files": 2, "files_right_count": 1, "count_error_mean_absolute": 0.5}
    return {
        "all": {**rates, "overlap_der_percent": None, **counts},
        "system": {"packages": {name: "9.1"}},
        "seconds": 1.0,
        "failed": failed,
    }


def test_the_tables_on_the_page_are_the_measured_ones() -> None:
    page = ACCURACY.read_text(encoding="utf-8")
    assert with_tables(page) == page


def test_the_page_has_a_row_for_every_system(tmp_path: Path) -> None:
    results = {
        "systems": {"hocket": system("hocket", {}), "other": system("other", {"a": "bad luck"})},
        "hocket_time_over": {"other": {"ratio": 0.5}},
        "audio_minutes": 7.2,
        "threads": 3,
        "environment": {"cores": 2, "cpu": "chip", "date": "2026-01-02"},
    }
    (tmp_path / "compare-development.json").write_text(json.dumps(results))
    page = with_comparison(PAGE, tmp_path)
    rows = [line.split(" | ") for line in page.splitlines() if line.startswith("| ")]
    rates = ["12.2", "3.0", "4.0", "5.2", "20.0", "-"]
    assert rows[2] == ["| hocket 9.1", *rates, "1 of 2", "0.50", "1.0", "- |"]
    assert rows[3] == ["| other 9.1", *rates, "1 of 2", "0.50", "1.0", "0.50 |"]
    assert "7 min of audio, 3 threads each, on 2 cores (chip), 2026-01-02." in page
    assert "other failed on 1 of them" in page
    assert page.startswith("before\n<!-- compared: by hand -->\n| system")
    assert page.endswith("<!-- /compared -->\nafter\n")


def test_the_page_has_rows_for_kinds_and_systems(tmp_path: Path) -> None:
    row = {
        "minutes": 7.2,
        "words": 900,
        "words_found": 800,
        "words_near_change": 80,
        "speakers": {
            "hocket": {"right_percent": 97.04, "near_change_right_percent": 85.0},
            "largest overlap": {"right_percent": 96.0, "near_change_right_percent": None},
        },
        "systems": {
            "hocket": {"words": 850, "found_percent": 88.9, "wer_percent": 21.25, "seconds": 9.876}
        },
        "cost": {
            "diarization_s": 1.234,
            "recognition_s": 8.5,
            "rest_s": 0.142,
            "all_s": 9.876,
            "hocket_share_percent": 13.9,
            "recognized_over_speech": 1.0234,
        },
    }
    results = {
        "kinds": {"meeting": row, "panel": row},
        "all": row,
        "recordings": 4,
        "model": "tiny",
        "threads": 2,
        "environment": {"cores": 2, "cpu": "chip", "date": "2026-01-02", "commit": "0123456789abc"},
    }
    (tmp_path / "words-development.json").write_text(json.dumps(results))
    page = with_words("<!-- measured: by -->\nold\n<!-- /measured -->\nafter\n", tmp_path)
    lines = page.splitlines()
    assert "| all meetings | 800 | 97.0 | 96.0 | 80 | 85.0 | - |" in lines
    assert "| all panels | hocket | 850 | 88.9 | 21.2 | 9.88 |" in lines
    assert "| all | 1.23 | 8.50 | 0.14 | 9.88 | 13.9 | 1.023 |" in lines
    assert lines[-3] == (
        "4 recordings, 7 min, 900 words, tiny, 2 threads. "
        "2 cores (chip), 2026-01-02, commit 0123456789ab."
    )
    assert lines[-2:] == ["<!-- /measured -->", "after"]
    assert "old" not in page


def test_the_command_writes_all_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pages = {
        "bench.pages.readme.README": ["measured"],
        "bench.pages.accuracy.ACCURACY": ["compared", "measured"],
        "bench.pages.performance.PERFORMANCE": list(SECTIONS),
    }
    monkeypatch.setattr("bench.pages.people.PEOPLE_PAGES", {})
    for place, names in pages.items():
        page = tmp_path / f"{names[0]}.md"
        markers = (f"<!-- {name}: -->\nold\n<!-- /{name} -->\n" for name in names)
        page.write_text("".join(markers), encoding="utf-8")
        monkeypatch.setattr(place, page)
    result = run("front-page")
    assert result.exit_code == 0, result.output
    written = {path.stem: path.read_text(encoding="utf-8") for path in tmp_path.glob("*.md")}
    assert len(written) == 3
    assert not any("\nold\n" in text for text in written.values())
    assert "| system | DER % |" in written["measured"]
    assert PEOPLE_SECTIONS.keys() == {"speakers.md", "016-speaker-store.md"}


def test_a_page_without_results_or_markers(tmp_path: Path) -> None:
    assert "-->\nNot measured yet.\n<!--" in with_comparison(PAGE, tmp_path)
    with pytest.raises(BenchError, match=r"accuracy\.md: found no"):
        with_comparison("nothing", tmp_path)
    with pytest.raises(BenchError, match=r"accuracy\.md: found no '<!-- measured: "):
        with_words("nothing", tmp_path)
    (tmp_path / "compare-development.json").write_text("{")
    with pytest.raises(BenchError, match=r"compare-development\.json: not usable"):
        with_comparison(PAGE, tmp_path)
