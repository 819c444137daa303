"""Variational Bayes mixtures of speakers: clusters that nobody needs fade away.

Every speaker is a point drawn from a zero-mean normal with variances `between`; a speaker's voices
lie around it with unit variance. `infer` is VBx (Landini et al. 2022, "Bayesian HMM clustering of
x-vector sequences (VBx) in speaker diarization", arXiv:2012.14952) without the Markov chain: voices
are exchangeable, as in pyannote.audio 4. Equation numbers below are that paper's.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hocket.clustering.agglomerative import MAX_LINKED
from hocket.clustering.plda import Plda
from hocket.errors import ConfigError

# a voice's first responsibilities are softmax(7) in its own cluster: pyannote.audio and the VBx
# recipes of BUTSpeechFIT; 0.99 with eight clusters, so a wrong first label can be unlearned
SMOOTHING = 7.0
# keeps the logarithm of a prior finite (pyannote.audio)
LEAST_WEIGHT = 1e-8
# priors of clusters that faded away are near 1e-14, of clusters that did not above 1e-3
LEAST_PRIOR = 1e-7
# bounds memory and time: 200 clusters of 40,000 voices are 64 MB in float64, and twenty iterations
# take 15 s of one core
MAX_CLUSTERS = 200
# voices whose responsibilities are updated at once; only one array has all voices and clusters
BLOCK = 8_192
# shares of a voice this close are equal: the order of sums decides nothing
TIE = 1e-9


class Mixture(NamedTuple):
    """Which speaker says what, as far as the voices tell."""

    responsibilities: NDArray[np.float64]  # (voices, clusters), rows sum to 1; the paper's gamma
    priors: NDArray[np.float64]  # (clusters,), share of the speech, sum to 1; the paper's pi
    evidence: float  # lower bound of the log-likelihood, nats; the paper's ELBO


class _Speakers(NamedTuple):
    """Posterior of every speaker's point: a normal with a diagonal covariance."""

    means: NDArray[np.float64]  # (clusters, dimension); the paper's alpha
    variances: NDArray[np.float64]  # (clusters, dimension); the diagonal of its inverse L


def infer(
    features: NDArray[np.float64],
    between: NDArray[np.float64],
    labels: NDArray[np.integer],
    *,
    fa: float,
    fb: float,
    iterations: int = 20,
    tolerance: float = 1e-4,
    weights: NDArray[np.float64] | None = None,
) -> Mixture:
    """Fit the mixture, starting from `labels`.

    An iteration estimates the speakers, then the responsibilities, then the priors; it is the last
    one if the evidence, computed before the priors move, grew by less than `tolerance`. Time and
    memory grow with voices times clusters, and no further with anything in the data.

    Args:
        features: (voices, dimension) with zero mean and unit variance within a speaker.
        between: (dimension,) variance between speakers; the paper's phi.
        labels: (voices,) first cluster of each voice, -1 where it could be any.
        fa: what a voice counts for, as voices are not independent; above 0.
        fb: what a speaker costs: the higher, the fewer; above 0.
        iterations: most iterations.
        tolerance: least growth of the evidence that is worth another iteration, nats.
        weights: (voices,) how many voices each stands for; None: one.

    Returns:
        A cluster for every label up to the largest, also for those that faded away.
    """
    counts = np.ones(len(features)) if weights is None else weights
    responsibilities = _first_responsibilities(labels)
    priors = np.full(responsibilities.shape[1], 1 / responsibilities.shape[1])
    evidence = -np.inf
    for _ in range(iterations):
        speakers = _estimate(features, between, responsibilities, counts, fa / fb)
        totals = _update(responsibilities, features, between, speakers, fa, priors)
        spoken = counts @ responsibilities
        priors = spoken / max(float(spoken.sum()), np.finfo(float).tiny)
        means, variances = speakers
        divergence = 0.5 * np.sum(np.log(variances) - variances - means**2 + 1)  # in (25)
        before, evidence = evidence, float(counts @ totals + fb * divergence)
        if evidence - before < tolerance:
            break
    return Mixture(responsibilities, priors, evidence)


def _blocks(voices: int) -> list[slice]:
    """All voices, BLOCK at a time; one block, perhaps empty, for fewer."""
    return [slice(first, first + BLOCK) for first in range(0, max(voices, 1), BLOCK)]


