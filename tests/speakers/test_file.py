"""The store's file: crashes, concurrent processes, damage, full disks, permissions."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from hocket.errors import StoreError
from hocket.speakers import SpeakerStore
from hocket.speakers.erasure import erase
from hocket.speakers.schema import APPLICATION, SCHEMA
from tests.helpers.paths import ROOT
from tests.helpers.voice_vectors import MODEL, axis, exemplar, noisy

KILLS, PROCESSES, WRITES = 5, 3, 12

READ_ONLY = "may only be read; nothing was changed"

WRITER = """
import sys
import numpy as np
from hocket.speakers import SpeakerStore
from tests.helpers.voice_vectors import MODEL, exemplar

store = SpeakerStore(sys.argv[1], timeout_s=60)
for index in range(int(sys.argv[3])):
    name = f"{sys.argv[2]}-{index}"
    voices = np.random.default_rng(index).normal(size=(3, MODEL.dimension)).astype(np.float32)
    store.enroll(name, [exemplar(voice) for voice in voices], MODEL)
    print(name, flush=True)
"""


def writer(path: Path, name: str, number: int) -> subprocess.Popen[str]:
    """A process that enrolls so many speakers, and prints the name of each after it is stored."""
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), name, str(number)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "team.db"


@pytest.fixture
def store(path: Path) -> Iterator[SpeakerStore]:
    """A store in which Anna has three exemplars and Ben one."""
    with SpeakerStore(path) as made:
        made.enroll("Anna", [exemplar(noisy(0, seed)) for seed in range(3)], MODEL)
        made.enroll("Ben", [exemplar(noisy(1, 9))], MODEL)
        yield made


def names(path: Path) -> list[str]:
    with SpeakerStore(path, create=False) as opened:
        return [speaker.name for speaker in opened.speakers()]


def test_a_killed_process_loses_nothing_that_it_has_reported(path: Path) -> None:
    acknowledged: list[str] = []
    for attempt in range(KILLS):
        process = writer(path, f"run{attempt}", 10_000)
        assert process.stdout is not None
        acknowledged += [process.stdout.readline().strip() for _ in range(1 + 5 * attempt)]
        process.send_signal(signal.SIGKILL)
        acknowledged += process.communicate()[0].split()
        with SpeakerStore(path, create=False) as opened:
            there = {speaker.name: speaker.exemplars for speaker in opened.speakers()}
            assert set(acknowledged) <= set(there)
            assert set(there.values()) == {3}  # whole or absent
            with opened.file.reading() as database:
                assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert len(acknowledged) >= KILLS


def test_concurrent_processes_lose_nothing(path: Path) -> None:
    processes = [writer(path, f"p{index}", WRITES) for index in range(PROCESSES)]
    for process in processes:
        _, errors = process.communicate(timeout=120)
        assert (process.returncode, errors) == (0, "")
    expected = {f"p{index}-{number}" for index in range(PROCESSES) for number in range(WRITES)}
    assert set(names(path)) == expected


def test_threads_may_share_a_store(store: SpeakerStore) -> None:
    done: list[int] = []

    def work(index: int) -> None:
        for number in range(10):
            store.enroll(f"{index}-{number}", [exemplar(axis(index))], MODEL)
            store.nearest(axis(index), MODEL)
        done.append(index)  # an error would end the thread before

    threads = [threading.Thread(target=work, args=(index,)) for index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done) == [0, 1, 2, 3]
    assert len(store.speakers()) == 42


def in_files(path: Path, voice: bytes) -> bool:
    files = [path, path.with_name(f"{path.name}-wal")]
    return any(voice in file.read_bytes() for file in files if file.exists())


def test_forgetting_leaves_no_byte_of_the_voice(store: SpeakerStore, path: Path) -> None:
    for index in range(60):  # rows are moved from page to page
        store.enroll(f"P{index}", [exemplar(noisy(2, index))], MODEL)
    for index in range(0, 60, 3):
        store.forget(f"P{index}")
    voices = [kept.embedding.astype("<f4").tobytes() for kept in store.exemplars("Anna")]
    assert all(in_files(path, voice) for voice in voices)
    assert store.forget("Anna").name == "Anna"
    for voice in voices:
        assert not in_files(path, voice)
        assert not in_files(path, voice[: len(voice) // 4])
    assert len(store.speakers()) == 41
    assert b"Anna" not in path.read_bytes()


def test_purging_leaves_no_byte_of_the_voices(store: SpeakerStore, path: Path) -> None:
    from datetime import timedelta

    voices = [
        kept.embedding.tobytes() for name in ("Anna", "Ben") for kept in store.exemplars(name)
    ]
    assert len(store.purge(timedelta(0))) == 2
    assert not any(in_files(path, voice) for voice in voices)


def test_forgetting_warns_if_a_reader_keeps_the_log(path: Path) -> None:
    with SpeakerStore(path, timeout_s=0.1) as store, SpeakerStore(path) as reader:
        store.enroll("Anna", [exemplar(noisy(0, 1))], MODEL)
        (voice,) = (kept.embedding.tobytes() for kept in store.exemplars("Anna"))
        with reader.file.reading() as database:
            database.execute("SELECT * FROM speakers").fetchall()
            with pytest.raises(StoreError, match=r"deleted, but .* 'hocket speakers compact'"):
                store.forget("Anna")
        assert store.speakers() == ()
        store.compact()
        assert not in_files(path, voice)


def test_forgetting_warns_if_the_file_cannot_be_rewritten(path: Path, store: SpeakerStore) -> None:
    class FullDisk:
        def execute(self, *_: object) -> None:
            raise sqlite3.OperationalError("database or disk is full")

    with pytest.raises(StoreError) as caught:
        erase(cast("sqlite3.Connection", FullDisk()), path, [])
    assert str(caught.value) == (
        f"{path}: deleted, but not yet overwritten (database or disk is full); "
        "free some space, then run 'hocket speakers compact'"
    )


def test_a_voice_that_is_left_in_the_file_is_found(path: Path, store: SpeakerStore) -> None:
    voice = store.exemplars("Anna")[0].embedding.tobytes()
    with pytest.raises(StoreError, match="deleted, but"):
        store.file.erase([voice])


def test_a_locked_file_is_waited_for_and_then_named(path: Path, store: SpeakerStore) -> None:
    with SpeakerStore(path, timeout_s=0.1) as other, store.file.writing():
        with pytest.raises(StoreError) as caught:
            other.rename("Anna", "Zoe")
        assert str(caught.value) == (
            f"{path}: another process is writing to it or holds it; try again when it has finished"
        )
        assert [speaker.name for speaker in other.speakers()] == [
            "Anna",
            "Ben",
        ]  # reading is still possible
    assert names(path) == ["Anna", "Ben"]


def test_a_full_disk_changes_nothing(path: Path, store: SpeakerStore) -> None:
    with store.file.reading() as database:
        (pages,) = database.execute("PRAGMA page_count").fetchone()
        database.execute(f"PRAGMA max_page_count = {pages}")

    def fill() -> None:
        for index in range(200):
            store.enroll(f"P{index}", [exemplar(noisy(2, index))] * 10, MODEL)

    with pytest.raises(StoreError) as caught:
        fill()
    assert str(caught.value) == (
        f"{path}: the disk is full; nothing was changed; free some space and do it again"
    )
    known = [speaker.name for speaker in store.speakers()]
    assert names(path) == known
    assert known[:2] == ["Anna", "Ben"]


READER = """
import os, sys
from hocket.errors import StoreError
from hocket.speakers import SpeakerStore

