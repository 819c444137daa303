"""Where a result was measured, without a host name or a path."""

import os
import platform
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
PACKAGES = ("hocket", "numpy", "onnxruntime", "openvino", "scipy")


def describe() -> dict[str, object]:
    """Commit, date (UTC), machine and package versions; None for a missing package."""
    return {
        "commit": commit(),
        "date": datetime.now(UTC).date().isoformat(),
        "cpu": _cpu_model(),
        "cores": core_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "packages": package_versions(PACKAGES),
    }


def commit(checkout: Path = REPOSITORY) -> str:
    """Hash of the commit that is checked out; `-dirty` is added if files differ, else 'unknown'.

    Files of bench/results do not count, or the first result would make the second one dirty.
    """
    head = _git(checkout, "rev-parse", "--verify", "HEAD")
    if not head:
        return "unknown"
    changes = _git(checkout, "status", "--porcelain", "--", ".", ":(exclude)bench/results")
    # a status that cannot be read counts as dirty
    return head if changes == "" else f"{head}-dirty"


def package_versions(names: Sequence[str]) -> dict[str, str | None]:
    """Versions of installed packages; None for a missing one."""
    return {name: _version(name) for name in names}


def _git(checkout: Path, *arguments: str) -> str | None:
    # without optional locks, a benchmark never blocks another git command
    command = ["git", "--no-optional-locks", *arguments]
    try:
        done = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=True)
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
    """Cores that this process may use; in a container these can be fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