def _first_responsibilities(labels: NDArray[np.integer]) -> NDArray[np.float64]:
    """Most of every voice for its own cluster, equal shares for label -1, (voices, clusters)."""
    from scipy.special import softmax  # imported here: loads slower than all of hocket

    first = np.zeros((len(labels), max(1, int(labels.max(initial=-1)) + 1)))
    known = np.flatnonzero(labels >= 0)
    first[known, labels[known]] = SMOOTHING
    for block in _blocks(len(first)):
        first[block] = softmax(first[block], axis=1)
    return first


def _update(
    responsibilities: NDArray[np.float64],
    features: NDArray[np.float64],
    between: NDArray[np.float64],
    speakers: _Speakers,
    fa: float,
    priors: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Write the responsibilities for these speakers; the voices' log-likelihoods, (voices,)."""
    from scipy.special import logsumexp

    totals = np.empty(len(features))
    for block in _blocks(len(features)):
        logs = fa * _log_likelihoods(features[block], between, speakers)
        logs += np.log(priors + LEAST_WEIGHT)
        totals[block] = logsumexp(logs, axis=1)
        np.exp(logs - totals[block, None], out=responsibilities[block])
    return totals


def _estimate(
    features: NDArray[np.float64],
    between: NDArray[np.float64],
    responsibilities: NDArray[np.float64],
    counts: NDArray[np.float64],
    scale: float,
) -> _Speakers:
    """Speakers from the shares they have in the voices: (16) and (17)."""
    clusters = responsibilities.shape[1]
    spoken, sums = np.zeros(clusters), np.zeros((clusters, len(between)))
    for block in _blocks(len(features)):
        shares = responsibilities[block] * counts[block, None]
        spoken += shares.sum(axis=0)
        sums += shares.T @ (features[block] * np.sqrt(between))
    variances = 1 / (1 + scale * spoken[:, None] * between)
    return _Speakers(scale * variances * sums, variances)


def _log_likelihoods(
    features: NDArray[np.float64], between: NDArray[np.float64], speakers: _Speakers
) -> NDArray[np.float64]:
    """Expected log-density of every voice under every speaker, (voices, clusters): (23)."""
    means, variances = speakers
    lengths = np.sum(features**2, axis=1) + features.shape[1] * np.log(2 * np.pi)
    expected: NDArray[np.float64] = (features * np.sqrt(between)) @ means.T
    expected -= 0.5 * ((variances + means**2) @ between)
    expected -= 0.5 * lengths[:, None]
    return expected


def cluster_with_plda(
    vectors: NDArray[np.float32],
    seconds: NDArray[np.float64],
    plda: Plda,
    *,
    cut: float = 0.6,
    fa: float = 0.07,
    fb: float = 0.8,
) -> NDArray[np.int32]:
    """Group voice vectors as pyannote.audio's community-1 does, with its settings.

    Agglomerative clustering (centroid linkage of unit vectors, cut at a Euclidean distance) gives
    the first labels; then all voices count the same.

    Args:
        vectors: (voices, dimension) as the network gave them. Their length matters: the PLDA takes
            a mean from them before it normalises.
        seconds: (voices,) of speech, by which clusters are numbered.
        plda: trained on vectors of the same network.
        cut: Euclidean distance of unit vectors from which two clusters are two speakers at first.
        fa: see `infer`.
        fb: see `infer`.

    Returns:
        (voices,) cluster of every voice, numbered from 0 by most speech. Beyond MAX_LINKED voices
        an evenly spread choice of them makes the first clusters, beyond MAX_CLUSTERS of these the
        heaviest stay; the voices left over start in the nearest.

    Raises:
        ModelError: the PLDA is for vectors of another dimension.
        ConfigError: a setting is out of range.
    """
    _check_above_zero(cut=cut, fa=fa, fb=fb)
    features = plda.transform(vectors)
    if len(vectors) < 2:
        return np.zeros(len(vectors), np.int32)
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    first = _start(unit, seconds, _link(unit, cut))
    return _label(infer(features, plda.between, first, fa=fa, fb=fb), seconds)


def cluster_spherical(
    vectors: NDArray[np.float32],
    seconds: NDArray[np.float64],
    *,
    similarity: float,
    fa: float,
    fb: float,
    initial_labels: NDArray[np.integer],
) -> NDArray[np.int32]:
    """Group voice vectors without a trained PLDA: the same variances in every direction.

    Where two voices of a speaker have the cosine `similarity` on average and two speakers have 0, a
    unit vector in D dimensions varies by similarity / D per dimension between speakers and by
    (1 - similarity) / D within one. Scaled to one within, that is similarity / (1 - similarity)
    between. A second of speech counts as one voice.

    On 24 development recordings 0.4 with fa 0.07 and fb 0.07 did best, from average linkage cut at
    a cosine distance of 0.6: DER 10.8 and 23 right counts; with fb 0.15 11.2 and 19, with the
    linkage alone 13.6 and 5.

    Args:
        vectors: (voices, dimension), unit length.
        seconds: (voices,) of speech.
        similarity: expected cosine of two voices of one speaker, between 0 and 1.
        fa: see `infer`.
        fb: see `infer`.
        initial_labels: (voices,) cluster to start from, -1 for none.

    Returns:
        (voices,) as from `cluster_with_plda`; only clusters of `initial_labels` can be found.

    Raises:
        ConfigError: a setting is out of range.
    """
    _check_above_zero(similarity=similarity, fa=fa, fb=fb)
    if similarity >= 1:
        raise ConfigError(f"similarity is {similarity}; give less than 1")
    if len(vectors) < 2:
        return np.zeros(len(vectors), np.int32)
    dimension = vectors.shape[1]
    features = vectors.astype(np.float64) * np.sqrt(dimension / (1 - similarity))
    between = np.full(dimension, similarity / (1 - similarity))
    first = _start(vectors, seconds, initial_labels)
    return _label(infer(features, between, first, fa=fa, fb=fb, weights=seconds), seconds)


def _check_above_zero(**settings: float) -> None:
    """Raise ConfigError unless every setting is a finite number above 0."""
    for name, value in settings.items():
        if not (np.isfinite(value) and value > 0):
            raise ConfigError(f"{name} is {value}; give a finite number above 0")


def _link(unit: NDArray[np.float32], cut: float) -> NDArray[np.int64]:
    """Clusters by centroid linkage, -1 for voices left out because there are over MAX_LINKED."""
    from scipy.cluster.hierarchy import fcluster, linkage

    labels = np.full(len(unit), -1, np.int64)
    linked = np.unique(np.linspace(0, len(unit) - 1, min(len(unit), MAX_LINKED), dtype=int))
    merges = linkage(unit[linked].astype(np.float64), method="centroid", metric="euclidean")
    labels[linked] = fcluster(merges, cut, criterion="distance") - 1
    return labels


def _start(
    unit: NDArray[np.float32], seconds: NDArray[np.float64], labels: NDArray[np.integer]
) -> NDArray[np.int64]:
    """At most MAX_CLUSTERS clusters, those with most speech; other voices join the nearest."""
    sums = np.zeros((max(1, int(labels.max(initial=-1)) + 1), unit.shape[1]))
    member = labels >= 0
    np.add.at(sums, labels[member], unit[member])
    spoken = np.bincount(labels[member], seconds[member], minlength=len(sums))
    kept = np.argsort(-spoken, kind="stable")[:MAX_CLUSTERS]
    number = np.full(len(sums) + 1, -1)  # the last for label -1
    number[kept] = np.arange(len(kept))
    first: NDArray[np.int64] = number[labels]
    lengths = np.maximum(np.linalg.norm(sums[kept], axis=1, keepdims=True), 1e-12)
    homeless = first < 0
    first[homeless] = (unit[homeless] @ (sums[kept] / lengths).T).argmax(axis=1)
    return first


def _label(mixture: Mixture, seconds: NDArray[np.float64]) -> NDArray[np.int32]:
    """The likeliest of the clusters that did not fade, numbered from 0 by most speech.

    Where several are as likely it is the first, so that equal voices share a cluster.
    """
    kept = np.flatnonzero(mixture.priors > LEAST_PRIOR)
    shares = mixture.responsibilities[:, kept]
    found = (shares >= shares.max(axis=1, keepdims=True) - TIE).argmax(axis=1)
    _, found = np.unique(found, return_inverse=True)  # no cluster without a voice
    heaviest = np.argsort(-np.bincount(found, seconds), kind="stable")
    return np.argsort(heaviest).astype(np.int32)[found]
