"""Output files: distinct names, and atomic writes."""

import os
from pathlib import Path

import pytest

from hocket.files import distinct_names, write_whole


def test_a_numbered_name_never_equals_a_given_name() -> None:
    assert distinct_names(["a", "A", "a-2", "a"]) == ["a", "A-3", "a-2", "a-4"]


def test_a_failed_write_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "out.rttm"
    path.write_text("old")

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="No space left"):
        write_whole(path, "new")
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("out.rttm", "old")]
