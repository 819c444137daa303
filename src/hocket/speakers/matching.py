"""Comparison of voices with known speakers: pure functions of arrays.

The similarity of a voice and a speaker is the mean of two cosines: to the most similar exemplar,
which may share the room and the microphone, and to the mean direction of all exemplars, which a
single outlier hardly moves (docs/decisions/016-speaker-store.md). The distance is 1 minus the
similarity. A voice is near enough if `distance <= threshold`. An embedding without a direction is
infinitely far from every speaker.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hocket.errors import SpeakerError
from hocket.speakers.values import LEAST_LENGTH

Embeddings = NDArray[np.float32]
Distances = NDArray[np.float32]

MOST_MARGIN = 0.5  # the size of larger margins carries little information

_EDGE = 1e-6  # value of a pair whose distance equals the threshold
_TINY = np.float32(1e-6)


class ExemplarIndex(NamedTuple):
    """Exemplars of all speakers that have any, grouped by speaker.

    ids: (speakers,) ascending.
    first: (speakers,) index of each speaker's first exemplar.
    vectors: (exemplars, dimension) unit vectors.
    lengths: (speakers,) length of the sum of each speaker's exemplars.
    """

    ids: NDArray[np.int64]
    first: NDArray[np.int64]
    vectors: Embeddings
    lengths: NDArray[np.float32]


class Pair(NamedTuple):
    """A voice and a speaker, by index."""

    voice: int
    speaker: int


def index_exemplars(owners: NDArray[np.int64], vectors: Embeddings) -> ExemplarIndex:
    """Group exemplars by speaker.

    Args:
        owners: (exemplars,) id of each exemplar's speaker, ascending.
        vectors: (exemplars, dimension) unit vectors.
    """
    first = np.flatnonzero(np.diff(owners, prepend=-1))
    sums = np.add.reduceat(vectors, first) if len(first) else vectors[:0]
    return ExemplarIndex(
        owners[first], first, vectors, np.linalg.norm(sums, axis=1).astype(np.float32)
    )


def distances(embeddings: Embeddings, known: ExemplarIndex) -> Distances:
    """Distances of voices from speakers, (voices, speakers), 0 to 2 or infinite.

    Args:
        embeddings: (voices, dimension), not necessarily unit vectors.
        known: the known speakers.

    Raises:
        SpeakerError: the embeddings have another dimension than the exemplars.
    """
    dimension = known.vectors.shape[1]
    if embeddings.ndim != 2 or (len(known.ids) and embeddings.shape[1] != dimension):
        raise SpeakerError(
            f"embeddings of shape {embeddings.shape}, where the store's have {dimension} numbers; "
            "give embeddings of the store's model"
        )
    if not len(known.ids):
        return np.zeros((len(embeddings), 0), np.float32)
    usable, vectors = directions(embeddings)
    cosines = vectors @ known.vectors.T
    nearest: Distances = np.maximum.reduceat(cosines, known.first, axis=1)
    towards_all: Distances = np.add.reduceat(cosines, known.first, axis=1)
    towards_all /= np.maximum(known.lengths, _TINY)
    found: Distances = np.float32(1) - np.clip((nearest + towards_all) / np.float32(2), -1, 1)
    found[~usable] = np.inf
    return found


def directions(embeddings: Embeddings) -> tuple[NDArray[np.bool_], Embeddings]:
    """Which embeddings have a direction, (voices,), and all as unit vectors, zero without one."""
    numbers = embeddings.astype(np.float64)
    finite = np.isfinite(numbers).all(axis=1)
    numbers[~finite] = 0
    lengths = np.linalg.norm(numbers, axis=1, keepdims=True)
    usable: NDArray[np.bool_] = lengths[:, 0] > LEAST_LENGTH
    numbers[~usable] = 0
    return usable, (numbers / np.maximum(lengths, LEAST_LENGTH)).astype(np.float32)


def margins(found: Distances) -> Distances:
    """How much farther the nearest other speaker is than each speaker, (voices, speakers).

    A margin is negative if another speaker is nearer. Margins are clipped to MOST_MARGIN, which is
    also the margin of an only speaker.
    """
    voices, speakers = found.shape
    if speakers < 2:
        return np.full((voices, speakers), MOST_MARGIN, np.float32)
    nearest, second = np.partition(found, 1, axis=1)[:, :2].T[:, :, None]
    others = np.where(found == nearest, second, nearest)
    with np.errstate(invalid="ignore"):  # infinite distances have no margin
        between: Distances = np.clip(others - found, -MOST_MARGIN, MOST_MARGIN)
    return np.nan_to_num(between)


def margins_to_nearest(found: Distances) -> Distances:
    """As `margins`, but not clipped, and infinite for an only speaker, (voices, speakers)."""
    voices, speakers = found.shape
    if speakers < 2:
        return np.full((voices, speakers), np.inf, np.float32)
    nearest, second = np.partition(found, 1, axis=1)[:, :2].T[:, :, None]
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(found == nearest, second, nearest) - found, np.float32)


def checked_threshold(threshold: float | None, default: float) -> float:
    """A threshold that a user may have given; SpeakerError unless it is a distance."""
    if threshold is None:
        return default
    is_number = isinstance(threshold, int | float) and not isinstance(threshold, bool)
    if not is_number or not 0 <= threshold <= 2:
        raise SpeakerError(f"threshold is {threshold!r}; give a distance, 0 to 2")
    return float(threshold)


def probabilities(found: Distances, weights: tuple[float, float, float]) -> Distances:
    """Probability that each voice is each speaker's, (voices, speakers); 0 at infinite distance.

    A logistic regression on distance and margin, trained with half of the voices not in the store
    (docs/decisions/016-speaker-store.md).

    Args:
        found: (voices, speakers), from `distances`.
        weights: bias, weight of the distance, and weight of the margin, of the embedding model.
    """
    bias, of_distance, of_margin = weights
    usable = np.isfinite(found)
    log_odds = bias + of_distance * np.where(usable, found, 2) + of_margin * margins(found)
    return np.where(usable, 0.5 * (1 + np.tanh(0.5 * log_odds)), 0).astype(np.float32)


def assign(found: Distances, threshold: float) -> list[Pair]:
    """Assign at most one speaker to each voice, and at most one voice to each speaker.

    The assignment maximizes the sum of threshold minus distance over all pairs. So a voice loses a
    speaker to another voice only if it is near another speaker itself.

    Args:
        found: (voices, speakers), from `distances`.
        threshold: largest distance of a pair.

    Returns:
        Pairs in the order of voices.
    """
    allowed = found <= threshold
    speakers = np.flatnonzero(allowed.any(axis=0))
    if not len(speakers):
        return []
    from scipy.optimize import linear_sum_assignment  # imported here: often nothing matches

    worth = np.where(allowed, threshold - found.astype(np.float64) + _EDGE, 0)[:, speakers]
    rows, columns = linear_sum_assignment(worth, maximize=True)
    pairs = zip(rows.tolist(), speakers[columns].tolist(), strict=True)
    return [Pair(*pair) for pair in pairs if allowed[pair]]


def surplus(vectors: Embeddings, seconds: NDArray[np.float64], most: int) -> NDArray[np.int64]:
    """Indices of the exemplars of a speaker to drop, so that `most` remain, ascending.

    Of the two most similar exemplars, the one with less speech is dropped, or the later one if both
    have the same amount. So the remaining exemplars are long and diverse.

    Args:
        vectors: (exemplars, dimension) unit vectors.
        seconds: (exemplars,) speech in each.
        most: number of exemplars to keep.
    """
    alike = vectors.astype(np.float64) @ vectors.T.astype(np.float64)
    np.fill_diagonal(alike, -np.inf)
    dropped: list[int] = []
    while len(vectors) - len(dropped) > most:
        one, other = sorted(divmod(int(alike.argmax()), len(vectors)))
        drop = one if seconds[one] < seconds[other] else other
        alike[drop], alike[:, drop] = -np.inf, -np.inf
        dropped.append(drop)
    return np.array(sorted(dropped), np.int64)
