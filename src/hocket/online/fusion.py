"""Overlapping windows to turns: final ones, and tentative ones that may still change."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from hocket.arrays import Activations, Parts, Votes, segments_of
from hocket.config import RegionConfig, ResolvedConfig
from hocket.geometry import Geometry
from hocket.online.state import State, WindowResult
from hocket.reconstruct import activate, cluster_votes
from hocket.segmentation.regions import count_speakers
from hocket.segmentation.windows import LEAST_WEIGHT, edge_weights
from hocket.timeline import tidy
from hocket.turns import Turn


@dataclass(frozen=True)
class Pace:
    """When frames become final; all numbers are frames.

    delay: age at which frames become final.
    latest: a turn that continues is emitted in parts, so that no part waits longer than this.
    step: from the end of a window to that of the next.
    ramp: length of the ramps at both ends of a window, where frames weigh less.
    fade: frames after which the influence of a subsegment on its slot decays by a factor of e.
    min_pause, min_turn: shorter pauses are closed, then shorter turns dropped.
    """

    delay: int
    latest: int
    step: int
    ramp: int
    fade: float
    min_pause: int
    min_turn: int

    @classmethod
    def of(cls, config: ResolvedConfig, geometry: Geometry) -> Self:
        """Convert the settings, in seconds, to frames."""
        stream, turns, frames = config.stream, config.turns, geometry.frames_of
        return cls(
            delay=frames(stream.delay_s),
            # counts to the end of a window, up to a receptive field beyond its last frame
            latest=frames(stream.latest_s - geometry.seconds_of(geometry.receptive_field)) - 1,
            step=max(1, frames(stream.step_s)),
            ramp=frames(config.windows.ramp_s),
            fade=turns.fade_s * geometry.sample_rate / geometry.frame_step,
            min_pause=frames(turns.min_pause_s),
            min_turn=frames(turns.min_turn_s),
        )


def fuse(
    state: State,
    window: WindowResult,
    speakers: NDArray[np.int64],
    labels: NDArray[np.int64],
    pace: Pace,
) -> State:
    """Add a window's votes and occupancy to the frames that are not final yet.

    Args:
        state: with all speakers and the window's subsegments.
        window: output of the networks.
        speakers: (slots,) speaker of each, NO_SPEAKER for none.
        labels: (subsegments,) speaker of each, NO_SPEAKER for none.
        pace: when frames become final.
    """
    length, end = len(window.masks), max(state.end, window.first + len(window.masks))
    skipped = max(0, state.done - window.first)  # frames of the window that are already final
    weights = edge_weights(length, pace.ramp)[skipped:, None]
    target = slice(window.first + skipped - state.done, window.first + length - state.done)
    added = ((0, end - state.end), (0, 0))
    votes, occupancy = np.pad(state.votes, added), np.pad(state.occupancy, added)
    votes[target] += weights * _votes(state, window, speakers, labels, pace)[skipped:]
    weighted = np.ones((length, 4), np.float32)
    weighted[:, :3] = window.occupancy
    occupancy[target] += weighted[skipped:] * weights
    return replace(state, end=end, votes=votes, occupancy=occupancy, samples=window.samples)


def _votes(
    state: State,
    window: WindowResult,
    speakers: NDArray[np.int64],
    labels: NDArray[np.int64],
    pace: Pace,
) -> Votes:
    """Probability that each speaker speaks in a window, (frames, speakers).

    A slot votes by its subsegments, or for its speaker if it has none.
    """
    number, length = len(state.names), len(window.masks)
    own = labels >= 0
    parts = Parts(state.subsegments.first[own], state.subsegments.last[own], labels[own])
    embedded = np.zeros(length, np.bool_)
    for first, last in zip(parts.first.tolist(), parts.last.tolist(), strict=True):
        embedded[max(0, first - window.first) : max(0, last - window.first)] = True
    has_parts = (window.masks[embedded] > 0).any(axis=0)
    block = slice(window.first, window.first + length)
    activity = np.where(has_parts, window.activity, np.float16(0))
    votes = cluster_votes(
        activity[None], np.array([window.first]), parts, number, pace.fade, 0, block
    )
    for slot in np.flatnonzero(~has_parts & (speakers >= 0)).tolist():
        votes[:, speakers[slot]] += window.activity[:, slot]
    return votes


def activations_of(state: State, regions: RegionConfig, pace: Pace) -> Activations:
    """Activations of the frames in `state.settled`, then of those not final, (frames, speakers).

    Args:
        state: with the votes of all windows so far.
        regions: thresholds of speech and overlap.
        pace: which pauses are closed, and which turns dropped.
    """
    weight: NDArray[np.float32] = np.maximum(state.occupancy[:, 3:], LEAST_WEIGHT)
    occupancy = state.occupancy[:, :3] / weight
    new = activate(state.votes, count_speakers(occupancy, regions))
    active = tidy(np.concatenate([state.settled, new]), pace.min_pause, pace.min_turn)
    active[: len(state.settled)] = state.settled  # emitted frames never change
    return active


def settle(
    state: State,
    active: Activations,
    confidence: NDArray[np.float64],
    until: int,
    geometry: Geometry,
    pace: Pace,
) -> tuple[State, list[Turn]]:
    """Make the frames before `until` final, and emit the turns that end there.

    Args:
        state: with the frames that are not final.
        active: from `activations_of`.
        confidence: (frames that are not final, speakers), from `frame_confidence`.
        until: frame; `state.end` at the end of the stream.
        geometry: frame grid.
        pace: how long an open turn may wait.

    Returns:
        The new state, and the final turns.
    """
    count = max(0, until - state.done)
    final = active[len(state.settled) : len(state.settled) + count]
    turns: list[Turn] = []
    begun, trust = state.begun.copy(), np.zeros(len(state.names))
    closing = until == state.end
    for speaker in np.flatnonzero(final.any(axis=0) | (begun >= 0)).tolist():
        segments = _open_and_new(final[:, speaker], state.done, int(begun[speaker]))
        begun[speaker] = -1
        for first, last in segments:
            is_open = last == until and not closing
            if is_open and state.end + pace.step - first <= pace.latest:
                begun[speaker] = first
                trust[speaker] = _summed(state, confidence, speaker, first, last)
            else:
                total = _summed(state, confidence, speaker, first, last)
                turns += _turn(state, speaker, first, last, total, geometry)
    kept = max(0, len(state.settled) + count - pace.min_pause - pace.min_turn)
    settled = active[kept : len(state.settled) + count]
    rest = slice(count, None)
    state = replace(
        state,
        done=state.done + count,
        votes=state.votes[rest],
        occupancy=state.occupancy[rest],
        settled=settled,
        begun=begun,
        trust=trust,
    )
    return state, turns


def tentative(
    state: State, active: Activations, confidence: NDArray[np.float64], geometry: Geometry
) -> list[Turn]:
    """Turns that may still change: open turns, and those in frames that are not final.

    Args:
        state: from `settle`.
        active: the input of `settle`.
        confidence: the input of `settle`.
        geometry: frame grid.
    """
    confidence = confidence[len(confidence) - (state.end - state.done) :]
    rest = active[len(active) - (state.end - state.done) :]
    turns: list[Turn] = []
    for speaker in np.flatnonzero(rest.any(axis=0) | (state.begun >= 0)).tolist():
        for first, last in _open_and_new(rest[:, speaker], state.done, int(state.begun[speaker])):
            total = _summed(state, confidence, speaker, first, last)
            turns += _turn(state, speaker, first, last, total, geometry)
    return sorted(turns)


def close_turn(state: State, speaker: int, geometry: Geometry) -> tuple[State, list[Turn]]:
    """Emit the final part of a speaker's open turn, before the speaker is merged into another."""
    begun = state.begun.copy()
    first, begun[speaker] = int(begun[speaker]), -1
    total = float(state.trust[speaker])
    turns = _turn(state, speaker, first, state.done, total, geometry) if first >= 0 else []
    return replace(state, begun=begun), turns


