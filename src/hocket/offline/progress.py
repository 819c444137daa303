"""How far each stage of a recording has come."""

from collections.abc import Callable

ProgressCallback = Callable[[str, int, int], None]
"""Called with a stage's name, what is done of it, and how much there is in all, as far as known.

Stages are "segmentation", counted in windows, and "embedding", counted in subsegments. Calls come
from the thread that diarizes.
"""


class Progress:
    """Counts what is done of each stage.

    Args:
        samples: how many the recording is announced to have; None if that is unknown.
        callback: called with every advance.
    """

    def __init__(self, samples: int | None, callback: ProgressCallback | None) -> None:
        self.samples, self._callback = samples, callback
        self._done: dict[str, int] = {}

    def advance(self, stage: str, number: int, total: int) -> None:
        """So many more are done of a stage, of so many in all."""
        self._done[stage] = self._done.get(stage, 0) + number
        if self._callback:
            self._callback(stage, self._done[stage], max(total, self._done[stage]))
