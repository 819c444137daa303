"""Results and known speakers: the clusters of a result, and a result with names."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hocket.errors import SpeakerError
from hocket.renaming import renamed
from hocket.result import EmbeddingModel, Identity, Result
from hocket.speakers.matching import Distances, assign, margins_to_nearest, probabilities
from hocket.speakers.values import Match, Speaker
from hocket.timeline import is_numbered
from hocket.turns import Turn

LEAST_SPEECH_S = 3.0  # a cluster with less speech is not identified
# mean confidence in all turns that would be named: of 83 clusters of recordings 4 have less, of two
# that each mix two voices (0.62 and 0.70) both
LEAST_SURE = 0.72
MOST_SHARED_S = 0.5  # of overlap, at the edges of turns, between clusters of one person


class Cluster(NamedTuple):
    """A speaker of a result, not yet identified."""

    name: str
    embedding: NDArray[np.float32]
    seconds: float
    start: float
    end: float
    confidence: float | None = None


def clusters_of(result: Result) -> list[Cluster]:
    """The clusters of a result in order of appearance, with their exclusive speech."""
    clusters = []
    for name, embedding in zip(result.speakers, result.embeddings, strict=True):
        turns = [turn for turn in result.turns if turn.speaker == name]
        seconds = sum(t.duration for t in result.exclusive_turns if t.speaker == name)
        start = min((turn.start for turn in turns), default=0.0)
        end = max((turn.end for turn in turns), default=0.0)
        clusters.append(Cluster(name, embedding, seconds, start, end, _confidence_in(turns)))
    return clusters


def _confidence_in(turns: Sequence[Turn]) -> float | None:
    """Mean confidence in turns, by their lengths; None if it is not known."""
    known = [turn for turn in turns if turn.confidence is not None and turn.duration > 0]
    seconds = sum(turn.duration for turn in known)
    if not seconds:
        return None
    return sum(turn.duration * (turn.confidence or 0.0) for turn in known) / seconds


def match_clusters(
    result: Result,
    clusters: Sequence[Cluster],
    found: Distances,
    ids: NDArray[np.int64],
    model: EmbeddingModel,
    threshold: float,
    speakers: Mapping[int, Speaker],
) -> tuple[Match, ...]:
    """Known speakers for the clusters of a result, as `SpeakerStore.identify` describes.

    Args:
        result: with the clusters.
        clusters: of `clusters_of`.
        found: (clusters, known speakers), distances.
        ids: (known speakers,) their ids.
        model: of the embeddings.
        threshold: largest distance for a name.
        speakers: known speakers by id.
    """
    enough = np.array([cluster.seconds >= LEAST_SPEECH_S for cluster in clusters])
    eligible = np.where(enough[:, None], found, np.inf)
    pairs = dict(assign(eligible, max(threshold, model.suggest_distance)))
    sure = [each.confidence is None or each.confidence >= LEAST_SURE for each in clusters]
    near = {row for row, column in pairs.items() if found[row, column] <= threshold}
    certain = {row for row in near if sure[row]}
    for row in np.flatnonzero(enough).tolist():
        if (
            row not in certain
            and sure[row]
            and _shared(result, clusters, eligible[row], pairs, certain, row, threshold)
        ):
            certain.add(row)
    likely, further = probabilities(found, model.match), margins_to_nearest(found)
    matches = []
    for row, cluster in enumerate(clusters):
        column = pairs.get(row, int(found[row].argmin()) if found.shape[1] else -1)
        owner = next((r for r, c in pairs.items() if c == column and r != row), None)
        matches.append(
            Match(
                cluster.name,
                cluster.seconds,
                speakers[int(ids[column])] if row in pairs else None,
                float(found[row, column]) if column >= 0 else np.inf,
                row in certain,
                float(likely[row, column]) if column >= 0 else 0.0,
                float(further[row, column]) if column >= 0 else np.inf,
                threshold,
                None if owner is None else clusters[owner].name,
                _name_at(speakers, ids, column, found[row]),
            )
        )
    return tuple(matches)


def _name_at(
    speakers: Mapping[int, Speaker],
    ids: NDArray[np.int64],
    column: int,
    distances_of: NDArray[np.floating],
) -> str | None:
    """Name of a known speaker; None if there is none at a finite distance."""
    if column < 0 or not np.isfinite(distances_of[column]):
        return None
    return speakers[int(ids[column])].name


def _shared(
    result: Result,
    clusters: Sequence[Cluster],
    distances_of: NDArray[np.floating],
    pairs: dict[int, int],
    certain: set[int],
    row: int,
    threshold: float,
) -> bool:
    """Give a cluster the nearest speaker, whom other clusters have, if it never overlaps them."""
    if not len(distances_of) or distances_of.min() > threshold:
        return False
    column = int(distances_of.argmin())
    others = [clusters[other].name for other in certain if pairs[other] == column]
    if not others or any(
        _overlap_s(result, clusters[row].name, other) > MOST_SHARED_S for other in others
    ):
        return False
    pairs[row] = column
    return True


def _overlap_s(result: Result, one: str, other: str) -> float:
    """Seconds in which both speak."""
    turns = [turn for turn in result.turns if turn.speaker in (one, other)]
    seconds, reached = 0.0, {one: 0.0, other: 0.0}
    for turn in turns:  # in order of time
        against = other if turn.speaker == one else one
        seconds += max(0.0, min(turn.end, reached[against]) - turn.start)
        reached[turn.speaker] = max(reached[turn.speaker], turn.end)
    return seconds


def model_of(result: Result) -> EmbeddingModel:
    """The model of a result's embeddings; SpeakerError if the result has none."""
    if result.embedding_model is None:
        raise SpeakerError(
            f"{result.uri}: the result does not name the model of its embeddings; "
            "use a result of Diarizer, or set embedding_model"
        )
    return result.embedding_model


def unnamed(result: Result, matches: Iterable[Match]) -> list[Match]:
    """Matches of speakers without a name: names that are given stay, and nobody else gets them."""
    given = [name for name in result.speakers if not is_numbered(name)]
    return [
        match
        for match in matches
        if is_numbered(match.cluster) and not (match.speaker and match.speaker.name in given)
    ]


def name_speakers(result: Result, matches: Sequence[Match]) -> Result:
    """The result with the names of known speakers for all clusters that match with certainty.

    How other clusters were compared before stays among its identities.
    """
    names = {
        match.cluster: match.speaker.name for match in matches if match.speaker and match.certain
    }
    found = [_identity(match, match.nearest) for match in matches if match.nearest is not None]
    compared = {match.cluster for match in matches}
    before = [identity for identity in result.identities if identity.id not in compared]
    return replace(renamed(result, names), identities=(*before, *found))


def _identity(match: Match, name: str) -> Identity:
    margin = float(match.margin) if np.isfinite(match.margin) else None
    return Identity(
        id=match.cluster,
        name=name,
        certain=match.certain,
        distance=match.distance,
        margin=margin,
        threshold=match.threshold,
        probability=match.probability,
    )
