"""Spectral clustering that chooses its neighborhood size and the number of speakers.

NME-SC (Park et al. 2020, "Auto-tuning spectral clustering for speaker diarization using normalized
maximum eigengap", arXiv:2003.02405) links every embedding to those most similar to it, and chooses
the number of links for which the graph divides most clearly into speakers. Each speaker is a small
eigenvalue of the graph's Laplacian; the widest gap after small eigenvalues gives their number.

It differs from the paper in five ways: links are weighted by similarity, the graph must be
connected, neighborhoods have a minimum size, Laplacians are partly normalized by degree, and only
eigenvalues that are small relative to the degrees may be speakers. Without the last three, a single
speaker falls into pieces, and so does one with three embeddings beside speakers with many. On 24
development recordings, the paper's binary links gave DER 15.5 and 11 right counts, these 10.8 and
23. The constants were tuned there, and on the speakers of these recordings alone and in pairs, so
expect less elsewhere.

Nothing here is random. The search uses MAX_SEARCHED embeddings and the clustering MAX_CLUSTERED,
evenly spread over the recording; the others join the nearest cluster. So time and memory are
bounded: 30,000 embeddings take as much as 2,000, 2 s of one core and 100 MB.
"""

import numpy as np
from numpy.typing import NDArray

from hocket.errors import ConfigError

MAX_CLUSTERED = 2_000  # their matrix takes 32 MB, its lowest eigenvectors 0.4 s
MAX_SEARCHED = 512  # NeMo advises 250 to 750: fewer may miss a speaker with little speech
TRIALS = 25  # neighborhood sizes that are tried
MAX_SHARE = 0.25  # of the embeddings in the largest neighborhood, or more to connect the graph
FEWEST_NEIGHBORS = 10  # with fewer, 16 embeddings of one speaker fall into pieces by chance
LINK_POWER = 1.5  # of the cosine; 1 joins too much, 3 splits
DEGREE_POWER = 0.2  # of the degrees: 0 is the Laplacian of the paper, 1 the normalized one
LARGEST_SPEAKER = 0.4  # largest eigenvalue of a speaker, in mean degrees
TIE = 1e-6  # cosines this close are equal, so that rounding and order of sums have no effect
FEWEST_VOICES = 6  # with fewer, eigenvalues mean nothing
MOST_SPEAKERS = 20  # found if no maximum is given
SETTLE_ROUNDS = 5  # of moving embeddings to the nearest mean
BLOCK = 4_096  # embeddings assigned to the nearest cluster at once


def cluster(
    vectors: NDArray[np.float32],
    *,
    minimum: int = 1,
    maximum: int | None = None,
    similarity: float = 0.4,
) -> NDArray[np.int32]:
    """Cluster embeddings.

    Args:
        vectors: (voices, dimension), unit length.
        minimum: fewest clusters. If fewer are found, the embedding that fits its cluster worst
            starts a new one, with the embeddings that are closer to it.
        maximum: most clusters; None: MOST_SPEAKERS, or `minimum` if that is more.
        similarity: cosine above which two clusters are one speaker; used only for fewer than
            FEWEST_VOICES embeddings.

    Returns:
        (voices,) cluster of each, numbered from 0 by decreasing size. There are `minimum` to
        `maximum` clusters, or as many as embeddings if these are fewer than `minimum`.

    Raises:
        ConfigError: minimum is below 1 or above maximum.
    """
    most = max(minimum, MOST_SPEAKERS) if maximum is None else maximum
    if not 1 <= minimum <= most:
        raise ConfigError(f"there may be {minimum} to {most} speakers; give 1 or more, in order")
    if len(vectors) < 2:
        return np.zeros(len(vectors), np.int32)
    rows = _spread(len(vectors), MAX_CLUSTERED)
    sample = vectors[rows].astype(np.float64)
    if len(sample) < FEWEST_VOICES:
        found = _link_few(sample, most, similarity)
    else:
        found = _cluster_many(sample, most)
    found = _split(sample, _number(found), min(minimum, len(sample)))
    if len(rows) == len(vectors):
        return _number(found).astype(np.int32)
    labels = _nearest(vectors, _centroids(sample, found))
    labels[rows] = found
    return _number(labels).astype(np.int32)


