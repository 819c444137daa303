"""Where windows lie in a recording, and sums over them on its frame grid."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from hocket.errors import ConfigError
from hocket.geometry import Geometry

LEAST_WEIGHT = 0.02
"""Of a frame at the very end of a window; see `edge_weights`."""


@dataclass(frozen=True)
class WindowGrid:
    """Windows that start every `step` samples, a whole number of frames, so that frames align.

    Frame i of a window that starts at frame s is frame s + i of the recording. The last window, the
    tail, starts at the first frame from which a window reaches the last sample. It has less than a
    frame of padding unless the recording is shorter than a window.

    length: samples of a window.
    step: samples from the start of a window to that of the next.
    frame_step: samples from one frame to the next.
    """

    length: int
    step: int
    frame_step: int

    @classmethod
    def of(cls, geometry: Geometry, step_s: float) -> Self:
        """The grid with a window about every `step_s` seconds.

        Raises:
            ConfigError: the step is longer than a window, so that samples would be skipped.
        """
        length = geometry.window_samples
        step = max(1, geometry.frames_of(step_s)) * geometry.frame_step
        if step > length:
            longest = geometry.seconds_of(length // geometry.frame_step * geometry.frame_step)
            raise ConfigError(f"step_s is {step_s}; give at most {longest:.2f}, one window")
        return cls(length, step, geometry.frame_step)

    def whole(self, samples: int) -> int:
        """Number of windows that lie within the first `samples` samples."""
        return max(0, (samples - self.length) // self.step + 1)

    def count(self, samples: int) -> int:
        """Number of windows of a recording of `samples` samples."""
        whole = self.whole(samples)
        reached = (whole - 1) * self.step + self.length if whole else 0
        return whole + (reached < samples)

    def starts(self, samples: int) -> NDArray[np.int64]:
        """First sample of every window of a recording of `samples` samples, (windows,)."""
        starts = np.arange(self.count(samples), dtype=np.int64) * self.step
        if len(starts) > self.whole(samples):
            missing = max(0, samples - self.length)
            starts[-1] = -(-missing // self.frame_step) * self.frame_step
        return starts


def covered_frames(samples: int, start: int, geometry: Geometry) -> int:
    """Number of frames of a window at sample `start` that end within a recording of `samples`."""
    first = geometry.frame_start(start // geometry.frame_step)
    return min(max((samples - first) // geometry.frame_step, 0), geometry.window_frames)


def edge_weights(frames: int, ramp: int) -> NDArray[np.float32]:
    """Weight of a window at each of its frames, (frames,): less within `ramp` frames of its ends.

    There the network lacks half of the context. The weight is never 0, as no other window covers
    the ends of a recording (docs/decisions/012-spans.md).
    """
    frame = np.arange(frames) + 0.5
    rising = np.minimum(frame, frames - frame) / max(ramp, 0.5)
    weights: NDArray[np.float32] = np.clip(rising, LEAST_WEIGHT, 1).astype(np.float32)
    return weights


class FrameSums:
    """Sums over overlapping windows, returned once no later window adds to them.

    Args:
        columns: numbers per frame.
        dtype: of the sums.

    `settled` is the number of frames returned so far.
    """

    def __init__(self, columns: int, dtype: type[np.floating]) -> None:
        self._sums: NDArray[np.floating] = np.zeros((0, columns), dtype)
        self.settled = 0

    def add(self, first: int, values: NDArray[np.floating]) -> None:
        """Add (frames, columns) from frame `first` on; none of these frames may be settled."""
        start = first - self.settled
        missing = start + len(values) - len(self._sums)
        if missing > 0:
            fresh = np.zeros((missing, self._sums.shape[1]), self._sums.dtype)
            self._sums = np.concatenate([self._sums, fresh])
        self._sums[start : start + len(values)] += values

    def settle(self, end: int) -> NDArray[np.floating]:
        """Sums of the frames before `end` that were not returned yet, (frames, columns)."""
        count = end - self.settled
        missing = max(0, count - len(self._sums))
        done = np.pad(self._sums[:count], ((0, missing), (0, 0)))
        self._sums, self.settled = self._sums[count:].copy(), end
        return done
