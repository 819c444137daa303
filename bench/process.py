"""Processes that exchange JSON: one task and its result, or lines back and forth."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from tempfile import TemporaryFile
from types import TracebackType
from typing import Any, Self

from bench.environment import REPOSITORY
from bench.errors import BenchError

CACHE_VARIABLES = ("XDG_CACHE_HOME", "HOCKET_CACHE")  # folders for compiled graphs
PATIENCE_S = 10.0  # until a process is killed that does not end


def run_module(module: str, task: Mapping[str, Any], cache: str | None = None) -> Any:
    """Run `python -m module` on a task and return its result.

    Args:
        module: reads the task from standard input and writes the result on its last line.
        task: plain values.
        cache: folder for compiled graphs; None: the user's own.

    Raises:
        BenchError: the process failed; the message holds its last line.
    """
    done = subprocess.run(
        [sys.executable, "-m", module],
        cwd=REPOSITORY,
        env=with_cache(cache),
        input=json.dumps(task),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        reason = done.stderr.strip().splitlines()[-1:] or [f"exit status {done.returncode}"]
        raise BenchError(f"the measuring process failed: {reason[0]}")
    return json.loads(done.stdout.splitlines()[-1])


def print_result(result: object) -> None:
    """Write a result on a line of its own, after anything that a library may have printed."""
    sys.stdout.write(f"\n{json.dumps(result)}\n")


def with_cache(cache: str | None) -> dict[str, str]:
    """The environment of this process, with another folder for compiled graphs if one is given."""
    return {**os.environ, **({} if cache is None else dict.fromkeys(CACHE_VARIABLES, cache))}


class UnusableOutputError(Exception):
    """A line that a process wrote does not follow the protocol."""


class JsonProcess:
    """A process that reads and writes one JSON object per line."""

    def __init__(self, name: str, command: Sequence[str], environment: Mapping[str, str]) -> None:
        """Start `command` in the repository; BenchError if that fails. `name` is for messages."""
        self.name = name
        self._errors = TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115
        try:
            self._process = subprocess.Popen(
                command,
                cwd=REPOSITORY,
                env=environment,
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

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def send(self, message: Mapping[str, object]) -> None:
        """Write a line. If the process has ended, `receive` reports how."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps(message) + "\n")
            self._process.stdin.flush()

    def receive(self, task: str) -> dict[str, Any]:
        """Read a line; `task` is what the process is doing, for messages.

        Raises:
            BenchError: the process ended; the message holds its last line on standard error.
            UnusableOutputError: the line is not a JSON object.
        """
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            status = self._process.wait()
            self._errors.seek(0)
            written = [text.strip() for text in self._errors if text.strip()]
            reason = written[-1] if written else "no error message"
            raise BenchError(f"{self.name}: ended with status {status} at {task} ({reason})")
        try:
            message = json.loads(line)
        except ValueError:
            message = None
        if not isinstance(message, dict):
            raise UnusableOutputError(f"found '{line.strip()[:60]}'")
        return message

    def close(self) -> None:
        """End the process, by force if it does not end by itself."""
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
