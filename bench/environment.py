"""Where a result was measured, without saying on whose machine: no host name, no path."""

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
PACKAGES = ("hocket", "numpy", "onnxruntime", "openvino", "scipy")


def describe() -> dict[str, object]:
    """Code, date (UTC) and machine of a measurement; None for a package that is not installed."""
    return {
        "commit": commit(),
        "date": datetime.now(UTC).date().isoformat(),
        "cpu": _cpu_model(),
        "cores": core_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES},
    }


def commit() -> str:
    """Hash of the commit checked out, with `-dirty` if files differ from it; else 'unknown'.

    Files of bench/results do not count: the first result must not make the second one dirty.
    """
    head = _git("rev-parse", "--verify", "HEAD")
    if not head:
        return "unknown"
    changes = _git("status", "--porcelain", "--", ".", ":(exclude)bench/results")
    # An unreadable status counts as dirty: never vouch for what was not seen.
    return head if changes == "" else f"{head}-dirty"


def _git(*arguments: str) -> str | None:
    # Without optional locks, a benchmark never blocks somebody else's git command.
    command = ["git", "--no-optional-locks", *arguments]
    try:
        done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown"
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, platform.processor() or "unknown")


def core_count() -> int:
    """Cores this process may use, which in a container can be fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
