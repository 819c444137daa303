"""`bench people`: the file of a store."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from bench.errors import BenchError
from bench.people import file
from bench.people.tables import people_table
from bench.people.writer import EXEMPLARS, MODEL, random_exemplars
from hocket import SpeakerStore


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few processes and speakers: every transaction waits for the disk."""
    for name, value in {"WRITERS": 2, "PEOPLE": 6, "FORGOTTEN": 4, "QUERIES": 5}.items():
        monkeypatch.setattr(file, name, value)


def test_all_parts_in_small() -> None:
    progress: list[str] = []
    found = file.measure_file(progress.append, kills=1, writes=3, exemplars=200)
    assert progress == ["kills", "writers", "search", "forget"]
    assert found["kills"]["acknowledged"] >= 1
    assert [found["kills"][name] for name in ("lost", "torn", "damaged")] == [0, 0, 0]
    assert (found["writers"]["writes"], found["writers"]["lost"]) == (6, 0)
    search = found["search"]
    assert 0 < search["nearest_ms"] < search["identify_allowed_ms"]
    assert search["identify_ms"] > 0
    forget = found["forget"]
    assert forget["files"] == ["", "-shm", "-wal"]
    assert forget["pieces"] == 4 * 3 * 192 * 4 // 16
    assert (forget["left"], forget["left_after_closing"]) == (0, 0)
    assert "processes killed" in people_table("file", found)


def test_an_acknowledged_speaker_who_is_missing_counts_as_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write_and_forget(path: Path, name: str, number: int) -> Any:
        with SpeakerStore(path) as store:
            store.enroll(f"{name}-0", random_exemplars(EXEMPLARS, np.random.default_rng()), MODEL)
            store.forget(f"{name}-0")
        lines = SimpleNamespace(readline=lambda: f"{name}-0\n")
        return SimpleNamespace(
            stdout=lines, send_signal=lambda _: None, communicate=lambda: ("", ""), returncode=0
        )

    monkeypatch.setattr(file, "_writer", write_and_forget)
    assert file.measure_kills(tmp_path / "a.db", 2)["lost"] == 2
    assert file.measure_writers(tmp_path / "b.db", 1)["lost"] == file.WRITERS


def test_bytes_that_are_left_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pieces = [b"0123456789abcdef", b"fedcba9876543210"]
    (tmp_path / "p.db").write_bytes(b"xx" + pieces[0])
    (tmp_path / "p.db-wal").write_bytes(pieces[1] + b"y")
    assert file.count_in_files(tmp_path / "p.db", [*pieces, bytes(16)]) == 2
    monkeypatch.setattr(SpeakerStore, "forget", lambda *_: None)
    found = file.measure_forgetting(tmp_path / "q.db")
    assert found["left"] == found["pieces"] > 0
    monkeypatch.setattr(file, "count_in_files", lambda *_: 0)
    with pytest.raises(BenchError, match="found 0 of "):
        file.measure_forgetting(tmp_path / "r.db")


def test_a_failing_writer_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file, "WRITERS", 1)
    (tmp_path / "p.db").write_bytes(b"no store" * 999)
    with pytest.raises(BenchError, match=r"a process that enrolls failed: .*speakers"):
        file.measure_writers(tmp_path / "p.db", 1)
