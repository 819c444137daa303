"""Turns of a whole recording: votes, block by block, and the activations that follow from them."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hocket.arrays import Activations, Parts, Votes
from hocket.clustering import (
    ConstrainedSpeakers,
    TwoSpeakers,
    divide_regions,
    speaker_scores,
)
from hocket.config import Config, ResolvedConfig, SpeakerCount
from hocket.corrections.frames import (
    AppliedConstraints,
    constrain_activations,
    constrain_parts,
    constrain_speakers,
    favor,
    lay_out,
    names_of,
    note_ignored,
    same_speakers,
)
from hocket.corrections.gathering import ConstraintSet
from hocket.geometry import Geometry
from hocket.notices import Notices
from hocket.offline.artifacts import Artifacts
from hocket.offline.speakers import FoundSpeakers
from hocket.reconstruct import activate, cluster_votes, exclusive_activations, frame_blocks
from hocket.segmentation.aggregation import Segmentation
from hocket.segmentation.regions import count_speakers
from hocket.timeline import order_of_appearance, speaker_names, tidy, to_turns
from hocket.turns import Turn

KEPT = 4  # blocks; more than an hour, 21 MB with 20 speakers

Voting = Callable[[slice], Votes]
"""Returns the votes of a block of frames, one of `frame_blocks`: (frames, clusters)."""


def voting_of(
    segmentation: Segmentation,
    geometry: Geometry,
    config: Config,
    parts: Parts,
    clusters: int,
    applied: AppliedConstraints | None = None,
) -> Voting:
    """A function that returns the votes of a block, and caches those of the first KEPT blocks.

    The votes of a recording of hours would dominate its memory; those of one hour do not.

    Args:
        segmentation: of the recording.
        geometry: frame grid.
        config: settings of windows and turns.
        parts: regions divided among clusters.
        clusters: number of clusters.
        applied: constraints; None: there are none.
    """
    starts, activity, _ = segmentation
    fade = config.turns.fade_s * geometry.sample_rate / geometry.frame_step
    ramp = geometry.frames_of(config.windows.ramp_s)
    kept: dict[int, Votes] = {}

    def votes(block: slice) -> Votes:
        if block.start in kept:
            return kept[block.start]
        found = cluster_votes(activity, starts, parts, clusters, fade, ramp, block)
        found = favor(found, applied.labels[block]) if applied else found
        if len(kept) < KEPT:
            kept[block.start] = found
        return found

    return votes


def activations_of(
    voting: Voting,
    segmentation: Segmentation,
    geometry: Geometry,
    config: Config,
    applied: AppliedConstraints | None = None,
    paused: NDArray[np.bool_] | None = None,
) -> Activations:
    """Activations of a recording, without short pauses and turns, (frames, clusters).

    Args:
        voting: from `voting_of`.
        segmentation: of the recording.
        geometry: frame grid.
        config: settings of regions and turns.
        applied: constraints; None: there are none.
        paused: (frames,), where nobody speaks; None: nothing is known of it.
    """
    counts = count_speakers(segmentation.occupancy, config.regions)
    if applied:
        counts[applied.nobody] = 0
    if paused is not None:
        counts[paused] = 0
    blocks = [activate(voting(block), counts[block]) for block in frame_blocks(len(counts))]
    activations = _tidied(blocks, geometry, config)
    if paused is not None:  # shorter pauses than the network's are known
        activations[paused] = False
        activations = tidy(activations, 0, geometry.frames_of(config.turns.min_turn_s))
    return constrain_activations(activations, counts, applied) if applied else activations


def _tidied(blocks: list[Activations], geometry: Geometry, config: Config) -> Activations:
    pause, turn = config.turns.min_pause_s, config.turns.min_turn_s
    return tidy(np.concatenate(blocks), geometry.frames_of(pause), geometry.frames_of(turn))


def _appearing(
    voting: Voting, segmentation: Segmentation, geometry: Geometry, config: Config
) -> NDArray[np.int64]:
    """Clusters in order of appearance, from only as many blocks as are needed for all of them."""
    counts = count_speakers(segmentation.occupancy, config.regions)
    blocks: list[Activations] = []
    for block in frame_blocks(len(counts)):
        blocks.append(activate(voting(block), counts[block]))
        activations = _tidied(blocks, geometry, config)
        if activations.any(axis=0).all():
            break
    return order_of_appearance(activations)


class Reconstruction(NamedTuple):
    """Who speaks in every frame, and the turns that follow.

    order: (speakers,) cluster of every speaker, in order of appearance.
    names: of the speakers, in that order.
    activations: (frames, speakers).
    turns: as in `Result`.
    exclusive_turns: as in `Result`.
    """

    order: NDArray[np.int64]
    names: tuple[str, ...]
    activations: Activations
    turns: tuple[Turn, ...]
    exclusive_turns: tuple[Turn, ...]


def reconstruct(
    artifacts: Artifacts,
    config: ResolvedConfig,
    parts: Parts,
    clusters: int,
    held: AppliedConstraints | None,
) -> Reconstruction:
    """Turns of regions that are divided among clusters.

    Args:
        artifacts: what the networks computed for the recording.
        config: settings of windows and turns.
        parts: regions divided among clusters.
        clusters: number of clusters.
        held: constraints; None: there are none.
    """
    windows, geometry, samples = artifacts.segmentation, artifacts.geometry, artifacts.samples
    voting = voting_of(windows, geometry, config, parts, clusters, held)
    paused = _paused(artifacts) if artifacts.pauses else None
    activations = activations_of(voting, windows, geometry, config, held, paused)
    order = order_of_appearance(activations)
    activations = activations[:, order]
    names = speaker_names(len(order))
    if held:
        names = names_of(order, held.names, held.kept, held.before)
    single = [
        exclusive_activations(voting(block), activations[block], order)
        for block in frame_blocks(len(activations))
    ]
    return Reconstruction(
        order,
        names,
        activations,
        to_turns(activations, names, geometry, samples),
        to_turns(np.concatenate(single), names, geometry, samples),
    )


def _paused(artifacts: Artifacts) -> NDArray[np.bool_]:
    """Frames in which nobody speaks in the channel, (frames,)."""
    geometry = artifacts.geometry
    paused = np.zeros(len(artifacts.segmentation.occupancy), np.bool_)
    first = geometry.seconds_of(geometry.frame_start(0))
    times = np.array(artifacts.pauses) - (artifacts.start_s + first)
    frames = np.round(times * geometry.sample_rate / geometry.frame_step).astype(np.int64)
    for start, end in np.maximum(frames, 0).tolist():
        paused[start:end] = True
    return paused


def apply_constraints(
    artifacts: Artifacts,
    config: ResolvedConfig,
    constraints: ConstraintSet,
    found: FoundSpeakers,
    model: TwoSpeakers,
    count: SpeakerCount,
    notices: Notices,
) -> tuple[Parts, ConstrainedSpeakers | None, AppliedConstraints]:
    """Parts, speakers and frames with constraints in place.

    Args:
        artifacts: what the networks computed for the recording.
        config: settings of clustering, windows and turns.
        constraints: constraints, joined by speaker.
        found: speakers found without constraints.
        model: odds of two speakers.
        count: how many speakers there may be.
        notices: get the constraints that have no effect.

    Returns:
        The parts; the speakers, or None if constraints do not change them; and the constraints in
        terms of clusters.

    Raises:
        ConfigError: there is no speaker of a name SPEAKER_nn, or the constraints need more speakers
            than there may be.
    """
    geometry, segmentation, subsegments = (
        artifacts.geometry, artifacts.segmentation, artifacts.subsegments,
    )  # fmt: skip

    def appearing() -> NDArray[np.int64]:
        parts = found.parts(artifacts)
        voting = voting_of(segmentation, geometry, config, parts, len(found.centroids))
        return _appearing(voting, segmentation, geometry, config)

    least = geometry.frames_of(config.turns.min_turn_s)
    layout = lay_out(constraints, geometry, subsegments, len(segmentation.occupancy), least)
    note_ignored(layout, notices)
    if not layout.groups:
        unchanged = same_speakers(layout, appearing(), notices)
        return found.parts(artifacts), None, unchanged
    voices = found.voices
    placed, applied = constrain_speakers(
        layout,
        voices,
        found.selection,
        subsegments,
        appearing,
        config.clustering,
        model,
        count,
        notices,
    )
    scores = speaker_scores(voices.vectors, placed.labels, placed.centroids, placed.spurious)
    divided = divide_regions(artifacts.regions, subsegments, scores)
    return constrain_parts(divided, artifacts.regions, applied.labels), placed, applied
