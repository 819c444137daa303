"""Uploads and results: whole or not there, under no name of the client's."""

import os
import shutil
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path

import pytest

from hocket.errors import CapacityError, JobError, OutputError
from hocket.server.spool import Spool

ID = "0123456789abcdef"


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool", most_bytes=100, free_bytes=0)


def names(spool: Spool) -> list[str]:
    return sorted(path.name for path in spool.folder.iterdir())


def test_an_upload_has_its_name_once_it_is_complete(spool: Spool) -> None:
    def chunks() -> Iterator[bytes]:
        yield b"a" * 60
        assert not spool.recording(ID).exists()
        yield b"b" * 40

    assert spool.receive(ID, chunks()) == 100
    assert spool.recording(ID).read_bytes() == b"a" * 60 + b"b" * 40
    assert names(spool) == [f"{ID}.recording"]
    assert spool.folder.stat().st_mode & 0o077 == 0 or os.name == "nt"


def test_an_upload_that_fails_leaves_nothing(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    def vanishing() -> Iterator[bytes]:
        yield b"a"
        raise ConnectionResetError("gone")

    with pytest.raises(ConnectionResetError, match="gone"):
        spool.receive(ID, vanishing())
    with pytest.raises(CapacityError, match="the upload is larger than 100 bytes; send less"):
        spool.receive(ID, [b"a" * 60, b"b" * 41])
    full = namedtuple("usage", "free")(5)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: full)
    with pytest.raises(CapacityError, match="the disk of the service is full; try later"):
        spool.receive(ID, [b"a" * 60])
    assert names(spool) == []


@pytest.mark.parametrize(
    "name", ["", "../../etc/passwd", "a/b/c/d/e/f", "x" * 65, "a.b.c.d.e", "\0" * 9]
)
def test_no_path_is_made_of_what_is_no_id(spool: Spool, name: str) -> None:
    for use in (spool.recording, spool.result, spool.remove):
        with pytest.raises(JobError, match="is no id of a job") as caught:
            use(name)
        assert "\n" not in str(caught.value)


def test_results_and_what_was_never_accepted(spool: Spool) -> None:
    other = "f" * 16
    spool.receive(ID, [b"x"])
    spool.receive(other, [b"y"])
    spool.write_result(ID, '{"turns": []}')
    assert spool.read_references(ID) is None
    for name in (ID, other):
        spool.write_references(name, "[]")
    assert spool.read_references(ID) == "[]"
    assert spool.finished() == [ID]
    assert spool.result(ID).read_text() == '{"turns": []}'
    (spool.folder / f"{ID}.part").write_bytes(b"half")
    (spool.folder / "notes.txt").write_text("of the operator")
    assert spool.clean([ID]) == [
        f"{ID}.part",
        f"{other}.recording",
        f"{other}.references",
    ]
    assert names(spool) == [
        f"{ID}.recording",
        f"{ID}.references",
        f"{ID}.result.json",
        "notes.txt",
    ]
    spool.remove(ID)
    spool.remove(ID)
    assert names(spool) == ["notes.txt"]


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        Spool(tmp_path / "file", most_bytes=1)
