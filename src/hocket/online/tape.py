"""All samples of a stream, kept on disk so that they can be processed again."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from hocket.arrays import Waveform
from hocket.errors import OutputError


class Tape:
    """All samples of a stream, in an anonymous temporary file that ends with the process."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(prefix="hocket-")  # noqa: SIM115 - closed by `close`
        self._problem: OSError | None = None

    def write(self, block: Waveform) -> None:
        """Append (samples,). After a failed write, nothing more is kept."""
        try:
            if self._problem is None:
                self._file.write(block.data)
        except OSError as error:  # the stream continues; only refining is lost
            self._problem = error

    @contextmanager
    def samples(self) -> Iterator[Waveform]:
        """All samples, (samples,), read from disk as they are needed.

        Raises:
            OutputError: the samples could not be written.
        """
        if self._problem is None:
            try:
                self._file.flush()
            except OSError as error:
                self._problem = error
        if self._problem is not None:
            where = tempfile.gettempdir()
            raise OutputError(
                f"{where}: the audio could not be kept there ({self._problem}); "
                "make room, or name another folder in TMPDIR"
            )
        is_empty = not self._file.tell()
        nothing: Waveform = np.zeros(0, np.float32)
        yield nothing if is_empty else np.memmap(self._file, np.float32, mode="c")

    def close(self) -> None:
        """Delete the samples."""
        self._file.close()
