"""Variational Bayes mixtures of speakers, in which superfluous clusters vanish.

Each speaker is a point drawn from a zero-mean normal distribution with variances `between`; the
speaker's embeddings lie around it with unit variance. `infer` is VBx (Landini et al. 2022,
"Bayesian HMM clustering of x-vector sequences (VBx) in speaker diarization", arXiv:2012.14952)
without the Markov chain: embeddings are exchangeable, as in pyannote.audio 4. Equation numbers are
those of that paper.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hocket.clustering.agglomerative import MAX_LINKED
from hocket.clustering.plda import Plda
from hocket.errors import ConfigError

# initial logit of an embedding's own cluster, as in pyannote.audio and the VBx recipes of
# BUTSpeechFIT; a responsibility of 0.99 with eight clusters, so that a wrong label can change
SMOOTHING = 7.0
# keeps the logarithm of a prior finite (pyannote.audio)
LEAST_WEIGHT = 1e-8
# priors of clusters that vanished are near 1e-14, all others above 1e-3
LEAST_PRIOR = 1e-7
# bounds memory and time: 200 clusters of 40,000 embeddings take 64 MB in float64, and twenty
# iterations take 15 s of one core
MAX_CLUSTERS = 200
# embeddings whose responsibilities are updated at once; only one array has all of them
BLOCK = 8_192
# responsibilities this close are equal, so that the order of sums has no effect
TIE = 1e-9


class Mixture(NamedTuple):
    """A fitted mixture.

    responsibilities: (voices, clusters), rows sum to 1; gamma in the paper.
    priors: (clusters,) share of the speech, sum to 1; pi in the paper.
    evidence: lower bound of the log-likelihood, nats; ELBO in the paper.
    """

    responsibilities: NDArray[np.float64]
    priors: NDArray[np.float64]
    evidence: float


class _Speakers(NamedTuple):
    """Posterior of every speaker's point: a normal distribution with diagonal covariance.

    means: (clusters, dimension); alpha in the paper.
    variances: (clusters, dimension); the diagonal of the inverse of L in the paper.
    """

    means: NDArray[np.float64]
    variances: NDArray[np.float64]


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

    An iteration updates the speakers, then the responsibilities, then the priors. It is the last
    one if the evidence, computed with the priors before their update, grew by less than
    `tolerance`. Time and memory grow with the number of embeddings times that of clusters.

    Args:
        features: (voices, dimension) with zero mean and unit variance within a speaker.
        between: (dimension,) variance between speakers; phi in the paper.
        labels: (voices,) initial cluster of each, -1 if it could be any.
        fa: weight of an embedding, as embeddings are not independent; above 0.
        fb: cost of a speaker: the higher, the fewer speakers; above 0.
        iterations: most iterations.
        tolerance: least growth of the evidence for another iteration, nats.
        weights: (voices,) number of embeddings that each stands for; None: one.

    Returns:
        A mixture with a cluster for every label up to the largest, including vanished ones.
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
        divergence = 0.5 * np.sum(np.log(variances) - variances - means**2 + 1)  # in equation (25)
        before, evidence = evidence, float(counts @ totals + fb * divergence)
        if evidence - before < tolerance:
            break
    return Mixture(responsibilities, priors, evidence)


def _blocks(voices: int) -> list[slice]:
    """Slices of BLOCK embeddings that cover all of them; at least one slice."""
    return [slice(first, first + BLOCK) for first in range(0, max(voices, 1), BLOCK)]


def _first_responsibilities(labels: NDArray[np.integer]) -> NDArray[np.float64]:
    """Initial responsibilities, (voices, clusters); equal for all clusters if the label is -1."""
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
    """Update the responsibilities in place, and return log-likelihoods of embeddings, (voices,)."""
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
    """Speakers from the responsibilities: equations (16) and (17)."""
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
    """Expected log-density of embeddings given speakers, (voices, clusters): equation (23)."""
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
    """Cluster embeddings as pyannote.audio's community-1 does, with its settings.

    Agglomerative clustering (centroid linkage of unit vectors, cut at a Euclidean distance) gives
    the initial labels. All embeddings have the same weight.

    Args:
        vectors: (voices, dimension), raw network output. Their length matters: the PLDA subtracts
            a mean before it normalizes.
        seconds: (voices,) of speech, by which clusters are numbered.
        plda: trained on embeddings of the same network.
        cut: Euclidean distance of unit vectors at which the linkage is cut.
        fa: see `infer`.
        fb: see `infer`.

    Returns:
        (voices,) cluster of each, numbered from 0 by decreasing speech. With more than MAX_LINKED
        embeddings, an evenly spaced sample gives the initial clusters; of more than MAX_CLUSTERS
        of these, those with most speech are kept. All other embeddings start in the nearest one.

    Raises:
        ModelError: the PLDA is for vectors of another dimension.
        ConfigError: a setting is out of range.
    """
    _check_above_zero(cut=cut, fa=fa, fb=fb)
    features = plda.transform(vectors)
    if len(vectors) < 2:
        return np.zeros(len(vectors), np.int32)
    directions = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    first = _start(directions, seconds, _link(directions, cut))
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
    """Cluster embeddings without a trained PLDA: variances are the same in all directions.

    If two embeddings of a speaker have the cosine `similarity` on average, and those of two
    speakers 0, a unit vector in D dimensions varies by similarity / D per dimension between
    speakers and by (1 - similarity) / D within one. Scaled to 1 within speakers, that is
    similarity / (1 - similarity) between them. A second of speech counts as one embedding.

    On 24 development recordings, 0.4 with fa 0.07 and fb 0.07 did best, starting from average
    linkage cut at a cosine distance of 0.6: DER 10.8 and 23 right counts. With fb 0.15, it was 11.2
    and 19; with the linkage alone, 13.6 and 5.

    Args:
        vectors: (voices, dimension), unit length.
        seconds: (voices,) of speech.
        similarity: expected cosine of two embeddings of one speaker, between 0 and 1.
        fa: see `infer`.
        fb: see `infer`.
        initial_labels: (voices,) initial cluster of each, -1 for none.

    Returns:
        (voices,) as from `cluster_with_plda`; there are no clusters beyond `initial_labels`.

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