def _spread(number: int, most: int) -> NDArray[np.int64]:
    """At most `most` of the indices below `number`, evenly spread."""
    return np.unique(np.linspace(0, number - 1, min(number, most)).round().astype(np.int64))


def _link_few(vectors: NDArray[np.float64], most: int, similarity: float) -> NDArray[np.int64]:
    """Average linkage of at least two embeddings into at most `most` clusters."""
    from scipy.cluster.hierarchy import fcluster, linkage

    merges = linkage(vectors, method="average", metric="cosine")
    labels = fcluster(merges, 1 - similarity, criterion="distance")
    if labels.max() > most:
        labels = fcluster(merges, most, criterion="maxclust")
    return labels.astype(np.int64) - 1


def _cluster_many(vectors: NDArray[np.float64], most: int) -> NDArray[np.int64]:
    """Spectral clustering of at least FEWEST_VOICES embeddings into at most `most` clusters."""
    from scipy.linalg import eigh

    cosines = vectors @ vectors.T
    searched = _spread(len(vectors), MAX_SEARCHED)
    share = _search(cosines[np.ix_(searched, searched)], most) / len(searched)
    laplacian, degree = _laplacian(cosines, round(share * len(vectors)))
    lowest = [0, min(most, len(vectors) - 1)]
    values, eigenvectors = eigh(laplacian, subset_by_index=lowest, overwrite_a=True)
    return _assign(eigenvectors[:, : _count(values, degree, most)[0]])


def _search(cosines: NDArray[np.float64], most: int) -> int:
    """Neighborhood size, including the embedding itself, with the least size per normalized gap."""
    voices = len(cosines)
    fewest = min(voices, max(FEWEST_NEIGHBORS, _fewest_connecting(cosines)))
    largest = max(fewest, int(MAX_SHARE * voices))
    best, best_ratio = fewest, np.inf
    for neighbors in np.unique(np.linspace(fewest, largest, TRIALS).astype(int)).tolist():
        laplacian, degree = _laplacian(cosines, neighbors)
        values = np.linalg.eigvalsh(laplacian).astype(np.float64)
        _, gap = _count(values, degree, most)
        ratio = neighbors * float(values[-1]) / max(gap, np.finfo(float).tiny)
        if ratio < best_ratio * (1 - TIE):
            best, best_ratio = neighbors, ratio
    return best


def _fewest_connecting(cosines: NDArray[np.float64]) -> int:
    """Smallest neighborhood size that gives a connected graph."""
    from scipy.sparse.csgraph import connected_components

    low, high = 1, len(cosines)
    while low < high:
        middle = (low + high) // 2
        if connected_components(_linked(cosines, middle), directed=False)[0] == 1:
            high = middle
        else:
            low = middle + 1
    return low


def _linked(cosines: NDArray[np.float64], neighbors: int) -> NDArray[np.bool_]:
    """Whether each column is among the `neighbors` nearest of its row, (voices, voices)."""
    least = np.partition(cosines, -neighbors, axis=1)[:, -neighbors]
    return cosines >= least[:, None] - TIE


def _laplacian(cosines: NDArray[np.float64], neighbors: int) -> tuple[NDArray[np.float64], float]:
    """Laplacian of the graph of neighbors, partly normalized, and the mean degree on its scale."""
    links = np.where(_linked(cosines, neighbors), np.maximum(cosines, 0.0) ** LINK_POWER, 0.0)
    np.fill_diagonal(links, 0.0)
    links = (links + links.T) / 2
    degrees = links.sum(axis=1)
    scale = np.maximum(degrees, np.finfo(float).eps) ** (-DEGREE_POWER / 2)
    laplacian = (np.diag(degrees) - links) * scale[:, None] * scale
    return laplacian, float(np.mean(degrees * scale**2))


