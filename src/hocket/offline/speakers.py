"""Embeddings of a recording to its speakers, without constraints: a pure function."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hocket.arrays import Centroids, Parts, unit_length
from hocket.clustering import (
    CLUSTERERS,
    Odds,
    Plda,
    Request,
    Selection,
    TwoSpeakers,
    VoiceVectors,
    centroids_of,
    divide_regions,
    resolve_speakers,
    speaker_scores,
    tracks_of,
)
from hocket.config import ResolvedClustering, SpeakerCount
from hocket.embedding.channels import ChannelModel, compensate_subsegments
from hocket.embedding.subsegments import subsegment_seconds
from hocket.errors import ConfigError
from hocket.notices import Notices
from hocket.offline.artifacts import Artifacts

AUDIBLE_S = 1.0  # least sound in which somebody is expected
# log odds of two voices: 3 %. Where a number is told, splits just below even odds are often right
ONE_VOICE = -3.5
# log odds by which two voices are less likely in a channel of its own: 12 to 1
ONE_VOICE_A_CHANNEL = 2.5


class ClusteringModels(NamedTuple):
    """What clustering needs to know of the embedding network.

    two: odds that the halves of a cluster are two speakers.
    channels: what channels add to embeddings; None: nothing is known of it.
    plda: a trained PLDA, for the clusterer that needs one.
    """

    two: TwoSpeakers
    channels: ChannelModel | None
    plda: Plda | None


class FoundSpeakers(NamedTuple):
    """Speakers of a recording.

    voices: all subsegments, as unit vectors without what channels add.
    selection: speaker of every subsegment, -1 for those that created none.
    centroids: (speakers, dimension).
    odds: of splits and merges that were not made; None if they were not judged.
    """

    voices: VoiceVectors
    selection: Selection
    centroids: Centroids
    odds: Odds | None

    def parts(self, artifacts: Artifacts) -> Parts:
        """All regions divided among the speakers."""
        labels, spurious = self.selection.labels, self.selection.spurious
        scores = speaker_scores(self.voices.vectors, labels, self.centroids, spurious)
        return divide_regions(artifacts.regions, artifacts.subsegments, scores)


def find_speakers(
    artifacts: Artifacts,
    config: ResolvedClustering,
    models: ClusteringModels,
    count: SpeakerCount,
) -> FoundSpeakers:
    """Cluster the trusted subsegments of a recording, and choose the clusters that are speakers.

    Where no embedding is usable there is one speaker, with a zero embedding.

    Args:
        artifacts: what the networks made of the recording.
        config: thresholds.
        models: what is known of the embedding network.
        count: how many speakers there may be.

    Raises:
        ConfigError: there is no such clusterer.
        ModelError: the PLDA is for embeddings of another size.
    """
    if config.method not in CLUSTERERS:
        raise ConfigError(f"method is '{config.method}'; give one of {', '.join(CLUSTERERS)}")
    every = _voices(artifacts, models.channels)
    usable = np.asarray(every.vectors.any(axis=1))
    trusted: NDArray[np.bool_] = usable & _trusted(artifacts, config)
    if np.count_nonzero(trusted) < count.minimum:  # better a guess than nobody
        trusted = usable
    voices, clusterer = every.at(trusted), CLUSTERERS[config.method]
    chosen = resolve_speakers(
        voices,
        artifacts.subsegments.region[trusted],
        lambda at_least: clusterer(voices, Request(config.threshold, at_least, models.plda)),
        config,
        models.two,
        count,
    )
    labels = np.full(len(every.vectors), -1, np.int32)
    labels[trusted] = chosen.labels
    centroids, spurious = centroids_of(every, labels), chosen.spurious
    if not usable.any():
        centroids, spurious = np.zeros_like(every.vectors[:1]), np.zeros(len(every.vectors[:1]))
    return FoundSpeakers(every, Selection(labels, spurious), centroids, chosen.odds)


def _voices(artifacts: Artifacts, channels: ChannelModel | None) -> VoiceVectors:
    """All subsegments as unit vectors, zero where an embedding is not usable."""
    found, subsegments = artifacts.embeddings, artifacts.subsegments
    finite = np.asarray(np.isfinite(found).all(axis=1))
    vectors = unit_length(np.where(finite[:, None], found, np.float32(0)))
    vectors, narrow, telephone = compensate_subsegments(vectors, artifacts.bands, channels)
    seconds = subsegment_seconds(artifacts.regions, subsegments, artifacts.geometry)
    windows = artifacts.segmentation
    tracks = None
    if telephone.any():  # elsewhere links between local speakers are not used
        tracks = tracks_of(windows.activity, windows.first_frames, subsegments)
    return VoiceVectors(vectors, found, seconds, narrow, telephone, tracks)


def _trusted(artifacts: Artifacts, config: ResolvedClustering) -> NDArray[np.bool_]:
    """Subsegments long enough, and surely enough of one speaker, to create one, (subsegments,)."""
    subsegments = artifacts.subsegments
    lengths = subsegments.last - subsegments.first
    alone = np.concatenate([[0.0], np.cumsum(artifacts.segmentation.occupancy[:, 1])])
    probability = (alone[subsegments.last] - alone[subsegments.first]) / lengths
    long_enough = lengths >= artifacts.geometry.frames_of(config.min_trusted_s)
    trusted: NDArray[np.bool_] = long_enough & (probability >= config.min_trusted_probability)
    return trusted


def note_nobody(audible_s: float, notices: Notices) -> None:
    """Note that nobody is found in a recording that is not silent."""
    if audible_s < AUDIBLE_S:
        return
    text = (
        f"nobody is found to speak in {audible_s:.0f} s of sound that is not silent; if somebody "
        "does, the sound may be too noisy, or be in another channel or track"
    )
    notices.add("nobody", text)


def note_forced(found: FoundSpeakers, count: SpeakerCount, notices: Notices) -> None:
    """Note if the requested number makes speakers of what is probably one voice."""
    forced = int(np.count_nonzero(found.odds.apart < ONE_VOICE)) if found.odds else 0
    if count.minimum > 1 and forced:
        found_apart = len(found.centroids) - forced
        text = f"{count.minimum} speakers were requested; separate voices were found for"
        notices.add("speakers", f"{text} {found_apart}; try fewer")
