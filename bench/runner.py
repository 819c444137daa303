"""The benchmark's end of bench/systems/protocol.py: one system in a process of its own."""

import json
import math
import os
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryFile
from time import perf_counter
from types import TracebackType
from typing import Any, Self

from bench.annotations import Turn
from bench.environment import REPOSITORY
from bench.errors import BenchError

# What would set a number of threads behind the back of the one every system is told.
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
PATIENCE_S = 10.0  # for a runner that was told to end


@dataclass(frozen=True)
class About:
    """What a system says of itself, and how long it took from its start to say it."""

    python: str
    packages: dict[str, str]
    settings: dict[str, object]
    startup_s: float


@dataclass(frozen=True)
class Answer:
    """Turns of one recording and the seconds they took; or why there are none."""

    turns: list[Turn] = field(default_factory=list)
    seconds: float | None = None
    failure: str | None = None


class Runner:
    """A running system, which works only while it is asked something."""

    def __init__(self, name: str, command: Sequence[str]) -> None:
        """Start `command` and wait until its models are loaded.

        Raises:
            BenchError: it ends, or says something else.
        """
        self.name = name
        self._errors = TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115
        started = perf_counter()
        try:
            self._process = subprocess.Popen(
                command,
                cwd=REPOSITORY,
                env=_environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                text=True,
                encoding="utf-8",
                errors="replace",
            )
        except OSError as error:
            self._errors.close()
            raise BenchError(f"{name}: cannot be started ({error.strerror})") from error
        try:
            hello = self._read("its start")
            self.about = _about(hello, perf_counter() - started)
        except _UnusableError as error:
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

    def ask(self, uri: str, audio: Path) -> Answer:
        """Turns of one recording, or the system's own word why it has none.

        Raises:
            BenchError: the system ends, or its answer is none.
        """
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # it has ended then; reading says how
            self._process.stdin.write(json.dumps({"uri": uri, "audio": str(audio)}) + "\n")
            self._process.stdin.flush()
        try:
            return _answer(self._read(uri), uri, audio)
        except _UnusableError as error:
            raise BenchError(f"{self.name}: {error} as its answer for {uri}") from error

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        self._errors.close()

    def _read(self, about: str) -> dict[str, Any]:
        """The next line; BenchError with the last words of a process that has ended."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            status = self._process.wait()
            self._errors.seek(0)
            words = [text.strip() for text in self._errors if text.strip()]
            reason = words[-1] if words else "it says nothing"
            raise BenchError(f"{self.name}: ended with status {status} at {about} ({reason})")
        try:
            message = json.loads(line)
        except ValueError:
            message = None
        if not isinstance(message, dict):
            raise _UnusableError(f"found '{line.strip()[:60]}'")
        return message


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in THREAD_VARIABLES}


class _UnusableError(Exception):
    """What a system wrote is not what it was asked for."""


def _about(hello: dict[str, Any], startup_s: float) -> About:
    try:
        return About(
            python=str(hello["python"]),
            packages=dict(hello["packages"]),
            settings=dict(hello["settings"]),
            startup_s=startup_s,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise _UnusableError("found no python, packages and settings") from error


def _answer(message: dict[str, Any], uri: str, audio: Path) -> Answer:
    if message.get("uri") != uri:
        raise _UnusableError(f"found one for '{message.get('uri')}'")
    if "error" in message:
        # One line, and nothing of where the audio lies on this machine.
        words = str(message["error"]).replace(str(audio), uri).split()
        return Answer(failure=" ".join(words) or "no reason given")
    try:
        turns = [Turn(_time(start), _time(end), str(who)) for start, end, who in message["turns"]]
        seconds = _time(message["seconds"])
    except (KeyError, TypeError, ValueError) as error:
        raise _UnusableError("found no seconds and [start, end, speaker]") from error
    if any(turn.end < turn.start for turn in turns):
        raise _UnusableError("found a turn that ends before it starts")
    # As in an RTTM file: a turn of no duration is none.
    return Answer([turn for turn in turns if turn.end > turn.start], seconds)


def _time(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise ValueError(value)
    return float(value)
