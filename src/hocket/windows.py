"""Waveform to overlapping windows: a strided view of the samples, only the last window a copy."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from hocket.arrays import Waveform, Windows
from hocket.errors import ConfigError
from hocket.geometry import Geometry


@dataclass(frozen=True)
class SlicedWindows:
    """Windows of one recording, in order of time.

    regular: (windows, samples) view of the waveform, one window every step.
    tail: (0 or 1, samples) the window that reaches the end of the recording, zero padded.
    first_frames: (windows,) index of every window's first frame on the recording's frame grid.
    heard_frames: frames of the last window that end within the recording.
    """

    regular: Windows
    tail: Windows
    first_frames: NDArray[np.int64]
    heard_frames: int

    def __len__(self) -> int:
        return len(self.regular) + len(self.tail)

    def batches(self, size: int) -> Iterator[Windows]:
        """The windows in order, at most `size` at a time."""
        for part in (self.regular, self.tail):
            for first in range(0, len(part), size):
                yield part[first : first + size]


def slice_windows(waveform: Waveform, geometry: Geometry, step_s: float) -> SlicedWindows:
    """Cut a waveform into windows whose frames fall on one grid.

    The step is rounded to whole frames, so that frame i of a window starting at frame s is frame
    s + i of the recording. The tail starts on the first frame from which a window reaches the last
    sample, so it holds less than a frame of padding unless the recording is shorter than a window.

    Raises:
        ConfigError: the step is longer than a window, which would leave samples unheard.
    """
    length = geometry.window_samples
    step = max(1, geometry.frames_of(step_s)) * geometry.frame_step
    if step > length:
        longest = geometry.seconds_of(length // geometry.frame_step * geometry.frame_step)
        raise ConfigError(f"step_s is {step_s}; give at most {longest:.2f}, one window")
    if len(waveform) < length:
        regular = np.empty((0, length), np.float32)
    else:
        regular = sliding_window_view(waveform, length)[::step]
    starts = [index * step for index in range(len(regular))]
    tail = np.empty((0, length), np.float32)
    reached = starts[-1] + length if starts else 0
    if reached < len(waveform):
        missing = max(0, len(waveform) - length)
        tail_start = -(-missing // geometry.frame_step) * geometry.frame_step
        rest = waveform[tail_start:]
        tail = np.pad(rest, (0, length - len(rest)))[None]
        starts.append(tail_start)
    first_frames = np.asarray(starts, np.int64) // geometry.frame_step
    last = int(first_frames[-1]) if len(first_frames) else 0
    heard = (len(waveform) - geometry.frame_start(last)) // geometry.frame_step
    heard = min(max(heard, 0), geometry.window_frames)
    return SlicedWindows(regular, tail, first_frames, heard)
