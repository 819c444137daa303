"""What every system's script does: say what runs, then answer one recording after the other.

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
    """A loaded system: turns of one WAV file, and the settings that are worth a record."""

    diarize: Callable[[str], Turns]
    settings: dict[str, object] = field(default_factory=dict)


def serve(load: Callable[..., Engine], *options: str) -> None:
    """Load a system with the words of the command line, then answer until the input ends.

    Args:
        load: takes `threads`, and each of `options` by name, None where it was not given.
        options: what the system can be told besides.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, required=True)
    for option in options:
        parser.add_argument(f"--{option}")
    told = vars(parser.parse_args())
    # Libraries print too, some from C: theirs goes to the errors, the answers stay clean.
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as answers:
        os.dup2(2, 1)
        engine = load(**told)
        about = {"python": platform.python_version(), "packages": _packages()}
        _write(answers.write, {**about, "settings": engine.settings})
        answers.flush()
        for line in sys.stdin:
            _write(answers.write, _answer(engine, json.loads(line)))
            answers.flush()


def _answer(engine: Engine, task: dict[str, str]) -> dict[str, object]:
    started = perf_counter()
    try:
        turns = engine.diarize(task["audio"])
    except Exception as error:  # noqa: BLE001 - whatever it is, the other recordings go on
        return {"uri": task["uri"], "error": f"{type(error).__name__}: {error}"}
    seconds = perf_counter() - started
    return {"uri": task["uri"], "seconds": seconds, "turns": [list(turn) for turn in turns]}


def _packages() -> dict[str, str]:
    # Spelt in one way: a package may write its own name with '_' or '-'.
    return {
        re.sub(r"[-_.]+", "-", each.metadata["Name"]).lower(): each.version
        for each in distributions()
    }


def _write(write: Callable[[str], object], message: dict[str, object]) -> None:
    write(json.dumps(message) + "\n")
