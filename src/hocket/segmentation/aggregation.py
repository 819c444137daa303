"""Windows to frame probabilities: slot activity, and how many speakers speak in each frame."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hocket.arrays import LogProbs, Occupancy, SlotActivity
from hocket.geometry import Geometry
from hocket.segmentation.powerset import occupancy, slot_activity
from hocket.segmentation.regions import SpeakerChange, speaker_changes
from hocket.segmentation.windows import LEAST_WEIGHT, FrameSums, edge_weights


class Segmentation(NamedTuple):
    """Segmentation of a recording.

    first_frames: (windows,) first frame of every window on the recording's frame grid.
    activity: (windows, frames, slots).
    occupancy: (frames of the recording, 3), weighted mean over the windows.
    """

    first_frames: NDArray[np.int64]
    activity: SlotActivity
    occupancy: Occupancy


class SegmentationSums:
    """Adds up windows as they arrive, and returns frames once no later window changes them.

    Probabilities are added up, not each window's decisions: where windows disagree, their mean
    probability is right more often than a majority vote (docs/decisions/006-probabilities.md).

    Args:
        geometry: the graph's frame grid.
        reach: frames on either side of an edge that are compared to detect a speaker change.
        ramp: frames at the ends of a window that weigh less.
    """

    def __init__(self, geometry: Geometry, reach: int, ramp: int) -> None:
        self._geometry, self._reach = geometry, reach
        self._weights = edge_weights(geometry.window_frames, ramp)[:, None]
        self._first_frames: list[int] = []
        self._activity: list[SlotActivity] = []
        self._occupancy = FrameSums(4, np.float32)  # last column: weight of the windows
        self._changes = FrameSums(2, np.float64)
        self._settled: list[Occupancy] = []

    def add(self, first_frame: int, log_probs: LogProbs, covered: int) -> None:
        """Add a window.

        Args:
            first_frame: on the recording's frame grid, later than that of all windows before.
            log_probs: (1, frames, 7).
            covered: frames that lie within the recording. The rest is padding, where no speaker
                speaks.
        """
        activity = slot_activity(log_probs)[0].astype(np.float16)
        weighted = np.ones((len(activity), 4), np.float32)
        weighted[:, :3] = occupancy(log_probs)[0]
        activity[covered:], weighted[covered:] = 0, (1, 0, 0, 1)
        self._first_frames.append(first_frame)
        self._activity.append(activity)
        self._occupancy.add(first_frame, weighted * self._weights)
        self._changes.add(first_frame, speaker_changes(activity, self._reach))

    def settle(self, end: int) -> tuple[Occupancy, SpeakerChange]:
        """Means over the windows, for the frames before `end` that were not returned yet.

        Args:
            end: frame; no later window starts before it.

        Returns:
            Occupancy (frames, 3) and probability of a speaker change (frames,).
        """
        sums, changes = self._occupancy.settle(end), self._changes.settle(end)
        settled = sums[:, :3] / np.maximum(sums[:, 3:], LEAST_WEIGHT)
        self._settled.append(settled)
        return settled, changes[:, 0] / np.maximum(changes[:, 1], 1e-9)

    def result(self) -> Segmentation:
        """The segmentation of the whole recording; call it once every frame is settled."""
        shape = (0, self._geometry.window_frames, self._geometry.slots)
        return Segmentation(
            np.array(self._first_frames, np.int64),
            np.stack(self._activity) if self._activity else np.zeros(shape, np.float16),
            np.concatenate(self._settled or [np.zeros((0, 3), np.float32)]),
        )
