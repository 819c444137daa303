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
        part: number of the part of the work, from 1, and how many parts of about one size it has.
    """

    def __init__(
        self,
        samples: int | None,
        callback: ProgressCallback | None,
        part: tuple[int, int] = (1, 1),
    ) -> None:
        self.samples, self._callback, self._part = samples, callback, part
        self._done: dict[str, int] = {}

    def advance(self, stage: str, number: int, total: int) -> None:
        """So many more are done of a stage, of so many in all."""
        self._done[stage] = self._done.get(stage, 0) + number
        if self._callback:
            most, (part, parts) = max(total, self._done[stage]), self._part
            self._callback(stage, (part - 1) * most + self._done[stage], parts * most)
