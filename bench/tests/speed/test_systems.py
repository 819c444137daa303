"""`bench compare --speed`: times of systems and presets, without references."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from bench import installation
from bench.corpus import Layout, find_audio
from bench.errors import BenchError
from bench.tests.helpers import FAILS_ONCE, FAKE_SYSTEM, run

QUICK = """
def outcome(task):
    return {"seconds": 0.25, "turns": []}
"""
SLOW = """
def outcome(task):
    return {"seconds": 2.0, "turns": []}
"""


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Two recordings of 2 s without references."""
    folder = tmp_path / "corpus"
    for name in ("real/full", "panel/pair"):
        path = folder / f"{name}.wav"
        path.parent.mkdir(parents=True)
        soundfile.write(str(path), np.zeros(16_000, np.float32), 8000)
    return folder


def test_times_and_how_many_times_faster(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bodies = {"hocket": FAILS_ONCE, "hocket:fast": QUICK, "other": SLOW}

    def command(name: str, threads: int, progress: object) -> list[str]:
        script = tmp_path / f"{name.replace(':', '-')}.py"
        log = str(tmp_path / "log.txt")
        script.write_text(FAKE_SYSTEM.format(name=name, log=log, body=bodies[name]))
        return [sys.executable, str(script)]

    monkeypatch.setattr(installation, "runner_command", command)
    output = tmp_path / "out.json"
    systems = ("--systems", ",".join(bodies))
    result = run("compare", corpus, "--speed", *systems, "--threads", "2", "--output", output)
    assert result.exit_code == 0, result.output
    found = json.loads(output.read_text(encoding="utf-8"))
    ours, fast, other = (found["systems"][name] for name in bodies)
    assert (fast["seconds"], fast["x_real_time"]) == (0.5, 8.0)
    assert (other["seconds"], other["x_real_time"]) == (4.0, 1.0)
    assert (ours["seconds"], ours["x_real_time"]) == (1.0, 2.0)  # of the one it processed
    assert found["times_faster"]["hocket"] == {"hocket:fast": 0.25, "other": 2.0}
    assert found["times_faster"]["hocket:fast"] == {"hocket": 4.0, "other": 8.0}
    assert (found["command"], found["threads"]) == ("compare-speed", 2)
    assert not any("der" in name for name in fast)
    assert "hocket: failed on real/full: out of luck" in result.stdout
    log = (tmp_path / "log.txt").read_text().splitlines()
    uris = ("warm-up", "panel/pair", "real/full")
    assert log == [f"{name} {uri}" for uri in uris for name in bodies]


def test_what_cannot_be_combined(corpus: Path) -> None:
    result = run("compare", corpus, "--systems", "hocket,pyannote")
    assert result.exit_code == 2
    assert "pyannote: has no trained weights here; add --speed" in result.stderr
    result = run("compare", corpus, "--speed", "--hypotheses", f"a={corpus}")
    assert result.exit_code == 2
    assert "--speed excludes --hypotheses" in result.stderr


def test_audio_without_references(corpus: Path, tmp_path: Path) -> None:
    found = find_audio(corpus)
    assert [(each.uri, each.kind) for each in found] == [
        ("panel/pair", "panel"),
        ("real/full", "real"),
    ]
    assert found[0].turns() == []
    assert found[0].duration_s() == 2.0
    assert found[0].regions()[0].end == 2.0
    for layout, uri in (
        (Layout(select=("full",)), "real/full"),
        (Layout(audio="pa*"), "panel/pair"),
    ):
        assert [each.uri for each in find_audio(corpus, layout)] == [uri]
    with pytest.raises(BenchError, match=r"found no recording for .*kaldi"):
        find_audio(corpus, Layout(select=("kaldi",)))
    (tmp_path / "empty").mkdir()
    with pytest.raises(BenchError, match=r"found no audio \(\.flac"):
        find_audio(tmp_path / "empty")
