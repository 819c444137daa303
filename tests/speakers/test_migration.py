"""Stores of schema 1 and documents of version 1 are still usable."""

import json
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hocket.errors import StoreError
from hocket.speakers import SpeakerStore, export_speakers, import_speakers, schema
from tests.helpers.voice_vectors import DIMENSION, MODEL, axis, exemplar

SEEN = "2025-03-04T05:06:07.000+00:00"
CREATED = "2024-01-02T03:04:05.000+00:00"
SCHEMA_1 = """
    CREATE TABLE models (
        sha256 TEXT PRIMARY KEY NOT NULL,
        name TEXT NOT NULL,
        dimension INTEGER NOT NULL CHECK (dimension > 0)
    );
    CREATE TABLE speakers (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL,
        name_key TEXT NOT NULL UNIQUE,
        permanent INTEGER NOT NULL CHECK (permanent IN (0, 1)),
        created_at TEXT NOT NULL,
        heard_at TEXT NOT NULL
    );
    CREATE TABLE exemplars (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        speaker_id INTEGER NOT NULL REFERENCES speakers (id) ON DELETE CASCADE,
        model TEXT NOT NULL REFERENCES models (sha256),
        embedding BLOB NOT NULL,
        seconds REAL NOT NULL,
        source TEXT NOT NULL,
        start_s REAL NOT NULL,
        end_s REAL NOT NULL,
        alone INTEGER NOT NULL CHECK (alone IN (0, 1)),
        consent TEXT NOT NULL,
        added_at TEXT NOT NULL
    );
    CREATE INDEX exemplars_of_speaker ON exemplars (speaker_id, id);
    PRAGMA application_id = 0x686F636B;
    PRAGMA user_version = 1;
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A store of schema 1, with Anna and two exemplars of her voice."""
    path = tmp_path / "team.db"
    database = sqlite3.connect(path)
    database.execute("PRAGMA journal_mode = WAL")
    database.executescript(SCHEMA_1)
    database.execute("INSERT INTO models VALUES (?, ?, ?)", (MODEL.sha256, MODEL.name, DIMENSION))
    row = (1, "Anna", "anna", 1, CREATED, SEEN)
    database.execute("INSERT INTO speakers VALUES (?, ?, ?, ?, ?, ?)", row)
    for number in (1, 2):
        embedding = axis(number).astype("<f4").tobytes()
        numbers = (5.0, "anna.wav", 1.5, 6.5, 1, "by mail", CREATED)
        database.execute(
            "INSERT INTO exemplars VALUES (?, 1, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (number, MODEL.sha256, embedding, *numbers),
        )
    database.commit()
    database.close()
    return path


def version_of(path: Path) -> int:
    database = sqlite3.connect(path)
    (version,) = database.execute("PRAGMA user_version").fetchone()
    database.close()
    return int(version)


def check_content(store: SpeakerStore) -> None:
    (anna,) = store.speakers()
    assert (anna.id, anna.name, anna.permanent) == (1, "Anna", True)
    assert (anna.created_at, anna.seen_at) == (CREATED, SEEN)
    assert (anna.exemplars, anna.speech_s) == (2, 10.0)
    first, second = store.exemplars("Anna")
    assert np.array_equal(first.embedding, axis(1))
    assert np.array_equal(second.embedding, axis(2))
    assert (first.start, first.end, first.consent) == (1.5, 6.5, "by mail")
    ((nearest, distance),) = store.nearest(axis(1), MODEL)
    assert (nearest, distance) == (anna, pytest.approx(0.146, abs=1e-3))


def test_a_store_of_schema_1_is_migrated_when_it_is_opened(path: Path) -> None:
    with SpeakerStore(path, create=False) as store:
        check_content(store)
        store.mark_seen([1])
        assert store.speaker("Anna").seen_at > SEEN
        store.enroll("Ben", [exemplar(axis(5))], MODEL)
    assert version_of(path) == schema.SCHEMA == 3
    with SpeakerStore(path) as again:
        assert [speaker.name for speaker in again.speakers()] == ["Anna", "Ben"]
        again.forget("Anna", force=True)
        assert again.enroll("Cleo", [exemplar(axis(6))], MODEL).id == 3


def test_a_migrated_store_has_the_tables_of_a_new_one(path: Path, tmp_path: Path) -> None:
    def columns(path: Path) -> dict[str, list[tuple[Any, ...]]]:
        with SpeakerStore(path) as store, store.file.reading() as database:
            return {
                table: database.execute(f"PRAGMA table_info({table})").fetchall()
                for table in ("models", "speakers", "exemplars")
            }

    migrated = columns(path)
    assert migrated == columns(tmp_path / "new.db")
    assert "seen_at" in [column[1] for column in migrated["speakers"]]


def test_two_that_open_a_store_of_schema_1_at_once_migrate_it_once(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual, others = schema._migrate, []

    def delayed(*given: Any, **named: Any) -> None:
        if not others:
            others.append(path)
            SpeakerStore(path).close()  # another process was faster
        usual(*given, **named)

    monkeypatch.setattr(schema, "_migrate", delayed)
    with SpeakerStore(path) as store:
        check_content(store)
    assert version_of(path) == 3


def test_a_read_only_store_of_schema_1_is_read_and_not_migrated(path: Path) -> None:
    before = path.read_bytes()
    with SpeakerStore(path, read_only=True) as store:
        check_content(store)
        with pytest.raises(StoreError, match="may only be read"):
            store.mark_seen([1])
    assert path.read_bytes() == before
    assert version_of(path) == 1


@pytest.fixture
def protected(path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The store in a folder where SQLite cannot create a log."""
    usual = sqlite3.connect

    def without_log(address: str, *given: Any, **named: Any) -> Any:
        usable = address if "immutable" in address else "file:/nowhere/at/all?mode=ro"
        return usual(usable, *given, **named)

    mode = path.stat().st_mode
    path.chmod(stat.S_IRUSR)
    with monkeypatch.context() as patch:
        patch.setattr(sqlite3, "connect", without_log)
        yield path
    path.chmod(mode)


def test_a_write_protected_store_of_schema_1_is_read(protected: Path) -> None:
    with SpeakerStore(protected) as store:
        check_content(store)
        with pytest.raises(StoreError, match="may only be read"):
            store.rename("Anna", "Zoe")


OLD_KEYS = {"seen_at": "heard_at", "start": "start_s", "end": "end_s"}


def test_a_document_of_version_1_is_imported(path: Path, tmp_path: Path) -> None:
    def renamed(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        return {OLD_KEYS.get(key, key): value for key, value in pairs}

    with SpeakerStore(path) as store:
        written = export_speakers(store)
    content = json.loads(written)
    assert content["version"] == 2
    assert content["speakers"][0]["seen_at"] == SEEN
    assert content["speakers"][0]["exemplars"][0]["start"] == 1.5
    old = json.loads(written, object_pairs_hook=renamed) | {"version": 1}
    with SpeakerStore(tmp_path / "other.db") as other:
        import_speakers(other, json.dumps(old))
        assert export_speakers(other) == written
