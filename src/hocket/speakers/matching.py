"""Voices against known speakers: pure functions of arrays.

How near a voice is to a speaker is the mean of two cosines: to the most similar exemplar, which
knows the room and the microphone, and to the direction of all of them, which one odd exemplar
does not move (docs/decisions/016-speaker-store.md). A distance is 1 minus that, and "near enough"
is `distance <= threshold` everywhere. What has no direction is infinitely far from everybody.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hocket.errors import SpeakerError
from hocket.speakers.values import LEAST_LENGTH

Embeddings = NDArray[np.float32]
Distances = NDArray[np.float32]

MOST_MARGIN = 0.5  # of larger ones it says little how large they are

_EDGE = 1e-6  # what being exactly on the threshold is worth
_TINY = np.float32(1e-6)


class ExemplarIndex(NamedTuple):
    """Exemplars of all speakers who have any, one speaker's behind the other's.

    ids: (speakers,) ascending.
    first: (speakers,) index of everybody's first exemplar.
    vectors: (exemplars, dimension) unit vectors.
    lengths: (speakers,) length of the sum of everybody's exemplars.
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
    """Gather exemplars by speaker.

    Args:
        owners: (exemplars,) id of each one's speaker, ascending.
        vectors: (exemplars, dimension) unit vectors.
    """
    first = np.flatnonzero(np.diff(owners, prepend=-1))
    sums = np.add.reduceat(vectors, first) if len(first) else vectors[:0]
    return ExemplarIndex(
        owners[first], first, vectors, np.linalg.norm(sums, axis=1).astype(np.float32)
    )


def distances(embeddings: Embeddings, known: ExemplarIndex) -> Distances:
    """How far voices are from speakers, (voices, speakers), 0 to 2 or infinite.

    Args:
        embeddings: (voices, dimension), of any length.
        known: the speakers.

    Raises:
        SpeakerError: embeddings of another size than the exemplars.
    """
    dimension = known.vectors.shape[1]
    if embeddings.ndim != 2 or (len(known.ids) and embeddings.shape[1] != dimension):
        raise SpeakerError(
            f"embeddings of shape {embeddings.shape}, where the store's have {dimension} numbers; "
            "give embeddings of the store's model"
        )
    if not len(known.ids):
        return np.zeros((len(embeddings), 0), np.float32)
    usable, subsegments = directions(embeddings)
    cosines = subsegments @ known.vectors.T
    nearest: Distances = np.maximum.reduceat(cosines, known.first, axis=1)
    towards_all: Distances = np.add.reduceat(cosines, known.first, axis=1)
    towards_all /= np.maximum(known.lengths, _TINY)
    found: Distances = np.float32(1) - np.clip((nearest + towards_all) / np.float32(2), -1, 1)
    found[~usable] = np.inf
    return found


def directions(embeddings: Embeddings) -> tuple[NDArray[np.bool_], Embeddings]:
    """Which embeddings are voices, (voices,), and all as unit vectors, zero where they are not."""
    numbers = embeddings.astype(np.float64)
    finite = np.isfinite(numbers).all(axis=1)
    numbers[~finite] = 0
    lengths = np.linalg.norm(numbers, axis=1, keepdims=True)
    usable: NDArray[np.bool_] = lengths[:, 0] > LEAST_LENGTH
    numbers[~usable] = 0
    return usable, (numbers / np.maximum(lengths, LEAST_LENGTH)).astype(np.float32)


def margins(found: Distances) -> Distances:
    """How much further than each speaker the nearest other one is, (voices, speakers).

    Negative where another is nearer; within MOST_MARGIN, which is that of the only speaker too.
    """
    voices, speakers = found.shape
    if speakers < 2:
        return np.full((voices, speakers), MOST_MARGIN, np.float32)
    nearest, second = np.partition(found, 1, axis=1)[:, :2].T[:, :, None]
    others = np.where(found == nearest, second, nearest)
    with np.errstate(invalid="ignore"):  # infinite distances have no margin
        between: Distances = np.clip(others - found, -MOST_MARGIN, MOST_MARGIN)
    return np.nan_to_num(between)


def probabilities(found: Distances, weights: tuple[float, float, float]) -> Distances:
    """Probability that each voice is each speaker's, (voices, speakers), 0 at infinite distance.

    A logistic regression on the distance and the margin, learnt where half of the voices are
    nobody's in the store (docs/decisions/016-speaker-store.md).

    Args:
        found: (voices, speakers), from `distances`.
        weights: bias, of the distance, of the margin; they belong to the embedding model.
    """
    bias, of_distance, of_margin = weights
    usable = np.isfinite(found)
    log_odds = bias + of_distance * np.where(usable, found, 2) + of_margin * margins(found)
    return np.where(usable, 0.5 * (1 + np.tanh(0.5 * log_odds)), 0).astype(np.float32)


def assign(found: Distances, threshold: float) -> list[Pair]:
    """Give every voice at most one speaker and every speaker at most one voice.

    Of all ways to do that it is the one whose distances lie furthest below the threshold in sum, so
    a voice yields a speaker to another only where it is itself near to somebody else.

    Args:
        found: (voices, speakers), from `distances`.
        threshold: a pair that is further apart is none.

    Returns:
        Pairs in order of voices.
    """
    allowed = found <= threshold
    speakers = np.flatnonzero(allowed.any(axis=0))
    if not len(speakers):
        return []
    from scipy.optimize import linear_sum_assignment  # imported here: most stores match nobody

    worth = np.where(allowed, threshold - found.astype(np.float64) + _EDGE, 0)[:, speakers]
    rows, columns = linear_sum_assignment(worth, maximize=True)
    pairs = zip(rows.tolist(), speakers[columns].tolist(), strict=True)
    return [Pair(*pair) for pair in pairs if allowed[pair]]


def surplus(vectors: Embeddings, seconds: NDArray[np.float64], most: int) -> NDArray[np.int64]:
    """Which exemplars of one speaker to drop, so that `most` are left, ascending.

    Of the two most alike the one with less speech goes, the later one where both have as much: what
    stays is long, and as diverse as what there was.

    Args:
        vectors: (exemplars, dimension) unit vectors.
        seconds: (exemplars,) speech behind each.
        most: how many may stay.
    """
    alike = vectors.astype(np.float64) @ vectors.T.astype(np.float64)
    np.fill_diagonal(alike, -np.inf)
    dropped: list[int] = []
    while len(vectors) - len(dropped) > most:
        one, other = sorted(divmod(int(alike.argmax()), len(vectors)))
        goes = one if seconds[one] < seconds[other] else other
        alike[goes], alike[:, goes] = -np.inf, -np.inf
        dropped.append(goes)
    return np.array(sorted(dropped), np.int64)
