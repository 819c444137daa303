"""Embeddings to speakers. A clusterer is a pure function: a new one is a file and a line here."""

from typing import NamedTuple, Protocol

from hocket.arrays import ClusterLabels
from hocket.clustering.agglomerative import agglomerate
from hocket.clustering.assignment import divide_regions, speaker_scores
from hocket.clustering.constrained import (
    LEAST_SHARE,
    ConstrainedSpeakers,
    Groups,
    GroupShares,
    group_shares,
    place_groups,
)
from hocket.clustering.division import TwoSpeakers
from hocket.clustering.plda import Plda, read_plda
from hocket.clustering.resolution import resolve_speakers
from hocket.clustering.selection import Odds, Selection, select_speakers
from hocket.clustering.spectral import cluster as cluster_spectral
from hocket.clustering.tracks import Tracks, tracks_of
from hocket.clustering.vbx import cluster_spherical, cluster_with_plda
from hocket.clustering.voices import VoiceVectors, centroids_of
from hocket.errors import ConfigError

__all__ = [
    "CLUSTERERS",
    "LEAST_SHARE",
    "Clusterer",
    "ConstrainedSpeakers",
    "GroupShares",
    "Groups",
    "Odds",
    "Plda",
    "Request",
    "Selection",
    "Tracks",
    "TwoSpeakers",
    "VoiceVectors",
    "centroids_of",
    "divide_regions",
    "group_shares",
    "place_groups",
    "read_plda",
    "resolve_speakers",
    "select_speakers",
    "speaker_scores",
    "tracks_of",
]

# of the mixture without a PLDA, on simulated recordings (docs/decisions/009-clustering.md)
SIMILARITY, FA, FB = 0.4, 0.07, 0.07
# threshold of centroid linkage over that of average linkage: noise raises the distance of pairs and
# cancels out in that of means (same page)
CENTROID_SHARE = 0.43


class Request(NamedTuple):
    """Parameters of a clusterer.

    threshold: clusters at least this cosine distance apart are different speakers, 0..2.
    at_least: fewest clusters, if there are that many embeddings.
    plda: a trained PLDA, for the clusterer that needs one.
    """

    threshold: float
    at_least: int = 1
    plda: Plda | None = None


class Clusterer(Protocol):
    """Clusters embeddings. It should err on too many clusters: `select_speakers` comes after it."""

    def __call__(self, voices: VoiceVectors, request: Request, /) -> ClusterLabels:
        """Cluster of each embedding, numbered from 0 without gaps, (voices,).

        Raises:
            ConfigError: `plda` is missing although the clusterer needs it.
            ModelError: the PLDA is for embeddings of another size.
        """
        ...


def _agglomerative(voices: VoiceVectors, request: Request) -> ClusterLabels:
    return agglomerate(voices, request.threshold, request.at_least)


def _centroid(voices: VoiceVectors, request: Request) -> ClusterLabels:
    threshold = CENTROID_SHARE * request.threshold
    return agglomerate(voices, threshold, request.at_least, "centroid")


def _spectral(voices: VoiceVectors, request: Request) -> ClusterLabels:
    similarity = 1 - request.threshold
    return cluster_spectral(voices.vectors, minimum=request.at_least, similarity=similarity)


def _mixture(voices: VoiceVectors, request: Request) -> ClusterLabels:
    first = agglomerate(voices, request.threshold, request.at_least)
    found = cluster_spherical(
        voices.vectors,
        voices.seconds,
        similarity=SIMILARITY,
        fa=FA,
        fb=FB,
        initial_labels=first,
    )
    return _enough(found, voices, request)


def _vbx(voices: VoiceVectors, request: Request) -> ClusterLabels:
    if request.plda is None:
        raise ConfigError("method is 'vbx' but plda is not given; give a trained PLDA's file")
    found = cluster_with_plda(voices.embeddings, voices.seconds, request.plda)
    return _enough(found, voices, request)


def _enough(found: ClusterLabels, voices: VoiceVectors, request: Request) -> ClusterLabels:
    """Labels of a mixture, or of a linkage if it found too few: a mixture only loses speakers."""
    if found.max(initial=-1) + 1 >= request.at_least:
        return found
    return agglomerate(voices, request.threshold, request.at_least)


CLUSTERERS: dict[str, Clusterer] = {
    "agglomerative": _agglomerative,
    "centroid": _centroid,
    "spectral": _spectral,
    "mixture": _mixture,
    "vbx": _vbx,
}
