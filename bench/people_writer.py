"""A process that enrols people and says the name of each once it is in the store."""

import sys
from pathlib import Path

import numpy as np

from bench.clustering import DIMENSION
from hocket import SpeakerStore
from hocket.result import EmbeddingModel
from hocket.speakers import Exemplar

EXEMPLARS = 3
WAIT_S = 60.0
MADE_UP = EmbeddingModel("made-up", "0" * 64, DIMENSION, 0.45, 0.55, 0.57, (0.0, 0.0, 0.0))


def made_up(number: int, rng: np.random.Generator) -> list[Exemplar]:
    """So many exemplars of nobody's voice."""
    vectors = rng.standard_normal((number, DIMENSION)).astype(np.float32)
    return [Exemplar(vector, 5.0, "made-up.flac", 0.0, 5.0) for vector in vectors]


def enrol_many(path: Path, name: str, number: int) -> None:
    """Enrol `name-0`, `name-1`, …; a line on standard output for each."""
    rng = np.random.default_rng()
    with SpeakerStore(path, timeout_s=WAIT_S) as store:
        for index in range(number):
            speaker = store.enroll(f"{name}-{index}", made_up(EXEMPLARS, rng), MADE_UP)
            print(speaker.name, flush=True)


if __name__ == "__main__":
    enrol_many(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
