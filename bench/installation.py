"""An environment for every system, created when it is first needed."""

import subprocess
import sys
from pathlib import Path

from bench.environment import REPOSITORY
from bench.errors import BenchError
from bench.report import Progress

SYSTEMS = {
    "hocket": "hocket_runner",
    "senko": "senko_runner",
    "sherpa-onnx": "sherpa_runner",
    "pyannote": "pyannote_runner",
}
"""Script of each system in bench/systems, next to its requirements `NAME.txt`."""

SPEED_ONLY = frozenset({"pyannote"})
"""Systems without their trained weights: only their speed can be measured."""

PRESET = ":"  # hocket:fast

REQUIREMENTS = REPOSITORY / "bench" / "systems"
ENVIRONMENTS = REPOSITORY / ".venv"
MODELS = REPOSITORY / "build" / "compare"
MADE = {
    "sherpa-onnx": ("sherpa_models", "sherpa", ("segmentation.onnx", "embedding.onnx")),
    "pyannote": ("pyannote_models", "pyannote", ("segmentation.pt", "embedding.pt")),
}
"""Script that creates the models of a system, their folder in MODELS, and their files."""


def runner_command(name: str, threads: int, progress: Progress) -> list[str]:
    """The command that runs a system. Its environment is created or renewed if needed.

    Args:
        name: one of `SYSTEMS`; `hocket:NAME` is hocket with that preset.
        threads: processor threads.
        progress: receives what takes long.

    Raises:
        BenchError: the system is unknown, or cannot be installed.
    """
    system, colon, preset = name.partition(PRESET)
    if system not in SYSTEMS:
        raise BenchError(f"found no system '{system}'; give one of {', '.join(SYSTEMS)}")
    if colon and (system != "hocket" or not preset):
        raise BenchError(f"found '{name}'; only hocket has presets, as in hocket:fast")
    python = _install(system, progress)
    if system in MADE:
        _make_models(system, progress)
    command = [str(python), "-m", f"bench.systems.{SYSTEMS[system]}", "--threads", str(threads)]
    return [*command, "--preset", preset] if preset else command


def _install(name: str, progress: Progress) -> Path:
    """The Python of a system's environment, with the current requirements installed."""
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
    """All that determines what is installed: the requirements and, for hocket, its own pins."""
    text = requirements.read_text(encoding="utf-8")
    if "--editable" not in text:
        return text
    own = (REPOSITORY / name for name in ("constraints.txt", "pyproject.toml"))
    return "\n".join([text, *(path.read_text(encoding="utf-8") for path in own)])


def _make_models(name: str, progress: Progress) -> None:
    """Create models in the format of a system, with the forge."""
    script, folder, files = MADE[name]
    place = MODELS / folder
    if all((place / file).is_file() for file in files):
        return
    python = _python(ENVIRONMENTS / "forge")
    if not python.is_file():
        raise BenchError(
            f"{name}: its models are made by the forge; run 'make .venv/forge/installed'"
        )
    progress(f"creating the models of {name}")
    _call(name, [str(python), "-m", f"bench.systems.{script}", str(place)])


def _call(name: str, command: list[str]) -> None:
    """Run an installer; BenchError with its error if it fails."""
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        # pip ends with notices about itself
        errors = [line for line in lines if line.upper().startswith("ERROR")]
        reason = (errors or lines or ["no error message"])[-1]
        raise BenchError(f"{name}: cannot be installed ({reason}); see bench/systems/{name}.txt")
