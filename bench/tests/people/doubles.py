"""A diarizer and an enrollment without networks, for five speakers who speak in turn."""

from typing import Any

import numpy as np

from bench.annotations import Turn
from bench.people.mixing import Conversation
from bench.people.voices import RATE
from hocket.errors import AudioVoiceError
from hocket.speakers.enroll import Enrollment
from tests.helpers.voice_vectors import MODEL, axis, exemplar, result_of

SPEAKERS = ("anna", "ben", "cleo", "dora", "emil")
TURNS = [Turn(10.0 * index, 10.0 * (index + 1), name) for index, name in enumerate(SPEAKERS)]
CONVERSATION = Conversation(np.zeros(50 * RATE, np.float32), TURNS)
SOUNDS = {name: np.full(5, index, np.float32) for index, name in enumerate(SPEAKERS)}
FEW = {f"other{index}": np.full(5, 8 + index, np.float32) for index in range(3)}

EMIL = 0.5 * axis(4) + 0.5 * axis(8) + np.float32(0.5**0.5) * axis(12)
"""0.5 from the voice that he was enrolled with, and from that of other0."""


class FakeDiarizer:
    """Finds the five speakers; the last one sounds different than when enrolled."""

    embedding_model = MODEL

    def __init__(self, *_: object, **__: object) -> None:
        pass

    def load(self) -> "FakeDiarizer":
        return self

    def __call__(self, sound: Any, *, sample_rate: int, name: str) -> Any:
        assert sample_rate == RATE
        return result_of([axis(0), axis(1), axis(2), axis(3), EMIL])


def fake_voice(sound: Any, *_: Any, **named: Any) -> Enrollment:
    """The voice with the number that the sound holds; 9 is refused."""
    number = round(float(sound[-1]))
    if number == 9:
        raise AudioVoiceError(named["name"], "nobody speaks in it", "give another")
    return Enrollment((exemplar(axis(number)),), MODEL)
