"""Every system in an environment of its own, made when it is first needed."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from bench.environment import REPOSITORY
from bench.errors import BenchError

SYSTEMS = {"hocket": "hocket_runner", "senko": "senko_runner", "sherpa-onnx": "sherpa_runner"}
"""Script of each system in bench/systems, beside its requirements `NAME.txt`."""

REQUIREMENTS = REPOSITORY / "bench" / "systems"
ENVIRONMENTS = REPOSITORY / ".venv"
SHERPA_MODELS = REPOSITORY / "build" / "compare" / "sherpa"

Progress = Callable[[str], None]


def runner_command(name: str, threads: int, progress: Progress) -> list[str]:
    """Command that runs a system; its environment is made or renewed if need be.

    Raises:
        BenchError: there is no such system, or it cannot be installed.
    """
    if name not in SYSTEMS:
        raise BenchError(f"found no system '{name}'; there are {', '.join(SYSTEMS)}")
    python = _install(name, progress)
    if name == "sherpa-onnx":
        _make_sherpa_models(progress)
    return [str(python), "-m", f"bench.systems.{SYSTEMS[name]}", "--threads", str(threads)]


def _install(name: str, progress: Progress) -> Path:
    """The environment's Python, with the requirements of today in it."""
    folder = ENVIRONMENTS / f"compare-{name}"
    python = _python(folder)
    stamp = folder / "installed"
    requirements = REQUIREMENTS / f"{name}.txt"
    wanted = _wanted(requirements)
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == wanted:
        return python
    progress(f"installing {name}")
    _call(name, [sys.executable, "-m", "venv", "--clear", str(folder)])
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    _call(name, [*pip, "--requirement", str(requirements)])
    stamp.write_text(wanted, encoding="utf-8")
    return python


def _python(environment: Path) -> Path:
    if sys.platform == "win32":
        return environment / "Scripts" / "python.exe"
    return environment / "bin" / "python"


def _wanted(requirements: Path) -> str:
    """What decides what is installed: the requirements, and the pins of hocket's own."""
    text = requirements.read_text(encoding="utf-8")
    if "--editable" not in text:
        return text
    own = (REPOSITORY / name for name in ("constraints.txt", "pyproject.toml"))
    return "\n".join([text, *(path.read_text(encoding="utf-8") for path in own)])


def _make_sherpa_models(progress: Progress) -> None:
    """Both models in sherpa-onnx's form, made by the forge."""
    if all((SHERPA_MODELS / f"{name}.onnx").is_file() for name in ("segmentation", "embedding")):
        return
    python = _python(ENVIRONMENTS / "forge")
    if not python.is_file():
        raise BenchError("sherpa-onnx: its models need the forge; run 'make .venv/forge/installed'")
    progress("making the models of sherpa-onnx")
    command = [str(python), "-m", "bench.systems.sherpa_models", str(SHERPA_MODELS)]
    _call("sherpa-onnx", command)


def _call(name: str, command: list[str]) -> None:
    """Run an installer; BenchError with its last words if it fails."""
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        words = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        # pip ends on notices of itself; what went wrong says so.
        wrong = [line for line in words if line.upper().startswith("ERROR")] or words or ["silent"]
        raise BenchError(f"{name}: cannot be installed ({wrong[-1]}); see bench/systems/{name}.txt")
