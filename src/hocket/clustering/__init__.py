"""Embeddings to speakers. A clusterer is a pure function; a new one is a file and a line here."""

from typing import NamedTuple, Protocol

from hocket.arrays import UnitLabels
from hocket.clustering.agglomerative import agglomerate
from hocket.clustering.assignment import claims, divide_runs
from hocket.clustering.constrained import Groups, Placed, place_groups, touches_of
from hocket.clustering.division import TwoSpeakers
from hocket.clustering.plda import Plda, read_plda
from hocket.clustering.resolution import find_speakers
from hocket.clustering.selection import Odds, Selection, TwinLimit, select_speakers
from hocket.clustering.spectral import cluster as cluster_spectral
from hocket.clustering.tracks import Tracks, tracks_of
from hocket.clustering.vbx import cluster_spherical, cluster_with_plda
from hocket.clustering.voices import Voices, centroids_of
from hocket.errors import ConfigError

__all__ = [
    "CLUSTERERS",
    "Clusterer",
    "Groups",
    "Odds",
    "Placed",
    "Plda",
    "Request",
    "Selection",
    "Tracks",
    "TwinLimit",
    "TwoSpeakers",
    "Voices",
    "centroids_of",
    "claims",
    "divide_runs",
    "find_speakers",
    "place_groups",
    "read_plda",
    "select_speakers",
    "touches_of",
    "tracks_of",
]

# of the mixture without a PLDA, on simulated recordings (docs/decisions/009-clustering.md)
SIMILARITY, VOICE_COUNTS_FOR, SPEAKER_COSTS = 0.4, 0.07, 0.07
# what noise adds to the distance of pairs is not in that of means (same page)
CENTROID_SHARE = 0.43


class Request(NamedTuple):
    """What is asked of a clusterer.

    threshold: cosine distance from which two groups are two people.
    at_least: fewest groups, where there are as many voices.
    plda: for the clusterer that needs a trained one.
    """

    threshold: float
    at_least: int = 1
    plda: Plda | None = None


class Clusterer(Protocol):
    """Groups voice vectors, rather too finely than too coarsely: `select_speakers` comes after."""

    def __call__(self, voices: Voices, request: Request, /) -> UnitLabels:
        """(voices,) cluster of every voice, numbered from 0 without gaps."""
        ...


def _agglomerative(voices: Voices, request: Request) -> UnitLabels:
    return agglomerate(voices, request.threshold, request.at_least)


def _centroid(voices: Voices, request: Request) -> UnitLabels:
    threshold = CENTROID_SHARE * request.threshold
    return agglomerate(voices, threshold, request.at_least, "centroid")


def _spectral(voices: Voices, request: Request) -> UnitLabels:
    similarity = 1 - request.threshold
    return cluster_spectral(voices.vectors, minimum=request.at_least, similarity=similarity)


def _mixture(voices: Voices, request: Request) -> UnitLabels:
    first = agglomerate(voices, request.threshold, request.at_least)
    found = cluster_spherical(
        voices.vectors,
        voices.seconds,
        similarity=SIMILARITY,
        fa=VOICE_COUNTS_FOR,
        fb=SPEAKER_COSTS,
        initial_labels=first,
    )
    return _enough(found, voices, request)


def _vbx(voices: Voices, request: Request) -> UnitLabels:
    if request.plda is None:
        raise ConfigError("method is 'vbx' but plda is not given; give a trained PLDA's file")
    found = cluster_with_plda(voices.embeddings, voices.seconds, request.plda)
    return _enough(found, voices, request)


def _enough(found: UnitLabels, voices: Voices, request: Request) -> UnitLabels:
    """What a mixture found, or a linkage where it found too few: its speakers only ever fade."""
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
