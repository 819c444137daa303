"""docs/behaviour.md names tests: they exist, and none of those made for it is left out."""

import ast
import re
from collections import Counter

from tests.places import ROOT

PAGE = (ROOT / "docs" / "behaviour.md").read_text(encoding="utf-8")
NAMED = re.findall(r"`([\w/]+\.py)::(\w+)`", PAGE)
MADE_FOR_IT = ("unit/test_defects_of_the_notes.py", "e2e/test_defects_heard.py")


def names_in(path: str) -> set[str]:
    tree = ast.parse((ROOT / "tests" / path).read_text(encoding="utf-8"))
    return {
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


def test_every_test_that_is_named_exists() -> None:
    for path in {path for path, _ in NAMED}:
        assert {name for at, name in NAMED if at == path} <= names_in(path), path


def test_no_test_is_named_twice() -> None:
    assert [name for name, times in Counter(NAMED).items() if times > 1] == []


def test_every_test_made_for_the_page_is_on_it() -> None:
    for path in MADE_FOR_IT:
        assert {name for at, name in NAMED if at == path} == names_in(path), path


def test_every_statement_has_a_test_or_a_reason() -> None:
    tests, reasons = (
        [line for line in part.splitlines() if line.startswith("| ") and "| there |" not in line]
        for part in PAGE.split("## What has no place here")
    )
    assert len(tests) > 100
    assert [row for row in tests if "::test_" not in row and "linter" not in row] == []
    assert [row for row in reasons if row.count(" | ") != 1 or row.endswith("|  |")] == []