def _open_and_new(column: NDArray[np.bool_], offset: int, begun: int) -> list[tuple[int, int]]:
    """Segments of a column that begins at frame `offset`; an open one may begin before it."""
    new = [(offset + first, offset + last) for first, last in segments_of(column).tolist()]
    if begun < 0:
        return new
    if new and new[0][0] == offset:
        return [(begun, new[0][1]), *new[1:]]
    return [(begun, offset), *new]


def _summed(
    state: State, confidence: NDArray[np.float64], speaker: int, first: int, last: int
) -> float:
    """Sum of the confidence over the frames of a turn; `state.trust` has that before `done`."""
    before = float(state.trust[speaker]) if first < state.done else 0.0
    rows = slice(max(first, state.done) - state.done, last - state.done)
    return before + float(confidence[rows, speaker].sum())


def _turn(
    state: State, speaker: int, first: int, last: int, total: float, geometry: Geometry
) -> list[Turn]:
    """The turn of these frames, within the samples received; empty if it lies beyond them.

    Args:
        state: with the speaker's name.
        speaker: index.
        first: frame.
        last: past-the-last frame.
        total: confidence, summed over the frames.
        geometry: frame grid.
    """
    start, end = (min(geometry.frame_start(edge), state.samples) for edge in (first, last))
    if end <= start:
        return []
    times = geometry.seconds_of(start), geometry.seconds_of(end)
    name, label = state.names[speaker], state.labels[speaker]
    confidence = min(1.0, total / (last - first))
    return [Turn(*times, name, confidence, id=None if name == label else label)]
