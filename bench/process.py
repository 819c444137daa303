"""Measurements in processes of their own: a task as JSON in, an answer as JSON out."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from bench.environment import REPOSITORY
from bench.errors import BenchError

CACHE_VARIABLE = "XDG_CACHE_HOME"  # where a runtime's compiled graphs go


def ask(module: str, task: Mapping[str, Any], cache: str | None = None) -> Any:
    """The answer of `python -m module` to a task.

    Args:
        module: reads the task from its input and writes the answer on its last line.
        task: plain values.
        cache: folder for what is compiled; by default the user's own.

    Raises:
        BenchError: the process fails; with the last line it wrote.
    """
    environment = os.environ if cache is None else {**os.environ, CACHE_VARIABLE: cache}
    done = subprocess.run(
        [sys.executable, "-m", module],
        cwd=REPOSITORY,
        env=environment,
        input=json.dumps(task),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        reason = done.stderr.strip().splitlines()[-1:] or [f"exit status {done.returncode}"]
        raise BenchError(f"the measuring process failed: {reason[0]}")
    return json.loads(done.stdout.splitlines()[-1])


def answer_with(answer: object) -> None:
    """Write an answer on a line of its own, whatever a library may have printed before."""
    sys.stdout.write(f"\n{json.dumps(answer)}\n")
