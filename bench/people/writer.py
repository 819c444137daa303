"""A process that enrolls speakers, and prints the name of each once it is in the store."""

import sys
from pathlib import Path

import numpy as np

from hocket import SpeakerStore
from hocket.result import EmbeddingModel
from hocket.speakers import Exemplar

DIMENSION = 192
EXEMPLARS = 3
WAIT_S = 60.0
MODEL = EmbeddingModel("random", "0" * 64, DIMENSION, 0.45, 0.55, 0.57, (0.0, 0.0, 0.0))


def random_exemplars(number: int, rng: np.random.Generator) -> list[Exemplar]:
    """Exemplars with random embeddings."""
    vectors = rng.standard_normal((number, DIMENSION)).astype(np.float32)
    return [Exemplar(vector, 5.0, "random.flac", 0.0, 5.0) for vector in vectors]


def enroll_many(path: Path, name: str, number: int) -> None:
    """Enroll `name-0`, `name-1`, …, and print each name."""
    rng = np.random.default_rng()
    with SpeakerStore(path, timeout_s=WAIT_S) as store:
        for index in range(number):
            speaker = store.enroll(f"{name}-{index}", random_exemplars(EXEMPLARS, rng), MODEL)
            print(speaker.name, flush=True)


if __name__ == "__main__":
    enroll_many(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
