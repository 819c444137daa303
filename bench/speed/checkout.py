"""The command line of a checkout of hocket, run repeatedly in one process.

`python -m bench.speed.checkout FOLDER` reads lines `{"arguments": […]}` and writes a line
`{"code": …, "output": …, "error": …, "seconds": …, "peak_rss_bytes": …}` for each. Only the
standard library is imported besides the checkout.
"""

import io
import json
import os
import sys
import tomllib
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from importlib import import_module
from pathlib import Path
from time import perf_counter
from typing import Any

from bench.speed.worker import peak_rss_bytes


def entry_point(checkout: Path) -> Callable[[], Any]:
    """Import the function behind the command `hocket` from the sources of a checkout."""
    scripts = tomllib.loads((checkout / "pyproject.toml").read_text())["project"]["scripts"]
    module, _, name = scripts["hocket"].partition(":")
    sys.path.insert(0, str(checkout / "src"))
    found: Callable[[], Any] = getattr(import_module(module), name)
    return found


def run(main: Callable[[], Any], arguments: list[str]) -> dict[str, object]:
    """Call the command line with these arguments, as in a process of its own."""
    sys.argv = ["hocket", *arguments]
    output, error = io.StringIO(), io.StringIO()
    started = perf_counter()
    with redirect_stdout(output), redirect_stderr(error):
        try:
            code = main()
        except SystemExit as ended:
            code = ended.code
    return {
        "code": code or 0,
        "output": output.getvalue(),
        "error": error.getvalue(),
        "seconds": perf_counter() - started,
        "peak_rss_bytes": peak_rss_bytes(),
    }


def serve(checkout: Path) -> None:
    """Run the command line for every line on standard input."""
    # libraries print too, some from C: their output goes to standard error
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as results:
        os.dup2(2, 1)
        main = entry_point(checkout)
        for line in sys.stdin:
            results.write(json.dumps(run(main, json.loads(line)["arguments"])) + "\n")
            results.flush()


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
