"""Windows to masks: who of up to three local speakers is active in each frame."""

from collections.abc import Callable

import numpy as np

from hocket.arrays import Masks
from hocket.geometry import Geometry
from hocket.graph import Graph
from hocket.windows import SlicedWindows


def segment(
    windows: SlicedWindows,
    graph: Graph,
    geometry: Geometry,
    batch_windows: int,
    advance: Callable[[int], None],
) -> Masks:
    """Run the segmentation graph over all windows.

    Args:
        windows: windows of the recording.
        graph: `segmentation_masks`.
        geometry: the graph's frame grid.
        batch_windows: windows per call.
        advance: called after each call with the number of windows done in it.

    Returns:
        (windows, frames, slots).
    """
    masks = np.empty((len(windows), geometry.window_frames, geometry.slots), np.uint8)
    done = 0
    for batch in windows.batches(batch_windows):
        masks[done : done + len(batch)] = graph.run({"waveform": batch[:, None]})["masks"]
        done += len(batch)
        advance(len(batch))
    masks[-1:, windows.heard_frames :] = 0  # padding is nobody's voice
    return masks
