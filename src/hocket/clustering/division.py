"""A cluster divided in two, and the odds that its halves are two speakers.

The distance of the halves is not enough: 2-means divides every cluster along its widest direction.
The order of time adds what is missing. Subsegments of one region come from one speaker, so the
halves of two speakers keep regions whole. And two speakers take turns, while one who changes rooms
has one voice before and another after (docs/decisions/021-splits-and-merges.md, which also has the
source of the regression and its traits).
"""

from collections.abc import Mapping
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from hocket.clustering.tracks import links_of
from hocket.clustering.voices import VoiceVectors

# odds that no available division separates two speakers known to be present: one may have said a
# single word
UNSEEN_ODDS = 0.03
ROUNDS = 20  # of 2-means; most divisions converge within five
# expected 1 - cosine of the halves of one voice with n vectors: the first number plus the second
# over n; both minimize the log loss of the regression, 1,544 divisions
DIVERGENCE, DIVERGENCE_OF_ONE = 0.12, 2.0
LINKS = 0.5  # probability of a shared slot that carries no information
COHERENCE = 0.75  # if no region has two vectors: mean over divisions of one voice

Halves = NDArray[np.int64]
"""0 or 1 for each embedding of a cluster, (voices,)."""


class Traits(NamedTuple):
    """Features that distinguish two speakers from the halves of one voice; logarithms are natural.

    divergence: logarithm of 1 - cosine of the halves' means, over its expectation for one voice
        with as many vectors.
    coherence: Cohen's kappa of the halves of neighbors within a region: 1 if no region is divided,
        0 if they are divided by chance.
    concentration: squared length of the halves' mean vectors, averaged by speech.
    changes: logarithm of 1 + the number of changes from one half to the other in time.
    share: logarithm of the smaller half's share of the vectors.
    block: 1 over the number of changes.
    block_divergence: divergence over the number of changes.
    narrow: mean weight of narrow band, where all voices are closer to each other.
    narrow_share: share times narrow.
    telephone: mean weight of telephone, where vectors are least informative.
    telephone_links: telephone times the probability that windows put the halves in one slot, less
        LINKS; 0 if no window contains both.
    telephone_linked: telephone times the logarithm of 1 + `Links.pairs`.
    telephone_coherence: telephone times coherence.
    """

    divergence: float
    coherence: float
    concentration: float
    changes: float
    share: float
    block: float
    block_divergence: float
    narrow: float
    narrow_share: float
    telephone: float
    telephone_links: float
    telephone_linked: float
    telephone_coherence: float


class TwoSpeakers(NamedTuple):
    """Logistic regression of "two speakers, not one" on `Traits`, with a weight for each."""

    bias: float
    divergence: float
    coherence: float
    concentration: float
    changes: float
    share: float
    block: float
    block_divergence: float
    narrow: float
    narrow_share: float
    telephone: float
    telephone_links: float
    telephone_linked: float
    telephone_coherence: float

    @classmethod
    def of(cls, calibration: Mapping[str, float], kind: str = "two") -> Self:
        """The regression with the weights of an embedding model.

        Args:
            calibration: of the model, from the manifest.
            kind: prefix of the weights' names: two for recordings, stream_two for streams.
        """
        return cls(*(calibration[f"{kind}_{name}"] for name in cls._fields))

    def less_likely(self, by: float) -> Self:
        """The same regression where two speakers are less likely beforehand, by these log odds."""
        return self._replace(bias=self.bias - by)

    def log_odds(self, traits: Traits) -> float:
        """Natural logarithm of the odds that the halves are two speakers."""
        return self.bias + float(np.dot(self[1:], traits))


def widest(vectors: NDArray[np.float64], seconds: NDArray[np.float64]) -> Halves:
    """Divide vectors at their mean, along the first principal component.

    Args:
        vectors: (voices, dimension).
        seconds: (voices,) weight of each.
    """
    centered = vectors - np.average(vectors, axis=0, weights=seconds)
    scatter = (centered * seconds[:, None]).T @ centered
    direction = np.linalg.eigh(scatter)[1][:, -1]
    halves: Halves = (centered @ direction > 0).astype(np.int64)
    return halves


def settle(vectors: NDArray[np.float64], seconds: NDArray[np.float64], halves: Halves) -> Halves:
    """Spherical 2-means, starting from a first division. A half may end up empty.

    Args:
        vectors: (voices, dimension), unit length.
        seconds: (voices,) weight of each.
        halves: first division.
    """
    for _ in range(ROUNDS):
        sums = np.stack([seconds * (halves == half) @ vectors for half in (0, 1)])
        means = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)
        found = (vectors @ means.T).argmax(axis=1)
        if (found == halves).all():
            break
        halves = found
    return halves


def traits_of(voices: VoiceVectors, regions: NDArray[np.int64], halves: Halves) -> Traits:
    """Traits of a division.

    Args:
        voices: of one cluster, in order of time.
        regions: (voices,) region of each.
        halves: the division; neither half may be empty.
    """
    vectors, seconds = voices.vectors.astype(np.float64), voices.seconds
    second = halves == 1
    spoken = np.array([seconds[~second].sum(), seconds[second].sum()])
    means = np.stack([seconds * half @ vectors for half in (~second, second)]) / spoken[:, None]
    lengths = np.maximum(np.linalg.norm(means, axis=1), 1e-12)
    cosine = float(means[0] @ means[1] / lengths.prod())
    share = min(np.mean(second), np.mean(~second))
    divergence = np.log(max(1 - cosine, 0.03) / (DIVERGENCE + DIVERGENCE_OF_ONE / len(halves)))
    narrow = float(voices.narrow.mean())
    telephone = 0.0 if voices.telephone is None else float(voices.telephone.mean())
    same, pairs = (np.nan, 0.0)  # as of `links_of` without a window that contains both
    if voices.tracks is not None:
        same, pairs = links_of(voices.tracks, regions, halves)
    links = 0.0 if np.isnan(same) else same - LINKS
    coherence = _coherence(regions, halves, float(share))
    changes = max(1, int(np.count_nonzero(np.diff(halves))))
    return Traits(
        divergence=float(divergence),
        coherence=coherence,
        concentration=float(np.average(lengths**2, weights=spoken)),
        changes=float(np.log1p(changes)),
        share=float(np.log(share)),
        block=1 / changes,
        block_divergence=float(divergence / changes),
        narrow=narrow,
        narrow_share=float(np.log(share)) * narrow,
        telephone=telephone,
        telephone_links=telephone * links,
        telephone_linked=telephone * float(np.log1p(pairs)),
        telephone_coherence=telephone * coherence,
    )


def _coherence(regions: NDArray[np.int64], halves: Halves, share: float) -> float:
    """Cohen's kappa of the halves of neighbors within regions; `share` is that of one half."""
    neighbors = np.diff(regions) == 0
    if not neighbors.any():
        return COHERENCE
    agree = float(np.mean((np.diff(halves) == 0)[neighbors]))
    chance = 1 - 2 * share * (1 - share)
    return (agree - chance) / (1 - chance)
