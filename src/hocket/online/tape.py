"""All samples of a stream, kept on disk to be processed again."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from hocket.arrays import Waveform
from hocket.errors import OutputError


class Tape:
    """All samples of a stream, in a file without a name that goes with the process."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(prefix="hocket-")  # noqa: SIM115 - closed by `close`
        self._problem: OSError | None = None

    def write(self, block: Waveform) -> None:
        try:
            if self._problem is None:
                self._file.write(block.data)
        except OSError as error:  # the stream goes on; only refining is lost
            self._problem = error

    @contextmanager
    def samples(self) -> Iterator[Waveform]:
        """All of them, read from the disk as they are needed."""
        if self._problem is None:
            try:
                self._file.flush()
            except OSError as error:
                self._problem = error
        if self._problem is not None:
            where = tempfile.gettempdir()
            raise OutputError(
                f"{where}: the sound could not be kept there ({self._problem}); "
                "make room, or name another folder in TMPDIR"
            )
        empty = not self._file.tell()
        whole: Waveform = np.zeros(0, np.float32)
        yield whole if empty else np.memmap(self._file, np.float32, mode="c")

    def close(self) -> None:
        self._file.close()
