"""What the segmentation's sinc filters hear of a stream, found once for all windows that overlap.

The filters are a quarter of the segmentation, and three of four seconds of a window were in the
window before. A place is three steps of the filters; windows begin where a place does
(docs/decisions/019-shared-filters.md).
"""

from collections import deque
from collections.abc import Callable
from functools import partial
from threading import Lock

import numpy as np

from hocket.arrays import Peaks
from hocket.audio.buffer import Pieces, SampleBuffer, joined
from hocket.graph import Graph


class SharedPeaks:
    """Finds the peaks of windows, the later one the further on.

    Args:
        graph: `sinc_peaks`; several threads may call it at once.
    """

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._step, self._field = (
            int(graph.metadata[f"place_{name}"]) for name in ("step", "field")
        )
        self._stretches: deque[_Stretch] = deque()
        self._end = 0

    def of_window(self, start: int, end: int, buffer: SampleBuffer) -> Callable[[], Peaks]:
        """How to have the peaks of a window, on any thread.

        Args:
            start: its first sample in the stream, which a place begins at.
            end: the sample behind its last.
            buffer: holds the window now.
        """
        first, last = start // self._step, (end - self._field) // self._step + 1
        while self._stretches and self._stretches[0].last <= first:
            self._stretches.popleft()
        begin = max(first, self._end)
        if last > begin:
            sound = buffer.pieces(begin * self._step, end)
            self._stretches.append(_Stretch(self._graph, begin, last, sound))
            self._end = last
        return partial(_peaks_from, first, tuple(self._stretches))


class _Stretch:
    """Places `first` to `last` of a stream; whoever asks first has their peaks found."""

    def __init__(self, graph: Graph, first: int, last: int, sound: Pieces) -> None:
        self.first, self.last = first, last
        self._graph, self._sound = graph, sound
        self._found: Peaks | None = None
        self._asking = Lock()

    def peaks(self) -> Peaks:
        with self._asking:
            if self._found is None:
                waveform = joined(self._sound)[0][None, None]
                self._found = self._graph.run({"waveform": waveform})["peaks"]
                self._sound = []
            return self._found


def _peaks_from(first: int, stretches: tuple[_Stretch, ...]) -> Peaks:
    parts = [stretch.peaks()[..., max(0, first - stretch.first) :] for stretch in stretches]
    found: Peaks = np.concatenate(parts, axis=-1)
    return found
