"""Several systems for their speed alone: no references, presets of hocket beside each other."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from bench import installation
from bench.corpus import Layout, find_audio
from bench.errors import BenchError
from tests.unit.test_bench_compare import FAILS_ONCE, FAKE
from tests.unit.test_bench_speed import run

QUICK = """
def answer(task):
    return {"seconds": 0.25, "turns": []}
"""
SLOW = """
def answer(task):
    return {"seconds": 2.0, "turns": []}
"""


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Two recordings of 2 s, without a word about who speaks."""
    folder = tmp_path / "corpus"
    for name in ("real/full", "panel/pair"):
        path = folder / f"{name}.wav"
        path.parent.mkdir(parents=True)
        soundfile.write(str(path), np.zeros(16_000, np.float32), 8000)
    return folder


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, str]], None]:
    """Puts scripts in the place of systems, by their names."""

    def put(bodies: dict[str, str]) -> None:
        def command(name: str, threads: int, progress: object) -> list[str]:

            script = tmp_path / f"{name.replace(':', '-')}.py"
            log = str(tmp_path / "log.txt")
            script.write_text(FAKE.format(name=name, log=log, body=bodies[name]))
            return [sys.executable, str(script)]

        monkeypatch.setattr(installation, "runner_command", command)

    return put


def test_times_and_how_many_times_faster(corpus: Path, install: Any) -> None:
    install({"hocket": FAILS_ONCE, "hocket:fast": QUICK, "other": SLOW})
    output = corpus.parent / "out.json"
    systems = ("--systems", "hocket,hocket:fast,other")
    result = run("compare", corpus, "--speed", *systems, "--threads", "2", "--output", output)
    assert result.exit_code == 0, result.output
    found = json.loads(output.read_text(encoding="utf-8"))
    ours, fast, other = (found["systems"][name] for name in ("hocket", "hocket:fast", "other"))
    assert (fast["seconds"], fast["x_real_time"]) == (0.5, 8.0)
    assert (other["seconds"], other["x_real_time"]) == (4.0, 1.0)
    # Only what it did counts: 2 s of audio in a second.
    assert (ours["x_real_time"], ours["failed"]) == (2.0, {"real/full": "out of luck"})
    assert found["times_faster"]["hocket"] == {"hocket:fast": 0.25, "other": 2.0}
    assert found["times_faster"]["hocket:fast"] == {"hocket": 4.0, "other": 8.0}
    assert (found["command"], found["threads"]) == ("compare-speed", 2)
    assert not any("der" in name for name in fast)
    assert "other: failed" not in result.stdout
    assert "hocket: failed on real/full: out of luck" in result.stdout
    asked = (corpus.parent / "log.txt").read_text().splitlines()
    uris = ("warm-up", "panel/pair", "real/full")
    names = ("hocket", "hocket:fast", "other")
    assert asked == [f"{name} {uri}" for uri in uris for name in names]


def test_turns_that_mean_nothing_are_not_scored(corpus: Path) -> None:
    result = run("compare", corpus, "--systems", "hocket,pyannote")
    assert result.exit_code == 2
    assert "pyannote: its turns mean nothing here; add --speed" in result.stderr


def test_stored_turns_have_no_speed(corpus: Path) -> None:
    result = run("compare", corpus, "--speed", "--hypotheses", f"a={corpus}")
    assert result.exit_code == 2
    assert "--speed excludes --hypotheses" in result.stderr


def test_audio_without_references(corpus: Path) -> None:
    found = find_audio(corpus)
    assert [(each.uri, each.kind) for each in found] == [
        ("panel/pair", "panel"),
        ("real/full", "real"),
    ]
    assert found[0].turns() == []
    assert found[0].duration() == 2.0
    assert found[0].regions()[0].end == 2.0
    (one,) = find_audio(corpus, Layout(select=("full",)))
    assert one.uri == "real/full"
    (one,) = find_audio(corpus, Layout(audio="pa*"))
    assert one.uri == "panel/pair"


def test_no_audio_is_an_error(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"found no recording for .*kaldi"):
        find_audio(corpus, Layout(select=("kaldi",)))
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty/notes.txt").write_text("")
    with pytest.raises(BenchError, match=r"found no audio \(\.flac"):
        find_audio(tmp_path / "empty")
