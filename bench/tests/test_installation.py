"""Environments and models of other systems."""

import sys
from pathlib import Path

import pytest

from bench import installation
from bench.environment import REPOSITORY
from bench.errors import BenchError
from bench.installation import runner_command
from bench.systems import pyannote_runner


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Commands that would have installed something, in a repository of its own."""
    found: list[list[str]] = []
    monkeypatch.setattr(installation, "ENVIRONMENTS", tmp_path / ".venv")
    monkeypatch.setattr(installation, "REQUIREMENTS", tmp_path)
    monkeypatch.setattr(installation, "MODELS", tmp_path / "models")
    for name in installation.SYSTEMS:
        (tmp_path / f"{name}.txt").write_text(f"{name}==1.0\n")
        (tmp_path / f".venv/compare-{name}").mkdir(parents=True)
    monkeypatch.setattr(installation, "_call", lambda _, line: found.append(line))
    return found


def quiet(_: str) -> None:
    """Drop progress."""


def test_an_environment_is_created_once_and_again_when_its_pins_change(
    tmp_path: Path, calls: list[list[str]]
) -> None:
    line = runner_command("senko", 2, quiet)
    assert line[0].startswith(str(tmp_path / ".venv/compare-senko"))
    assert line[1:] == ["-m", "bench.systems.senko_runner", "--threads", "2"]
    assert [call[1:3] for call in calls] == [["-m", "venv"], ["-m", "pip"]]
    assert calls[1][0] == line[0]
    assert calls[1][-1] == str(tmp_path / "senko.txt")
    runner_command("senko", 2, quiet)
    assert len(calls) == 2
    (tmp_path / "senko.txt").write_text("senko==1.1\n")
    runner_command("senko", 2, quiet)
    assert len(calls) == 4


def test_hocket_is_installed_again_when_its_dependencies_change(
    tmp_path: Path, calls: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(installation, "REPOSITORY", tmp_path)
    (tmp_path / "hocket.txt").write_text("--editable .\n")
    (tmp_path / "pyproject.toml").write_text("numpy\n")
    (tmp_path / "constraints.txt").write_text("numpy==2\n")
    runner_command("hocket", 1, quiet)
    runner_command("hocket", 1, quiet)
    assert len(calls) == 2
    (tmp_path / "constraints.txt").write_text("numpy==3\n")
    runner_command("hocket", 1, quiet)
    assert len(calls) == 4


def test_models_are_made_by_the_forge(tmp_path: Path, calls: list[list[str]]) -> None:
    with pytest.raises(BenchError, match=r"^pyannote: .* run 'make \.venv/forge/installed'"):
        runner_command("pyannote", 1, quiet)
    python = tmp_path / ".venv/forge/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text("")
    runner_command("pyannote", 1, quiet)
    script, folder, files = installation.MADE["pyannote"]
    place = tmp_path / "models" / folder
    assert calls[-1] == [str(python), "-m", f"bench.systems.{script}", str(place)]
    place.mkdir(parents=True)
    for file in files:
        (place / file).write_bytes(b"")
    runner_command("pyannote", 1, quiet)
    assert len(calls) == 3


@pytest.mark.usefixtures("calls")
def test_a_preset_is_passed_to_hocket_alone() -> None:
    plain, fast = (runner_command(name, 2, quiet) for name in ("hocket", "hocket:fast"))
    assert plain[-2:] == ["--threads", "2"]
    assert fast == [*plain, "--preset", "fast"]
    for name in ("senko:fast", "hocket:"):
        with pytest.raises(BenchError, match="only hocket has presets, as in hocket:fast"):
            runner_command(name, 1, quiet)
    with pytest.raises(BenchError, match="no system 'kaldi'; give one of hocket, senko, sherpa"):
        runner_command("kaldi", 1, quiet)


def test_a_failed_installation_is_one_line() -> None:
    fails = "import sys; sys.exit('ERROR: No matching distribution\\nnotice: about pip')"
    with pytest.raises(BenchError, match=r"^senko: cannot be installed \(ERROR: No matching"):
        installation._call("senko", [sys.executable, "-c", fails])


def test_every_system_has_a_script_and_pinned_requirements() -> None:
    for name, script in installation.SYSTEMS.items():
        made, _, _ = installation.MADE.get(name, (script, "", ()))
        for module in (script, made):
            assert (REPOSITORY / "bench" / "systems" / f"{module}.py").is_file()
        lines = (installation.REQUIREMENTS / f"{name}.txt").read_text().split("\n")
        assert all("==" in line or line.startswith("--") or not line for line in lines), name


def test_a_library_built_for_another_torch_is_disabled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = tmp_path / "torchaudio/lib/_torchaudio.abi3.so"
    library.parent.mkdir(parents=True)
    (tmp_path / "torchaudio/__init__.py").write_text("raise ImportError('never imported')")
    for path in (library, library.with_name("libtorchaudio.so")):
        path.write_bytes(b"")
    monkeypatch.syspath_prepend(str(tmp_path))
    pyannote_runner._leave_out_compiled_part()
    left = sorted(path.name for path in library.parent.iterdir())
    assert left == ["_torchaudio.abi3.unused", "libtorchaudio.so"]
    pyannote_runner._leave_out_compiled_part()
