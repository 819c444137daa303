"""The benchmark's side of bench/systems/protocol.py: one system in a process of its own."""

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from types import TracebackType
from typing import Any, Self

from bench.annotations import Turn
from bench.errors import BenchError
from bench.process import JsonProcess, UnusableOutputError

# they would override the number of threads that every system is given
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@dataclass(frozen=True)
class SystemInfo:
    """Versions and settings of a system, and the seconds from its start until it was ready."""

    python: str
    packages: dict[str, str]
    settings: dict[str, object]
    startup_s: float


@dataclass(frozen=True)
class Outcome:
    """Turns of one recording and the seconds they took, or the reason why there are none."""

    turns: list[Turn] = field(default_factory=list)
    seconds: float | None = None
    failure: str | None = None


class Runner:
    """A running system, which is idle except while it processes a recording."""

    def __init__(self, name: str, command: Sequence[str]) -> None:
        """Start `command` and wait until its models are loaded.

        Raises:
            BenchError: the process ended, or what it wrote is not usable.
        """
        self.name = name
        started = perf_counter()
        self._process = JsonProcess(name, command, _environment())
        try:
            hello = self._process.receive("its start")
            self.info = _info_of(hello, perf_counter() - started)
        except UnusableOutputError as error:
            self.close()
            raise BenchError(f"{name}: {error} at its start; run it by hand") from error
        except BenchError:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def diarize(self, uri: str, audio: Path) -> Outcome:
        """Diarize one recording.

        Raises:
            BenchError: the system ended, or what it wrote is not usable.
        """
        self._process.send({"uri": uri, "audio": str(audio)})
        try:
            return _outcome(self._process.receive(uri), uri, audio)
        except UnusableOutputError as error:
            raise BenchError(f"{self.name}: {error} as the result for {uri}") from error

    def close(self) -> None:
        """End the process."""
        self._process.close()


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in THREAD_VARIABLES}


def _info_of(hello: dict[str, Any], startup_s: float) -> SystemInfo:
    try:
        return SystemInfo(
            python=str(hello["python"]),
            packages=dict(hello["packages"]),
            settings=dict(hello["settings"]),
            startup_s=startup_s,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise UnusableOutputError("found no python, packages and settings") from error


def _outcome(message: dict[str, Any], uri: str, audio: Path) -> Outcome:
    if message.get("uri") != uri:
        raise UnusableOutputError(f"found one for '{message.get('uri')}'")
    if "error" in message:
        # one line, without the path of the audio on this machine
        words = str(message["error"]).replace(str(audio), uri).split()
        return Outcome(failure=" ".join(words) or "no reason given")
    try:
        turns = [Turn(_time(start), _time(end), str(who)) for start, end, who in message["turns"]]
        seconds = _time(message["seconds"])
    except (KeyError, TypeError, ValueError) as error:
        raise UnusableOutputError("found no seconds and [start, end, speaker]") from error
    if any(turn.end < turn.start for turn in turns):
        raise UnusableOutputError("found a turn that ends before it starts")
    # turns of no duration are dropped, as from an RTTM file
    return Outcome([turn for turn in turns if turn.end > turn.start], seconds)


def _time(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise ValueError(value)
    return float(value)
