"""The protocol of the systems: versions and settings first, then one result per recording.

Lines of JSON. In: `{"uri": …, "audio": path of a WAV file, mono, 16 kHz, 16 bits}`. Out: once
`{"python": …, "packages": {…}, "settings": {…}}` when the models are loaded, then for every line
`{"uri": …, "seconds": …, "turns": [[start, end, speaker], …]}` or `{"uri": …, "error": …}`.
"""

import argparse
import json
import os
import platform
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import distributions
from time import perf_counter

Turns = Sequence[tuple[float, float, str]]


@dataclass(frozen=True)
class Engine:
    """A loaded system: a function from a WAV file to turns, and its settings."""

    diarize: Callable[[str], Turns]
    settings: dict[str, object] = field(default_factory=dict)


def serve(load: Callable[..., Engine], *options: str) -> None:
    """Load a system with the options of the command line, then process recordings until EOF.

    Args:
        load: takes `threads`, and each of `options` by name, None if not given.
        options: further command-line options.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, required=True)
    for option in options:
        parser.add_argument(f"--{option}")
    given = vars(parser.parse_args())
    # libraries print too, some from C: their output goes to standard error
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as output:
        os.dup2(2, 1)
        engine = load(**given)
        about = {"python": platform.python_version(), "packages": _packages()}
        _write(output.write, {**about, "settings": engine.settings})
        output.flush()
        for line in sys.stdin:
            _write(output.write, _diarized(engine, json.loads(line)))
            output.flush()


def _diarized(engine: Engine, task: dict[str, str]) -> dict[str, object]:
    started = perf_counter()
    try:
        turns = engine.diarize(task["audio"])
    except Exception as error:  # noqa: BLE001 - the other recordings follow in any case
        return {"uri": task["uri"], "error": f"{type(error).__name__}: {error}"}
    seconds = perf_counter() - started
    return {"uri": task["uri"], "seconds": seconds, "turns": [list(turn) for turn in turns]}


def _packages() -> dict[str, str]:
    # normalized names: a package may write its own with '_' or '-'
    return {
        re.sub(r"[-_.]+", "-", each.metadata["Name"]).lower(): each.version
        for each in distributions()
    }


def _write(write: Callable[[str], object], message: dict[str, object]) -> None:
    write(json.dumps(message) + "\n")
