"""What commands share that work on sound while it is recorded: sources, and signals."""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any, Self, TypeVar

from hocket.audio.sources import Source, open_file, open_input, open_microphone
from hocket.cli.options import STDIN
from hocket.notices import Notices

Item = TypeVar("Item")


def open_source(
    file: str, mic: bool, rate: int, channels: int, form: str, notices: Notices
) -> AbstractContextManager[Source]:
    """A file, standard input or the microphone, to be read while it is recorded."""
    if mic:
        return open_microphone(rate)
    if file == STDIN:
        return open_input(sys.stdin.buffer, form, rate, channels, notices)
    return open_file(file, notices)


class Signals:
    """Signals that ask a process to end. What was read before one is still diarized.

    code: exit code, as a shell has it; 0 if there was no signal.
    """

    def __init__(self) -> None:
        self.code = 0
        self._waiting = False
        self._before: list[tuple[int, Any]] = []

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():  # no other gets signals
            names = ("SIGINT", "SIGTERM", "SIGHUP")
            numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
            self._before = [(number, signal.signal(number, self._end)) for number in numbers]
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before:
            signal.signal(number, handler)

    def _end(self, number: int, _frame: object) -> None:
        self.code = 128 + number
        if self._waiting:
            raise _EndedError

    def until_one(self, blocks: Iterator[Item]) -> Iterator[Item]:
        """The blocks, until a signal comes, also while the next one is waited for."""
        while not self.code:
            self._waiting = True
            try:
                block = next(blocks, None)
            except _EndedError:
                return
            finally:
                self._waiting = False
            if block is None:
                return
            yield block


class _EndedError(BaseException):
    """A signal came while sound was waited for."""
