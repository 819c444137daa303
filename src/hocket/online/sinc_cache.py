"""Sinc features of a stream, computed once for overlapping windows.

The sinc filters are a quarter of the segmentation's work, and three quarters of a window were in
the window before. The filters' outputs are max-pooled over three steps, into frames of 30 samples.
Windows begin at such a frame (docs/decisions/019-shared-filters.md).
"""

from collections import deque
from collections.abc import Callable
from functools import partial
from threading import Lock

import numpy as np

from hocket.arrays import SincFeatures
from hocket.audio.buffer import Pieces, SampleBuffer, joined
from hocket.geometry import SincInfo
from hocket.graph import Graph


class SincCache:
    """Computes the sinc features of windows, which must be requested in the order of their ends.

    Args:
        graph: `sinc_peaks`; several threads may call it at once.
    """

    def __init__(self, graph: Graph) -> None:
        self._graph, self._info = graph, SincInfo.from_metadata(graph.metadata)
        self._parts: deque[_Part] = deque()
        self._end = 0

    def of_window(self, start: int, end: int, buffer: SampleBuffer) -> Callable[[], SincFeatures]:
        """A function that computes the features of a window, for use on any thread.

        Args:
            start: first sample of the window in the stream, the start of a pooled sinc frame.
            end: past-the-last sample of the window.
            buffer: holds the window's samples during this call.
        """
        step, field = self._info.step, self._info.field
        first, last = start // step, (end - field) // step + 1
        while self._parts and self._parts[0].last <= first:
            self._parts.popleft()
        begin = max(first, self._end)
        if last > begin:
            sound = buffer.pieces(begin * step, end)
            self._parts.append(_Part(self._graph, begin, last, sound))
            self._end = last
        return partial(_from_frame, first, tuple(self._parts))


class _Part:
    """Pooled sinc frames `first` to `last`; the first thread to need them runs the graph."""

    def __init__(self, graph: Graph, first: int, last: int, sound: Pieces) -> None:
        self.first, self.last = first, last
        self._graph, self._sound = graph, sound
        self._features: SincFeatures | None = None
        self._running = Lock()

    def features(self) -> SincFeatures:
        with self._running:
            if self._features is None:
                waveform = joined(self._sound)[0][None, None]
                self._features = self._graph.run({"waveform": waveform})["peaks"]
                self._sound = []
            return self._features


def _from_frame(first: int, parts: tuple[_Part, ...]) -> SincFeatures:
    columns = [part.features()[..., max(0, first - part.first) :] for part in parts]
    found: SincFeatures = np.concatenate(columns, axis=-1)
    return found