if os.getuid() == 0:
    os.setuid(65534)  # nobody, whom permissions bind
store = SpeakerStore(sys.argv[1], create=False)
print([speaker.name for speaker in store.speakers()])
try:
    store.rename("Anna", "Zoe")
except StoreError as error:
    print(error)
"""


@pytest.mark.linux
def test_a_write_protected_store_can_be_read(path: Path, store: SpeakerStore) -> None:
    store.close()
    with tempfile.TemporaryDirectory() as name:
        kept = Path(shutil.copy(path, name))
        kept.chmod(0o444)
        kept.parent.chmod(0o555)
        done = subprocess.run(
            [sys.executable, "-c", READER, str(kept)],
            cwd=ROOT, capture_output=True, text=True, check=False,
        )  # fmt: skip
        kept.parent.chmod(0o755)
    assert done.stderr == ""
    listed, complaint = done.stdout.splitlines()
    assert listed == "['Anna', 'Ben']"
    assert complaint.startswith(f"{kept}: {READ_ONLY}; make the file and its folder writable")


@pytest.mark.linux
def test_a_file_that_may_not_grow_is_one_clear_error(path: Path, store: SpeakerStore) -> None:
    store.close()
    program = (
        "import resource, signal, sys\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))\n" + WRITER
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(path), "p", "200"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert f"hocket.errors.StoreError: {path}: the disk" in done.stderr.splitlines()[-1]
    assert names(path) == ["Anna", "Ben", *done.stdout.split()]


def test_a_missing_file_is_created_only_if_requested(path: Path) -> None:
    for options in ({"create": False}, {"read_only": True}):
        with pytest.raises(StoreError, match="no such file; 'hocket speakers enroll'"):
            SpeakerStore(path, **options)
        assert not path.exists()
    with pytest.raises(StoreError, match=r"gone/team.db: cannot be opened; check that its folder"):
        SpeakerStore(path.parent / "gone" / "team.db")
    with pytest.raises(StoreError, match="cannot be opened"):
        SpeakerStore(path.parent)


@pytest.mark.linux
def test_a_new_file_can_be_read_by_its_owner_only(path: Path) -> None:
    before = os.umask(0)
    try:
        with SpeakerStore(path) as store:
            store.enroll("Anna", [exemplar(axis(0))], MODEL)
            modes = {file.name: file.stat().st_mode & 0o777 for file in path.parent.iterdir()}
            assert modes == dict.fromkeys(("team.db", "team.db-shm", "team.db-wal"), 0o600)
            store.forget("Anna")  # rewrites it
        path.chmod(0o640)
        with SpeakerStore(path) as store:
            store.enroll("Ben", [exemplar(axis(1))], MODEL)
        assert path.stat().st_mode & 0o777 == 0o640  # as its owner chose
    finally:
        os.umask(before)


def test_an_empty_file_is_filled_only_if_requested(path: Path) -> None:
    path.touch()
    with pytest.raises(StoreError, match="an empty file; enroll a speaker with"):
        SpeakerStore(path, create=False)
    assert path.stat().st_size == 0
    with SpeakerStore(path) as store:
        assert store.speakers() == ()


@pytest.mark.parametrize("content", [b"not a database", b"SQLite format 3\0" + b"x" * 5_000])
def test_a_file_that_is_no_store_is_left_alone(path: Path, content: bytes) -> None:
    path.write_bytes(content * 50)
    with pytest.raises(StoreError) as caught:
        SpeakerStore(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "restore a backup" in str(caught.value)
    assert path.read_bytes() == content * 50


def test_another_programs_database_is_left_alone(path: Path) -> None:
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE notes (text TEXT)")
    other.commit()
    other.close()
    before = path.read_bytes()
    with pytest.raises(StoreError, match="another program's database; give a speaker store"):
        SpeakerStore(path)
    assert path.read_bytes() == before


def test_a_store_of_a_newer_schema_is_left_alone(path: Path, store: SpeakerStore) -> None:
    with store.file.writing() as database:
        database.execute(f"PRAGMA user_version = {SCHEMA + 1}")
    store.close()
    message = rf"schema {SCHEMA + 1}, this one knows {SCHEMA}\); run 'pip install --upgrade hocket'"
    with pytest.raises(StoreError, match=message):
        SpeakerStore(path)


def test_a_damaged_page_is_one_clear_error(path: Path, store: SpeakerStore) -> None:
    for index in range(100):
        store.enroll(f"P{index}", [exemplar(noisy(2, index))], MODEL)
    store.compact()
    store.close()
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(8 * 4096))

    def use() -> None:
        with SpeakerStore(path) as damaged:
            damaged.speakers()
            damaged.nearest(axis(0), MODEL)

    with pytest.raises(StoreError) as caught:
        use()
    assert str(caught.value).startswith(f"{path}: damaged; restore a backup, or import what")


def test_an_exemplar_of_a_wrong_size_is_damage(path: Path, store: SpeakerStore) -> None:
    with store.file.writing() as database:
        database.execute("UPDATE exemplars SET embedding = x'00' WHERE id = 1")
    with pytest.raises(StoreError, match="damaged: an exemplar has the wrong size"):
        store.nearest(axis(0), MODEL)


def test_a_store_in_a_write_protected_folder_is_read(
    path: Path, store: SpeakerStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.close()
    usual, opened = sqlite3.connect, []

    def connect_without_log(address: str, *given: Any, **named: Any) -> Any:
        opened.append(address)
        # the error of SQLite where it cannot create a log
        place = address if "immutable" in address else "file:/nowhere/at/all?mode=ro"
        return usual(place, *given, **named)

    monkeypatch.setattr(sqlite3, "connect", connect_without_log)
    with SpeakerStore(path, create=False) as reader:
        assert [speaker.name for speaker in reader.speakers()] == ["Anna", "Ben"]
        with pytest.raises(StoreError, match="may only be read"):
            reader.rename("Anna", "Zoe")
    assert len(opened) == 2


def test_the_file_is_marked_as_a_store(path: Path, store: SpeakerStore) -> None:
    with store.file.reading() as database:
        assert database.execute("PRAGMA application_id").fetchone() == (APPLICATION,)
        assert database.execute("PRAGMA user_version").fetchone() == (SCHEMA,)
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert database.execute("PRAGMA foreign_keys").fetchone() == (1,)
        assert database.execute("PRAGMA secure_delete").fetchone() == (1,)


def test_a_copy_of_the_file_is_a_store(path: Path, store: SpeakerStore, tmp_path: Path) -> None:
    store.close()
    assert [file.name for file in tmp_path.iterdir()] == ["team.db"]
    shutil.copy(path, tmp_path / "copy.db")
    assert names(tmp_path / "copy.db") == ["Anna", "Ben"]


@pytest.mark.parametrize("name", ["a b", "per%cent", "quest?ion", "hash#", "naïve 文字", "a&b=c"])
def test_unusual_file_names_are_accepted(tmp_path: Path, name: str) -> None:
    with SpeakerStore(tmp_path / name) as store:
        store.enroll("Anna", [exemplar(axis(0))], MODEL)
    assert (tmp_path / name).is_file()
    assert names(tmp_path / name) == ["Anna"]