def _link(directions: NDArray[np.float32], cut: float) -> NDArray[np.int64]:
    """Clusters by centroid linkage; -1 for embeddings outside a sample of MAX_LINKED."""
    from scipy.cluster.hierarchy import fcluster, linkage

    number = len(directions)
    labels = np.full(number, -1, np.int64)
    linked = np.unique(np.linspace(0, number - 1, min(number, MAX_LINKED), dtype=int))
    merges = linkage(directions[linked].astype(np.float64), method="centroid", metric="euclidean")
    labels[linked] = fcluster(merges, cut, criterion="distance") - 1
    return labels


def _start(
    directions: NDArray[np.float32], seconds: NDArray[np.float64], labels: NDArray[np.integer]
) -> NDArray[np.int64]:
    """At most MAX_CLUSTERS clusters, those with most speech; other embeddings join the nearest."""
    sums = np.zeros((max(1, int(labels.max(initial=-1)) + 1), directions.shape[1]))
    member = labels >= 0
    np.add.at(sums, labels[member], directions[member])
    spoken = np.bincount(labels[member], seconds[member], minlength=len(sums))
    kept = np.argsort(-spoken, kind="stable")[:MAX_CLUSTERS]
    number = np.full(len(sums) + 1, -1)  # the last for label -1
    number[kept] = np.arange(len(kept))
    first: NDArray[np.int64] = number[labels]
    lengths = np.maximum(np.linalg.norm(sums[kept], axis=1, keepdims=True), 1e-12)
    other = first < 0
    first[other] = (directions[other] @ (sums[kept] / lengths).T).argmax(axis=1)
    return first


def _label(mixture: Mixture, seconds: NDArray[np.float64]) -> NDArray[np.int32]:
    """The likeliest remaining cluster of each, numbered from 0 by decreasing speech.

    Ties go to the first cluster, so that equal embeddings share a cluster.
    """
    kept = np.flatnonzero(mixture.priors > LEAST_PRIOR)
    shares = mixture.responsibilities[:, kept]
    found = (shares >= shares.max(axis=1, keepdims=True) - TIE).argmax(axis=1)
    _, found = np.unique(found, return_inverse=True)  # no empty cluster
    heaviest = np.argsort(-np.bincount(found, seconds), kind="stable")
    return np.argsort(heaviest).astype(np.int32)[found]
