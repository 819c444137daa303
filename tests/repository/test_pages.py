"""The pages agree with the code and with each other."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

from hocket.cli.outcome import FAILED, INTERNAL, INTERRUPTED, UNUSABLE, USAGE
from hocket.cli.speakers import speakers_group
from hocket.config import PRESETS
from hocket.formats import FORMATS
from hocket.formats.files import READABLE
from hocket.models import read_catalogue
from tests.helpers.pages import PAGES, READ, SPOKEN
from tests.helpers.paths import ROOT, SOURCE
from tests.repository.end_of_file import ended, main

DOCS = ROOT / "docs"
DECISIONS = sorted((DOCS / "decisions").glob("[0-9]*.md"))
LINK = re.compile(r"\]\((?!https?://)([^)#\s]*)(?:#([^)\s]+))?\)")
FORBIDDEN = re.compile(
    r"\b(hear|hears|heard|hearing|ears|door|slabs?|twin|loyalty|whosever|the notes|gallery|enrol|"
    r"takeover|doubts)\b",
    re.IGNORECASE,
)
OLD_WORDS = DOCS / "decisions" / "index.md"  # explains the words of the pages beside it


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def anchors_of(page: Path) -> set[str]:
    """Anchors of a page's headings, as Python-Markdown makes them."""
    headings = re.findall(r"(?m)^#+ (.+)$", re.sub(r"(?ms)^```.*?^```", "", text_of(page)))
    kept = (re.sub(r"[^\w\s-]", "", heading).strip().lower() for heading in headings)
    return {re.sub(r"[-\s]+", "-", each) for each in kept}


@pytest.mark.parametrize(
    "page", [*READ, OLD_WORDS, *DECISIONS], ids=lambda page: str(page.relative_to(ROOT))
)
def test_links_lead_somewhere(page: Path) -> None:
    for place, anchor in LINK.findall(text_of(page)):
        target = (page.parent / place).resolve() if place else page
        assert target.exists(), place
        if anchor and target.suffix == ".md":
            assert anchor in anchors_of(target), f"{place}#{anchor}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_words_are_those_of_the_field(page: Path) -> None:
    written = re.sub(rf"(?ms)^<!-- {SPOKEN} -->\n```.*?^```", "", text_of(page))
    prose = LINK.sub("", written)  # old pages of decisions keep their names
    assert FORBIDDEN.findall(prose) == []


def pages_in(nav: list[object]) -> list[str]:
    found: list[str] = []
    for entry in nav:
        for value in entry.values() if isinstance(entry, dict) else [entry]:
            found += pages_in(value) if isinstance(value, list) else [str(value)]
    return found


def test_every_page_is_in_the_navigation_once() -> None:
    lines = text_of(ROOT / "mkdocs.yml")
    nav = yaml.safe_load(lines)["nav"]
    every = [str(path.relative_to(DOCS).as_posix()) for path in DOCS.rglob("*.md")]
    assert sorted(pages_in(nav)) == sorted(every)


def test_the_site_requests_nothing() -> None:
    settings = yaml.safe_load(text_of(ROOT / "mkdocs.yml"))
    assert settings["theme"]["font"] is False
    assert not {"repo_url", "extra_javascript", "extra_css"} & set(settings)
    search, (reference, *_) = settings["plugins"]
    assert (search, reference) == ("search", "mkdocstrings")
    assert not any("```mermaid" in text_of(page) for page in DOCS.rglob("*.md"))


def test_every_decision_has_an_outcome() -> None:
    linked = re.findall(r"(?m)^\| \[(\d+)\]\(([\w-]+\.md)\) \| \S.+ \|$", text_of(OLD_WORDS))
    assert [(str(n), page.name) for n, page in enumerate(DECISIONS, start=1)] == linked


def test_every_public_name_is_on_the_page_about_them() -> None:
    import hocket

    page = text_of(DOCS / "api.md")
    shown = {found.rpartition(".")[2] for found in re.findall(r"(?m)^::: (\S+)$", page)}
    assert set(hocket.__all__) <= shown


