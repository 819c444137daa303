"""Synthetic voices, exemplars and results."""

import numpy as np
from numpy.typing import NDArray

from hocket.result import EmbeddingModel, Result
from hocket.speakers import Exemplar
from hocket.turns import Turn

DIMENSION = 16
MODEL = EmbeddingModel("synthetic", "a" * 64, DIMENSION, 0.4, 0.6, 0.5, (6.0, -14.0, 6.0))
OTHER = EmbeddingModel("another", "b" * 64, DIMENSION, 0.4, 0.6, 0.5, (6.0, -14.0, 6.0))


def axis(number: int) -> NDArray[np.float32]:
    """A voice at distance 1 from those of other numbers."""
    return np.eye(DIMENSION, dtype=np.float32)[number]


def between(one: int, other: int, cosine: float) -> NDArray[np.float32]:
    """A voice with this cosine to voice `one`, in the plane of both."""
    rest = np.sqrt(1 - cosine**2)
    return (cosine * axis(one) + rest * axis(other)).astype(np.float32)


def noisy(number: int, seed: int, spread: float = 0.1) -> NDArray[np.float32]:
    """A voice with the noise of one recording."""
    noise = np.random.default_rng(seed).normal(size=DIMENSION) * spread
    return (axis(number) + noise).astype(np.float32)


def exemplar(
    embedding: NDArray[np.float32], seconds: float = 5.0, source: str = "clip.wav"
) -> Exemplar:
    return Exemplar(embedding, seconds, source, 1.0, 1.0 + seconds, consent="asked on paper")


def result_of(
    embeddings: list[NDArray[np.float32]],
    seconds: float | list[float] = 10.0,
    model: EmbeddingModel | None = MODEL,
) -> Result:
    """A result in which clusters with these embeddings speak in turn."""
    lengths = [seconds] * len(embeddings) if isinstance(seconds, float) else seconds
    names = tuple(f"SPEAKER_{index:02d}" for index in range(len(embeddings)))
    turns, start = [], 0.0
    for name, length in zip(names, lengths, strict=True):
        turns.append(Turn(start, start + length, name))
        start += length
    return Result(
        uri="talk",
        turns=tuple(turns),
        exclusive_turns=tuple(turns),
        speakers=names,
        embeddings=np.array(embeddings, np.float32).reshape(-1, DIMENSION),
        duration=start,
        seconds={},
        embedding_model=model,
    )


def wave(number: int, dimension: int = 256) -> NDArray[np.float32]:
    """Pattern `number` of FluidAudio's tests.

    The distance of two patterns depends on the difference of their numbers: 1 and 2 are opposite,
    10 and 20 are 0.14 apart.
    """
    positions = np.arange(dimension) + 100 * number
    return np.sin(0.1 * positions).astype(np.float32)
