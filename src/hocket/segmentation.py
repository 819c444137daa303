"""Windows to probabilities: who of up to three local speakers speaks, and how many people do."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hocket.arrays import Occupancy, SlotActivity
from hocket.geometry import Geometry
from hocket.graph import Graph
from hocket.powerset import occupancy, slot_activity
from hocket.windows import SlicedWindows


class Segmentation(NamedTuple):
    """What the windows say.

    first_frames: (windows,) first frame of every window on the recording's frame grid.
    activity: (windows, frames, slots).
    occupancy: (frames of the recording, 3), the mean over the windows.
    """

    first_frames: NDArray[np.int64]
    activity: SlotActivity
    occupancy: Occupancy


def segment(
    windows: SlicedWindows,
    graph: Graph,
    geometry: Geometry,
    batch_windows: int,
    advance: Callable[[int], None],
) -> Segmentation:
    """Run the segmentation graph over all windows.

    Probabilities are kept, not each window's decision: where windows disagree, the mean of what
    they believe is right more often than the majority (docs/decisions/006-probabilities.md).

    Args:
        windows: windows of the recording.
        graph: `segmentation`.
        geometry: the graph's frame grid.
        batch_windows: windows per call.
        advance: called after each call with the number of windows done in it.
    """
    starts, length = windows.first_frames, geometry.window_frames
    total = int(starts[-1]) + length if len(starts) else 0
    activity = np.empty((len(windows), length, geometry.slots), np.float16)
    people = np.zeros((total, 3), np.float32)
    heard = np.zeros((total, 1), np.float32)
    done = 0
    for batch in windows.batches(batch_windows):
        log_probs = graph.run({"waveform": batch[:, None]})["log_probs"]
        last = done + len(batch)
        activity[done:last] = slot_activity(log_probs)
        for first, share in zip(starts[done:last], occupancy(log_probs), strict=True):
            people[first : first + length] += share
            heard[first : first + length] += 1
        done = last
        advance(len(batch))
    activity[-1:, windows.heard_frames :] = 0  # padding is nobody's voice
    people[total - length + windows.heard_frames :] = (1, 0, 0)
    people /= np.maximum(heard, 1)
    return Segmentation(starts, activity, people)
