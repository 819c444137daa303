"""Who speaks when in a whole recording: votes, block by block, and what they come to."""

from collections.abc import Callable

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
from hocket.corrections.constraints import ConstraintSet
from hocket.corrections.frames import (
    AppliedConstraints,
    correct,
    favour,
    hold_frames,
    hold_parts,
    lay_out,
    warn_of_silence,
)
from hocket.geometry import Geometry
from hocket.offline.artifacts import Artifacts
from hocket.offline.speakers import FoundSpeakers
from hocket.reconstruct import activate, cluster_votes, frame_blocks
from hocket.segmentation.aggregation import Segmentation
from hocket.segmentation.regions import count_people
from hocket.timeline import order_of_appearance, tidy

KEPT = 4  # blocks; more than an hour, of 20 speakers 21 MB

Voting = Callable[[slice], Votes]
"""Gives the votes of a block of frames, one of `frame_blocks`: (frames, clusters)."""


def voting_of(
    segmentation: Segmentation,
    geometry: Geometry,
    config: Config,
    parts: Parts,
    clusters: int,
    held: AppliedConstraints | None = None,
) -> Voting:
    """What gives the votes of every block; it keeps those of the first KEPT.

    The votes of hours would be most of the memory, those of one hour are not.

    Args:
        segmentation: who speaks in every window.
        geometry: frame grid.
        config: how windows and turns are put together.
        parts: runs divided among clusters.
        clusters: number of clusters.
        held: what constraints hold; None: nothing.
    """
    starts, activity, _ = segmentation
    fade = config.turns.fade_s * geometry.sample_rate / geometry.frame_step
    ramp = geometry.frames_of(config.windows.ramp_s)
    kept: dict[int, Votes] = {}

    def votes(block: slice) -> Votes:
        if block.start in kept:
            return kept[block.start]
        found = cluster_votes(activity, starts, parts, clusters, fade, ramp, block)
        found = favour(found, held.owners[block]) if held else found
        if len(kept) < KEPT:
            kept[block.start] = found
        return found

    return votes


def activations_of(
    voting: Voting,
    segmentation: Segmentation,
    geometry: Geometry,
    config: Config,
    held: AppliedConstraints | None = None,
) -> Activations:
    """Who speaks when, without short pauses and turns, (frames, clusters); see `voting_of`."""
    counts = count_people(segmentation.occupancy, config.regions)
    if held:
        counts[held.nobody] = 0
    blocks = [activate(voting(block), counts[block]) for block in frame_blocks(len(counts))]
    activations = _tidied(blocks, geometry, config)
    return hold_frames(activations, counts, held) if held else activations


def _tidied(blocks: list[Activations], geometry: Geometry, config: Config) -> Activations:
    pause, turn = config.turns.min_pause_s, config.turns.min_turn_s
    return tidy(np.concatenate(blocks), geometry.frames_of(pause), geometry.frames_of(turn))


def _appearing(
    voting: Voting, segmentation: Segmentation, geometry: Geometry, config: Config
) -> NDArray[np.int64]:
    """Clusters in order of appearance, from no more blocks than it takes for all to appear."""
    counts = count_people(segmentation.occupancy, config.regions)
    said: list[Activations] = []
    for block in frame_blocks(len(counts)):
        said.append(activate(voting(block), counts[block]))
        activations = _tidied(said, geometry, config)
        if activations.any(axis=0).all():
            break
    return order_of_appearance(activations)


def hold(
    artifacts: Artifacts,
    config: ResolvedConfig,
    constraints: ConstraintSet,
    found: FoundSpeakers,
    model: TwoSpeakers,
    count: SpeakerCount,
) -> tuple[Parts, ConstrainedSpeakers | None, AppliedConstraints]:
    """Parts, speakers and frames with constraints in place; None where speakers stay as found.

    Args:
        artifacts: what the networks made of the recording.
        config: how windows and turns are put together.
        constraints: what is to hold.
        found: speakers found without constraints.
        model: odds of two speakers.
        count: how many speakers there may be.

    Raises:
        ConfigError: a name SPEAKER_nn is nobody's, or more speakers are needed than there may be.
    """
    geometry, segments, subsegments = (
        artifacts.geometry, artifacts.segmentation, artifacts.subsegments,
    )  # fmt: skip

    def appearing() -> NDArray[np.int64]:
        parts = found.parts(artifacts)
        voting = voting_of(segments, geometry, config, parts, len(found.centroids))
        return _appearing(voting, segments, geometry, config)

    least = geometry.frames_of(config.turns.min_turn_s)
    layout = lay_out(constraints, geometry, subsegments, len(segments.occupancy), least)
    warn_of_silence(layout, artifacts.uri)
    if not layout.groups:
        unchanged = AppliedConstraints(layout.owners, layout.nobody, {}, {}, layout.owners >= 0)
        return found.parts(artifacts), None, unchanged
    voices = found.voices
    placed, held = correct(
        layout, voices, found.selection, subsegments, appearing, config.clustering, model, count
    )
    scores = speaker_scores(voices.vectors, placed.labels, placed.centroids, placed.spurious)
    divided = divide_regions(artifacts.regions, subsegments, scores)
    return hold_parts(divided, artifacts.regions, held.owners), placed, held
