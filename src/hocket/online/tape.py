"""All samples of a stream, kept on disk so that they can be processed again."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hocket.arrays import Waveform
from hocket.errors import OutputError


class Tape:
    """All samples of a stream, in an anonymous temporary file that ends with the process."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(prefix="hocket-")  # noqa: SIM115 - closed by `close`
        self._problem: OSError | None = None
        self._channels = 1

    def write(self, blocks: Sequence[Waveform]) -> None:
        """Append a block of every channel, (samples,) each. After a failed write, none is kept."""
        self._channels = len(blocks)
        try:
            if self._problem is None:
                whole = blocks[0] if len(blocks) == 1 else np.stack(blocks, axis=1)
                self._file.write(whole.data)
        except OSError as error:  # the stream continues; only refining is lost
            self._problem = error

    @contextmanager
    def samples(self) -> Iterator[NDArray[np.float32]]:
        """All samples, (samples, channels), read from disk as they are needed.

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
        kept: NDArray[Any] = np.zeros(0, np.float32)
        if not is_empty:
            kept = np.memmap(self._file, np.float32, mode="c")
        yield kept.reshape(-1, self._channels)

    def close(self) -> None:
        """Delete the samples."""
        self._file.close()
