"""The structure of the source is what ARCHITECTURE.md and the contracts of import-linter say."""

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.helpers.paths import ROOT, SOURCE

MODULES = {
    ".".join(path.relative_to(SOURCE.parent).with_suffix("").parts): path
    for path in SOURCE.rglob("*.py")
}
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"][
    "contracts"
]


def imports(path: Path) -> list[tuple[str, str]]:
    """Module and name of everything that a file imports from hocket."""
    return [
        (node.module or "", alias.name)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("hocket")
        for alias in node.names
    ]


def test_no_private_name_is_imported() -> None:
    private = [
        (module, *each)
        for module, path in MODULES.items()
        for each in imports(path)
        if re.search(r"(^|\.)_[a-z]", ".".join(each))
    ]
    assert private == []


def test_every_package_has_an_exhaustive_contract() -> None:
    packages = {
        ".".join(path.parent.relative_to(SOURCE.parent).parts)
        for path in SOURCE.rglob("__init__.py")
    }
    layered = {
        container
        for contract in CONTRACTS
        if contract["type"] == "layers" and contract["exhaustive"]
        for container in contract["containers"]
    }
    assert packages == layered


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What import-linter says of the source with a violation of every kind planted in it."""
    folder = tmp_path_factory.mktemp("planted")
    shutil.copytree(SOURCE, folder / "hocket", ignore=shutil.ignore_patterns("data", "__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    for module, statement in PLANTED.values():
        with (folder / module).open("a") as file:
            file.write(f"\n{statement}\n")
    command = [Path(sys.executable).with_name("lint-imports"), "--no-cache"]
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    return done.stdout


PLANTED = {
    "packages: imports point down": (
        "hocket/audio/reading.py",
        "from hocket.offline.artifacts import Artifacts",
    ),
    "inside segmentation: imports point down": (
        "hocket/segmentation/powerset.py",
        "from hocket.segmentation.aggregation import Segmentation",
    ),
    "inside cli: imports point down": (
        "hocket/cli/display.py",
        "from hocket.cli.diarize import diarize_command",
    ),
    "the runtime never sees the forge": ("hocket/timing.py", "import torch"),
    "between the graphs: plain array functions": (
        "hocket/clustering/merging.py",
        "import onnxruntime",
    ),
}


@pytest.mark.parametrize("contract", PLANTED)
def test_a_planted_violation_breaks_its_contract(contract: str, broken: str) -> None:
    assert f"{contract} BROKEN" in broken


def test_contracts_without_a_violation_are_kept(broken: str) -> None:
    names = [contract["name"] for contract in CONTRACTS]
    assert [name for name in names if f"{name} KEPT" in broken] == [
        name for name in names if name not in PLANTED
    ]


def test_the_main_path_is_as_long_as_the_page_says() -> None:
    page = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    section = page.partition("### From `diarize()` to an RTTM file")[2].partition("###")[0]
    rows = re.findall(r"^\| `([\w/.]+)` \| (\d+) \|", section, re.MULTILINE)
    assert 1 < len(rows) <= 5
    for name, lines in rows:
        found = len((SOURCE / name).read_text(encoding="utf-8").splitlines())
        assert found == pytest.approx(int(lines), rel=0.1), name


def test_every_package_is_in_the_tree_of_the_page() -> None:
    page = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    tree = page.partition("## The tree")[2].partition("## Words")[0]
    for folder in SOURCE.iterdir():
        if (folder / "__init__.py").exists():
            assert f"{folder.name}/" in tree


def test_the_legend_is_no_longer_than_ten_rows() -> None:
    page = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    words = page.partition("## Words")[2].partition("\n## ")[0]
    assert words.count("\n| ") - 1 <= 10
