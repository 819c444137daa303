"""`bench unchanged`: differences, renamed and new keys, and ratios of two stand-in checkouts."""

import json
from pathlib import Path

import pytest

from bench.annotations import Turn
from bench.errors import BenchError
from bench.speed import unchanged
from bench.speed.unchanged import parse_renamed
from bench.tests.helpers import run, write_recording

SOURCE = """
import json, os, sys

def {entry}():
    command, *options, file = sys.argv[1:]
    os.write(1, b"from C")
    if "broken" in file:
        sys.exit(1)
    turn = {turn}
    if command == "stream":
        print(json.dumps({{"time": 1.5, "final": [turn]}}))
        print(json.dumps({{"time": 2.5, "final": []}}))
    elif "rttm" in options:
        print("SPEAKER one 1 0 1")
    else:
        print(json.dumps({{"turns": [turn]{more}}}))
"""


def write_checkout(folder: Path, module: str, turn: str, more: str = "") -> Path:
    """A checkout of a hocket that prints one turn, with its entry point in `module`."""
    name, _, entry = module.partition(":")
    place = folder / "src" / f"{name.replace('.', '/')}.py"
    place.parent.mkdir(parents=True)
    (folder / "src/hocket/__init__.py").write_text("")
    place.write_text(SOURCE.format(entry=entry, turn=turn, more=more))
    (folder / "pyproject.toml").write_text(f'[project.scripts]\nhocket = "{module}"\n')
    return folder


@pytest.fixture
def before(tmp_path: Path) -> Path:
    return write_checkout(tmp_path / "old", "hocket.cli:main", '{"start_s": 0.5, "who": "a"}')


@pytest.fixture
def after(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The checkout that stands in for this one."""
    folder = tmp_path / "new"
    turn = '{"start": 0.5, "who": "a", "sure": 1}'
    write_checkout(folder, "hocket.commands.start:run", turn, ', "version": "2"')
    monkeypatch.setattr(unchanged, "REPOSITORY", folder)
    monkeypatch.setattr(unchanged, "JOINED_S", 1.0)
    monkeypatch.setattr(unchanged, "IMPORTS", 1)
    return folder


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    folder = tmp_path / "corpus"
    for name in ("one", "two"):
        write_recording(folder, name, [Turn(0.0, 1.0, "a")])
    return folder


@pytest.mark.usefixtures("after")
def test_equal_output_with_renamed_and_new_keys(tmp_path: Path, before: Path, corpus: Path) -> None:
    write_recording(corpus, "broken", [])  # fails in both
    output = tmp_path / "out.json"
    options = ("--renamed", "start_s=start", "--repeats", "1", "--output", output)
    result = run("unchanged", before, corpus, *options)
    assert result.exit_code == 0, result.output
    found = json.loads(output.read_text(encoding="utf-8"))
    assert (found["differences"], found["new_keys"]) == ([], ["sure", "version"])
    assert (found["files"], found["repeats"]) == (3, 1)
    assert set(found["seconds"]) == {"fast", "balanced", "accurate", "stream"}
    for row in (*found["seconds"].values(), *found["peak_rss_mb"].values(), found["import_s"]):
        assert set(row) == {"before", "after", "ratio"}
        assert row["ratio"] > 0
    assert found["seconds"].keys() == found["peak_rss_mb"].keys()
    assert found["commits"] == {"before": "unknown", "after": "unknown"}
    assert str(tmp_path) not in output.read_text(encoding="utf-8")
    assert "new keys: sure, version" in result.stdout


@pytest.mark.usefixtures("after")
def test_differences_are_listed_and_the_exit_code_is_1(
    tmp_path: Path, before: Path, corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unchanged, "_measure_peaks", lambda *_: {})
    cli = before / "src/hocket/cli.py"
    cli.write_text(cli.read_text().replace("0.5", "0.25").replace("one 1 0 1", "one 1 0 2"))
    output = tmp_path / "out.json"
    options = ("--renamed", "start_s=start", "--repeats", "1", "--output", output)
    result = run("unchanged", before, corpus, *options)
    assert result.exit_code == 1
    found = json.loads(output.read_text(encoding="utf-8"))["differences"]
    assert len(found) == 2 * 7
    fast = "one: diarize --preset fast --format"
    assert f"{fast} json: turns[0].start is 0.5 instead of 0.25" in found
    assert f'{fast} rttm: [0] is "SPEAKER one 1 0 1" instead of "SPEAKER one 1 0 2"' in found
    assert "two: stream --json: [0].final[0].start is 0.5 instead of 0.25" in found


@pytest.mark.usefixtures("after")
def test_a_checkout_that_cannot_run(before: Path, corpus: Path) -> None:
    (before / "src/hocket/cli.py").write_text("raise RuntimeError('no models')")
    result = run("unchanged", before, corpus)
    assert result.exit_code == 1
    assert "before: ended with status 1 at the warm-up" in result.stderr
    assert "RuntimeError: no models" in result.stderr


def test_renamed_keys_need_both_names() -> None:
    assert parse_renamed(["a=b", "c=d"]) == {"a": "b", "c": "d"}
    with pytest.raises(BenchError, match="found 'a='; give OLD=NEW"):
        parse_renamed(["a="])
