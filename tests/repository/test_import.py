"""Importing hocket is free: light, quick, and without side effects."""

import subprocess
import sys

import pytest

HEAVY = (
    "torch",
    "onnx",
    "onnxruntime",
    "openvino",
    "scipy.cluster",
    "soundfile",
    "soxr",
    "rich",
    "av",
    "matplotlib",
)


def loaded_after(statement: str, names: tuple[str, ...]) -> list[str]:
    """Which of the modules `names` a fresh interpreter has loaded after `statement`."""
    report = f"{statement}; import sys; print([m for m in {names!r} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", report], capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    return eval(done.stdout)


def test_import_loads_nothing_heavy() -> None:
    assert loaded_after("import hocket", HEAVY) == []
    assert loaded_after("import hocket.cli.main", HEAVY) == []
    assert loaded_after("from hocket import *", HEAVY) == []


def test_the_check_above_can_fail() -> None:
    assert loaded_after("import hocket, soundfile", HEAVY) == ["soundfile"]


@pytest.mark.parametrize(
    "observation",
    [
        "threading.active_count()",
        "len(warnings.filters)",
        "len(logging.getLogger().handlers)",
        "sorted(os.environ)",
        "signal.getsignal(signal.SIGINT)",
    ],
)
def test_import_changes_nothing_global(observation: str) -> None:
    program = (
        "import os, threading, warnings, logging, signal, numpy, importlib.metadata\n"
        f"before = {observation}\nimport hocket, hocket.cli.main\nassert {observation} == before"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