def test_every_command_of_the_store_is_on_its_page() -> None:
    page = text_of(DOCS / "speakers.md")
    for name in speakers_group.commands:
        assert re.search(rf"hocket speakers {name}\b", page), name


def test_messages_of_the_store_are_those_of_the_code() -> None:
    page = text_of(DOCS / "speakers.md").partition("## Messages")[2]
    cells = re.findall(r"(?m)^\| (`.+?`) \|", page)
    quoted = [part for cell in cells for part in re.findall(r"`([^`]+)`", cell)]
    code = "\n".join(map(text_of, SOURCE.rglob("*.py")))
    assert len(quoted) > 8
    parts = [part.strip() for message in quoted for part in message.split("…")]
    assert [part for part in parts if part not in code] == []


def test_the_table_of_formats_is_that_of_the_code() -> None:
    page = text_of(DOCS / "formats.md").partition("## What each keeps")[0]
    rows = re.findall(r"(?m)^\| (`.+?) \| .+? \| (`.+?) \| (yes)? ?\|", page)
    found = [
        (name, suffix.removesuffix("/"), bool(read))
        for names, suffixes, read in rows
        for name, suffix in zip(
            re.findall(r"`(\w+)`", names), re.findall(r"`\.(.+?)`", suffixes), strict=True
        )
    ]
    assert found == [(name, each.suffix, name in READABLE) for name, each in FORMATS.items()]


def test_tables_of_presets_and_exit_codes_are_complete() -> None:
    page = text_of(DOCS / "first-steps.md")
    named = re.findall(r"(?m)^\| `(\w+)`(?: \(default\))? \|", page)
    assert set(PRESETS) <= set(named)
    codes = {int(code) for code in re.findall(r"(?m)^\| (\d+) \|", page)}
    assert codes == {0, FAILED, USAGE, UNUSABLE, INTERNAL, INTERRUPTED}


def test_settings_and_variables_that_pages_name_exist() -> None:
    code = "\n".join(map(text_of, SOURCE.rglob("*.py")))
    for page in PAGES:
        for variable in re.findall(r"HOCKET_[A-Z_]+", text_of(page)):
            assert f'"{variable}"' in code, variable
    extras = tomllib.loads(text_of(ROOT / "pyproject.toml"))["project"]["optional-dependencies"]
    for extra in re.findall(r"(?m)^\| `(\w+)` \|.*\|$", section(DOCS / "install.md", "## Extras")):
        assert extra in extras


def section(page: Path, heading: str) -> str:
    return text_of(page).partition(f"{heading}\n")[2].partition("\n## ")[0]


def test_the_thresholds_of_every_model_are_in_order() -> None:
    for known in read_catalogue().calibrations.values():
        assert 0 < known["name_distance"] <= known["suggest_distance"] < 1
        assert known["name_distance"] <= known["verify_distance"] < 1


def test_files_end_with_one_newline(tmp_path: Path) -> None:
    for path in [*READ, *(ROOT / "examples").iterdir(), *Path(__file__).parent.glob("*.py")]:
        content = path.read_bytes() if path.is_file() else b""
        assert ended(content) == content, path
    odd = tmp_path / "odd.md"
    for content, right in (
        (b"a", b"a\n"), (b"a\n\n\n", b"a\n"), (b"a\r\n\r\n", b"a\r\n"), (b"\n", b""), (b"", b""),
    ):  # fmt: skip
        odd.write_bytes(content)
        assert main([str(odd)]) == (content != right)
        assert odd.read_bytes() == right


def test_workflow_and_hooks_call_what_there_is() -> None:
    steps = yaml.safe_load(text_of(ROOT / ".github" / "workflows" / "ci.yml"))["jobs"]["gates"]
    assert steps["steps"][-1]["run"] == ".ci/run"
    assert (ROOT / ".ci" / "run").exists()
    (hooks,) = yaml.safe_load(text_of(ROOT / ".pre-commit-config.yaml"))["repos"]
    assert hooks["repo"] == "local"
    for hook in hooks["hooks"]:
        program, *words = hook["entry"].split()
        assert program == ".venv/test/bin/python"
        assert words[0] == "-m" or (ROOT / words[0]).exists()
