"""The waveform as it is drawn: the lowest and highest sample of each stretch, in bounded memory."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hocket.arrays import Waveform

MOST = 2400
"""Most stretches: two for each pixel of a wide page. Even, so that they can be joined in pairs."""
FIRST_SAMPLES = 64
"""Samples of a stretch at first; twice as many whenever there are MOST stretches."""

Peaks = NDArray[np.float32]  # (stretches, 2): lowest and highest sample


class PeakMeter:
    """Lowest and highest samples of stretches of equal length, whatever blocks they come in."""

    def __init__(self) -> None:
        self.samples = 0
        self._step = FIRST_SAMPLES
        self._count = 0
        self._found = np.zeros((MOST, 2), np.float32)
        self._rest: Waveform = np.zeros(0, np.float32)

    def add(self, block: Waveform) -> None:
        """Measure a block of samples that follows those before."""
        self.samples += len(block)
        pending = np.concatenate([self._rest, block]) if len(self._rest) else block
        first = 0
        while len(pending) - first >= self._step:
            number = min((len(pending) - first) // self._step, MOST - self._count)
            last = first + number * self._step
            self._keep(pending[first:last].reshape(number, self._step))
            first = last
        self._rest = pending[first:].copy()

    def peaks(self) -> Peaks:
        """What was measured so far, (stretches, 2); the last stretch may be shorter."""
        whole = self._found[: self._count]
        if not len(self._rest):
            return whole.copy()
        return np.concatenate([whole, [[self._rest.min(), self._rest.max()]]], dtype=np.float32)

    def stretches(self) -> float:
        """Number of stretches so far, of which the last one may be a fraction."""
        return self.samples / self._step

    def _keep(self, rows: NDArray[np.float32]) -> None:
        place = slice(self._count, self._count + len(rows))
        self._found[place] = np.stack([rows.min(axis=1), rows.max(axis=1)], axis=1)
        self._count += len(rows)
        if self._count == MOST:
            pairs = self._found.reshape(-1, 2, 2)
            self._count = MOST // 2
            self._found[: self._count, 0] = pairs[:, :, 0].min(axis=1)
            self._found[: self._count, 1] = pairs[:, :, 1].max(axis=1)
            self._step *= 2


def outline(peaks: Peaks, height: int) -> Sequence[tuple[int, int]]:
    """Lowest and highest samples as whole numbers, scaled so that the loudest is `height`."""
    loudest = float(np.abs(peaks).max(initial=0.0))
    scaled = np.rint(peaks * (height / loudest if loudest else 0.0)).astype(int)
    return [(int(low), int(high)) for low, high in scaled]
