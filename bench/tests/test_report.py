"""Results: their header names no machine, and equal results are equal bytes."""

import json
import platform
import re
from pathlib import Path

import numpy as np
import pytest

from bench import environment
from bench.environment import REPOSITORY
from bench.errors import BenchError
from bench.report import number, table, write_results


def test_environment_names_no_machine_and_no_path() -> None:
    found = environment.describe()
    assert set(found) == {"commit", "date", "cpu", "cores", "system", "python", "packages"}
    text = json.dumps(found)
    assert platform.node() not in [*text.split('"'), *text.split()]
    assert str(REPOSITORY) not in text
    assert not re.search(r'"(/|~|[A-Za-z]:\\\\)', text)
    assert isinstance(found["packages"], dict)
    assert found["packages"]["numpy"] == np.__version__


@pytest.mark.parametrize(
    ("head", "status", "expected"),
    [
        (None, None, "unknown"),
        ("abc", "", "abc"),
        ("abc", " M x.py", "abc-dirty"),
        ("abc", None, "abc-dirty"),
    ],
)
def test_commit(
    monkeypatch: pytest.MonkeyPatch, head: str | None, status: str | None, expected: str
) -> None:
    outputs = {"rev-parse": head, "status": status}
    monkeypatch.setattr(environment, "_git", lambda _, command, *__: outputs[command])
    assert environment.commit() == expected


def test_equal_results_are_equal_bytes(tmp_path: Path) -> None:
    one, two = tmp_path / "new/folder/one.json", tmp_path / "two.json"
    write_results(one, {"b": 1.5, "a": {"ü": None}})
    write_results(two, {"a": {"ü": None}, "b": 1.5})
    assert one.read_bytes() == two.read_bytes()
    assert one.read_text(encoding="utf-8") == '{\n "a": {\n  "ü": null\n },\n "b": 1.5\n}\n'
    with pytest.raises(BenchError, match="cannot be written"):
        write_results(one / "inside.json", {})


def test_table() -> None:
    assert table(("name", "%"), [("a", number(12.34)), ("b", number(None))]).splitlines() == [
        "name     %",
        "a     12.3",
        "b        -",
    ]