def _count(values: NDArray[np.float64], degree: float, most: int) -> tuple[int, float]:
    """Number of speakers, and the eigengap that gives it, from increasing eigenvalues."""
    small = int(np.count_nonzero(values <= LARGEST_SPEAKER * degree))
    gaps = np.diff(values)[: max(1, min(small, most))]
    return int(gaps.argmax()) + 1, float(gaps.max())


def _assign(points: NDArray[np.float64]) -> NDArray[np.int64]:
    """Cluster of every row of the eigenvectors, (voices, clusters).

    Pivoted QR finds a typical row of each cluster, and a rotation aligns these with the axes
    (Damle, Minden and Ying 2019, "Simple, direct and efficient multi-way spectral clustering",
    arXiv:1708.07481). That needs no random start, and any basis of the eigenvectors' space gives
    the same clusters. Small clusters lie further out and would attract rows of large ones, so rows
    then move to the nearest mean.
    """
    from scipy.linalg import qr, svd

    clusters = points.shape[1]
    _, order = qr(points.T, mode="r", pivoting=True)
    left, _, right = svd(points[order[:clusters]].T)
    labels: NDArray[np.int64] = np.abs(points @ (left @ right)).argmax(axis=1)
    for _ in range(SETTLE_ROUNDS):
        sizes = np.bincount(labels, minlength=clusters)
        sums = np.zeros((clusters, clusters))
        np.add.at(sums, labels, points)
        means = sums / np.maximum(sizes, 1)[:, None]
        # squared distances, without the squared length of the point
        distances = np.where(sizes > 0, np.sum(means**2, axis=1) - 2 * points @ means.T, np.inf)
        labels = distances.argmin(axis=1)
    return labels


def _split(
    vectors: NDArray[np.float64], labels: NDArray[np.int64], minimum: int
) -> NDArray[np.int64]:
    """Split clusters until there are `minimum`, which may not exceed the number of vectors."""
    labels = labels.copy()
    for cluster_number in range(int(labels.max()) + 1, minimum):
        fit = np.sum(vectors * _centroids(vectors, labels)[labels], axis=1)
        shared = np.bincount(labels)[labels] > 1
        worst = int(np.where(shared, fit, np.inf).argmin())
        fit[worst] = -np.inf
        order = np.lexsort((fit, labels))
        stays = order[np.append(np.flatnonzero(np.diff(labels[order])), len(order) - 1)]
        fit[stays] = np.inf  # so that no cluster loses all its members
        moved = np.arange(len(labels)) == worst
        for _ in range(SETTLE_ROUNDS):
            center = vectors[moved].sum(axis=0)
            moved = vectors @ (center / max(float(np.linalg.norm(center)), TIE)) > fit + TIE
        labels[moved] = cluster_number
    return labels


def _centroids(vectors: NDArray[np.float64], labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """Mean of every cluster, scaled to unit length, (clusters, dimension)."""
    sums = np.zeros((int(labels.max()) + 1, vectors.shape[1]))
    np.add.at(sums, labels, vectors)
    lengths: NDArray[np.float64] = np.linalg.norm(sums, axis=1, keepdims=True)
    return sums / np.maximum(lengths, TIE)


def _nearest(vectors: NDArray[np.float32], centroids: NDArray[np.float64]) -> NDArray[np.int64]:
    """Cluster with the most similar centroid, for every vector."""
    blocks = [vectors[start : start + BLOCK] for start in range(0, len(vectors), BLOCK)]
    return np.concatenate([(block @ centroids.T).argmax(axis=1) for block in blocks])


def _number(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Clusters numbered from 0 by decreasing size, without gaps."""
    _, found, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    return np.argsort(np.argsort(-sizes, kind="stable"))[found]
