"""A cluster divided in two, and the odds that its halves are two speakers.

The distance of the halves alone does not tell: 2-means parts every cluster along its widest
direction. Time does. Subsegments of one region (here: units of one run) come from one speaker, so
the halves of two speakers keep regions whole; and two speakers take turns, while one person who
changes rooms is one voice before and another after (docs/decisions/021-splits-and-merges.md).
"""

from collections.abc import Mapping
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from hocket.clustering.tracks import links_of
from hocket.clustering.voices import VoiceVectors

# odds that no division at hand parts two who are known to be there: one may have said a single word
UNSEEN_ODDS = 0.03
ROUNDS = 20  # of 2-means; most divisions settle within five
# 1 - cosine of the halves of one voice: so much of very many voices, and this much more divided by
# their number (least log loss over both, 1,544 divisions)
DIVERGENCE, DIVERGENCE_OF_ONE = 0.12, 2.0
LINKS = 0.5  # of windows that tell nothing
COHERENCE = 0.75  # where no region holds two voices: the mean of one voice's divisions

Halves = NDArray[np.int64]
"""0 or 1 for every voice of a cluster, (voices,)."""


class Traits(NamedTuple):
    """What tells the halves of one voice from two speakers.

    divergence: logarithm of 1 - cosine of their means, over what one voice of as many vectors has.
    coherence: how much likelier neighbours within a region are of one half than any two are: 1 if
        no region is divided, 0 if by chance.
    concentration: mean squared length of the halves' mean vectors.
    changes: logarithm of 1 + how often one half follows the other.
    share: logarithm of the smaller half's share in the vectors.
    block: 1 over the number of changes.
    block_divergence: divergence over the number of changes.
    narrow: mean share of narrow band in the vectors, where all voices are nearer to each other.
    narrow_share: share times narrow.
    telephone: mean share of telephone in the vectors, where they say least.
    telephone_links: telephone times the probability that windows take the halves for one local
        speaker, less LINKS; 0 if no window holds both.
    telephone_linked: telephone times the logarithm of 1 + how many pairs of voices, one of either
        half, windows hold; their square roots are added up over windows.
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
    """A logistic regression of "two speakers, not one" on `Traits`, one weight for each."""

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
        """From the manifest's weights of a kind, of an embedding model."""
        return cls(*(calibration[f"{kind}_{name}"] for name in cls._fields))

    def log_odds(self, traits: Traits) -> float:
        """Natural logarithm of the odds that the halves are two speakers."""
        return self.bias + float(np.dot(self[1:], traits))


def widest(vectors: NDArray[np.float64], seconds: NDArray[np.float64]) -> Halves:
    """Halves on either side of the mean, along the first principal component.

    Args:
        vectors: (voices, dimension).
        seconds: (voices,) by which each counts.
    """
    centred = vectors - np.average(vectors, axis=0, weights=seconds)
    spread = (centred * seconds[:, None]).T @ centred
    direction = np.linalg.eigh(spread)[1][:, -1]
    found: Halves = (centred @ direction > 0).astype(np.int64)
    return found


def settle(vectors: NDArray[np.float64], seconds: NDArray[np.float64], halves: Halves) -> Halves:
    """2-means on the sphere, from a first division; a half may come out empty.

    Args:
        vectors: (voices, dimension), unit length.
        seconds: (voices,).
        halves: where to begin.
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
    """What a division is like.

    Args:
        voices: of one cluster, in order of time.
        regions: (voices,) region of each.
        halves: both of them hold somebody.
    """
    vectors, seconds = voices.vectors.astype(np.float64), voices.seconds
    second = halves == 1
    spoken = np.array([seconds[~second].sum(), seconds[second].sum()])
    means = np.stack([seconds * side @ vectors for side in (~second, second)]) / spoken[:, None]
    lengths = np.maximum(np.linalg.norm(means, axis=1), 1e-12)
    cosine = float(means[0] @ means[1] / lengths.prod())
    share = min(np.mean(second), np.mean(~second))
    divergence = np.log(max(1 - cosine, 0.03) / (DIVERGENCE + DIVERGENCE_OF_ONE / len(halves)))
    narrow = float(voices.narrow.mean())
    telephone = 0.0 if voices.telephone is None else float(voices.telephone.mean())
    same, pairs = (np.nan, 0.0)
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
    """Cohen's kappa of neighbours within regions, against halves that fall by chance."""
    neighbours = np.diff(regions) == 0
    if not neighbours.any():
        return COHERENCE
    agree = float(np.mean((np.diff(halves) == 0)[neighbours]))
    chance = 1 - 2 * share * (1 - share)
    return (agree - chance) / (1 - chance)
