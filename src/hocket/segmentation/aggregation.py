"""Windows to probabilities: who of up to three local speakers speaks, and how many people do."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hocket.arrays import LogProbs, Occupancy, SlotActivity
from hocket.geometry import Geometry
from hocket.segmentation.powerset import occupancy, slot_activity
from hocket.segmentation.regions import SpeakerChange, speaker_changes
from hocket.segmentation.windows import LEAST_WEIGHT, FrameSums, edge_weights


class Segmentation(NamedTuple):
    """What the windows say.

    first_frames: (windows,) first frame of every window on the recording's frame grid.
    activity: (windows, frames, slots).
    occupancy: (frames of the recording, 3), the mean over the windows.
    """

    first_frames: NDArray[np.int64]
    activity: SlotActivity
    occupancy: Occupancy


class SegmentationSums:
    """What windows say, added up as they come, and handed out once no later window changes it.

    Probabilities are kept, not each window's decision: where windows disagree, the mean of what
    they believe is right more often than the majority (docs/decisions/006-probabilities.md).

    Args:
        geometry: the graph's frame grid.
        reach: frames on either side of an edge that tell a takeover.
        ramp: frames at the ends of a window that count less.
    """

    def __init__(self, geometry: Geometry, reach: int, ramp: int) -> None:
        self._geometry, self._reach = geometry, reach
        self._weights = edge_weights(geometry.window_frames, ramp)[:, None]
        self._first_frames: list[int] = []
        self._activity: list[SlotActivity] = []
        self._people = FrameSums(4, np.float32)  # occupancy, and the weight of windows
        self._edges = FrameSums(2, np.float64)
        self._settled: list[Occupancy] = []

    def add(self, first_frame: int, log_probs: LogProbs, heard: int) -> None:
        """Add a window.

        Args:
            first_frame: on the recording's grid, later than any before.
            log_probs: (1, frames, 7).
            heard: frames that lie within the recording; padding is nobody's voice.
        """
        activity = slot_activity(log_probs)[0].astype(np.float16)
        people = np.ones((len(activity), 4), np.float32)
        people[:, :3] = occupancy(log_probs)[0]
        activity[heard:], people[heard:] = 0, (1, 0, 0, 1)
        self._first_frames.append(first_frame)
        self._activity.append(activity)
        self._people.add(first_frame, people * self._weights)
        self._edges.add(first_frame, speaker_changes(activity, self._reach))

    def settle(self, end: int) -> tuple[Occupancy, SpeakerChange]:
        """Means over the windows for the frames up to `end` that were not handed out before.

        Args:
            end: no window to come starts before this frame.

        Returns:
            occupancy (frames, 3) and takeover (frames,).
        """
        people, edges = self._people.settle(end), self._edges.settle(end)
        occupied = people[:, :3] / np.maximum(people[:, 3:], LEAST_WEIGHT)
        self._settled.append(occupied)
        return occupied, edges[:, 0] / np.maximum(edges[:, 1], 1e-9)

    def result(self) -> Segmentation:
        """All windows, once everything is settled."""
        shape = (0, self._geometry.window_frames, self._geometry.slots)
        return Segmentation(
            np.array(self._first_frames, np.int64),
            np.stack(self._activity) if self._activity else np.zeros(shape, np.float16),
            np.concatenate(self._settled or [np.zeros((0, 3), np.float32)]),
        )
