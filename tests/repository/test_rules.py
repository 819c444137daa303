"""Rules about the source itself that no linter holds."""

import ast
import re
from collections.abc import Iterator
from importlib import import_module

import pytest

import hocket
from bench.pages.readme import README, with_table
from tests.helpers.paths import ROOT, SOURCE

SOURCES = sorted(SOURCE.rglob("*.py"))
ALL_CODE = sorted(
    path for part in ("src", "forge", "bench", "tests") for path in (ROOT / part).rglob("*.py")
)


def functions(node: ast.AST) -> Iterator[tuple[str, int]]:
    """Names and lengths in lines. Only statements hold functions; most nodes are expressions."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        yield node.name, (node.end_lineno or 0) - node.lineno + 1
    for block in ("body", "orelse", "finalbody", "handlers", "cases"):
        for statement in getattr(node, block, None) or ():
            yield from functions(statement)


def test_a_file_is_a_stage_and_a_function_a_sentence() -> None:
    texts = {path: path.read_text(encoding="utf-8") for path in ALL_CODE}
    assert len(texts) > 400
    assert [path for path, text in texts.items() if len(text.splitlines()) > 400] == []
    found = [(path, *each) for path, text in texts.items() for each in functions(ast.parse(text))]
    assert len(found) > 4_000
    assert [(path, name) for path, name, length in found if length > 60] == []


def test_public_names_are_sorted_and_are_those_type_checkers_see() -> None:
    assert hocket.__all__ == sorted(hocket.__all__)
    tree = ast.parse((SOURCE / "__init__.py").read_text())
    homes = {
        alias.name: node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("hocket.")
        for alias in node.names
    }
    assert {*hocket.__all__, "__version__"} == set(homes)
    assert dir(hocket) == hocket.__all__
    for name, home in homes.items():
        assert getattr(hocket, name) is getattr(import_module(str(home)), name)
    with pytest.raises(AttributeError, match="no attribute 'diarise'"):
        _ = hocket.diarise


def test_the_table_on_the_front_page_is_the_measured_one() -> None:
    page = README.read_text(encoding="utf-8")
    assert with_table(page) == page


def test_exit_codes_in_the_readme_are_those_of_the_command_line() -> None:
    from hocket.cli.outcome import FAILED, INTERNAL, INTERRUPTED, UNUSABLE, USAGE

    codes = {FAILED, USAGE, UNUSABLE, INTERNAL, INTERRUPTED, 0}
    table = re.findall(r"^\| (\d+) \|", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert {int(code) for code in table} == codes


def test_every_decision_page_is_numbered_and_linked() -> None:
    pages = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))
    assert pages
    for number, page in enumerate(pages, start=1):
        assert page.name.startswith(f"{number:03d}-")
        assert page.read_text().startswith(f"# {number}. ")
    text = "".join((ROOT / name).read_text() for name in ("ARCHITECTURE.md", "README.md"))
    for link in re.findall(r"\]\((?!http)([^)#]+)\)", text):
        assert (ROOT / link).exists(), link
