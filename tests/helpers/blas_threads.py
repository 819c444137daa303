"""Code run with one thread of the matrix library and with several."""

import os
import subprocess
import sys
from pathlib import Path

VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def outputs(code: str, argument: Path) -> set[bytes]:
    """Distinct outputs of `code` with `argument`; one if the number of threads changes nothing."""
    found = set()
    for threads in ("1", "4"):
        environment = os.environ | dict.fromkeys(VARIABLES, threads)
        command = [sys.executable, "-c", code, str(argument)]
        found.add(subprocess.run(command, env=environment, check=True, capture_output=True).stdout)
    return found
