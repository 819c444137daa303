"""Overlapping windows to turns: what is final, and what may still change."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from hocket.arrays import Activations, Parts, Votes, segments_of
from hocket.config import RegionConfig, ResolvedConfig
from hocket.geometry import Geometry
from hocket.online.state import State, WindowResult
from hocket.reconstruct import activate, cluster_votes
from hocket.result import Turn
from hocket.segmentation.regions import count_people
from hocket.segmentation.windows import LEAST_WEIGHT, edge_weights
from hocket.timeline import tidy


@dataclass(frozen=True)
class Pace:
    """When what is said becomes final; all numbers are frames.

    delay: from the newest frame back to the first that is not final.
    latest: a turn that goes on is given out in parts, so that none of it waits longer than this.
    step: from one window's end to the next one's.
    ramp: at the ends of a window that count less.
    fade: after which what a unit says of its slot elsewhere counts less by e.
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
        """In frames, from settings in seconds."""
        stream, turns, frames = config.stream, config.turns, geometry.frames_of
        return cls(
            delay=frames(stream.delay_s),
            # to the end of a window, which its last frame stands for less than all of
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
    """Add what a window says of the frames that are not final yet.

    Args:
        state: all speakers are in it, and the window's units.
        window: what the graphs said.
        speakers: of the slots, -1 for nobody.
        labels: speakers of the units.
        pace: when frames become final.
    """
    length, end = len(window.masks), max(state.end, window.first + len(window.masks))
    late = max(0, state.done - window.first)  # frames of the window that are final already
    weights = edge_weights(length, pace.ramp)[late:, None]
    here = slice(window.first + late - state.done, window.first + length - state.done)
    grown = ((0, end - state.end), (0, 0))
    votes, people = np.pad(state.votes, grown), np.pad(state.occupancy, grown)
    votes[here] += weights * _votes(state, window, speakers, labels, pace)[late:]
    counted = np.ones((length, 4), np.float32)
    counted[:, :3] = window.occupancy
    people[here] += counted[late:] * weights
    return replace(state, end=end, votes=votes, occupancy=people, samples=window.samples)


def _votes(
    state: State,
    window: WindowResult,
    speakers: NDArray[np.int64],
    labels: NDArray[np.int64],
    pace: Pace,
) -> Votes:
    """Probability that each speaker speaks, (frames, speakers): of units, where a slot has any."""
    number, length = len(state.names), len(window.masks)
    own = labels >= 0
    parts = Parts(state.subsegments.first[own], state.subsegments.last[own], labels[own])
    within = np.zeros(length, np.bool_)
    for first, last in zip(parts.first.tolist(), parts.last.tolist(), strict=True):
        within[max(0, first - window.first) : max(0, last - window.first)] = True
    heard = (window.masks[within] > 0).any(axis=0)
    where = slice(window.first, window.first + length)
    spoken = np.where(heard, window.activity, np.float16(0))
    found = cluster_votes(
        spoken[None], np.array([window.first]), parts, number, pace.fade, 0, where
    )
    for slot in np.flatnonzero(~heard & (speakers >= 0)).tolist():
        found[:, speakers[slot]] += window.activity[:, slot]
    return found


def activations_of(state: State, regions: RegionConfig, pace: Pace) -> Activations:
    """Who speaks in the frames that are not final, behind those of `said`, (frames, speakers)."""
    weight: NDArray[np.float32] = np.maximum(state.occupancy[:, 3:], LEAST_WEIGHT)
    occupancy = state.occupancy[:, :3] / weight
    fresh = activate(state.votes, count_people(occupancy, regions))
    whole = tidy(np.concatenate([state.settled, fresh]), pace.min_pause, pace.min_turn)
    whole[: len(state.settled)] = state.settled  # what was given out stays as it was
    return whole


def settle(
    state: State,
    active: Activations,
    sure: NDArray[np.float64],
    until: int,
    geometry: Geometry,
    pace: Pace,
) -> tuple[State, list[Turn]]:
    """Make the frames before `until` final, and give out the turns that end there.

    Args:
        state: what is known.
        active: from `activations_of`.
        sure: (frames that are not final, speakers), from `frame_confidence`.
        until: frame; `state.end` at the end of the stream.
        geometry: frame grid.
        pace: what may wait.
    """
    count = max(0, until - state.done)
    final = active[len(state.settled) : len(state.settled) + count]
    turns: list[Turn] = []
    begun, trust = state.begun.copy(), np.zeros(len(state.names))
    closing = until == state.end
    for speaker in np.flatnonzero(final.any(axis=0) | (begun >= 0)).tolist():
        found = _open_and_new(final[:, speaker], state.done, int(begun[speaker]))
        begun[speaker] = -1
        for first, last in found:
            waits = last == until and not closing
            if waits and state.end + pace.step - first <= pace.latest:
                begun[speaker] = first
                trust[speaker] = _trust(state, sure, speaker, first, last)
            else:
                amount = _trust(state, sure, speaker, first, last)
                turns += _turn(state, speaker, first, last, amount, geometry)
    kept = max(0, len(state.settled) + count - pace.min_pause - pace.min_turn)
    said = active[kept : len(state.settled) + count]
    rest = slice(count, None)
    state = replace(
        state,
        done=state.done + count,
        votes=state.votes[rest],
        occupancy=state.occupancy[rest],
        settled=said,
        begun=begun,
        trust=trust,
    )
    return state, turns


def tentative(
    state: State, active: Activations, sure: NDArray[np.float64], geometry: Geometry
) -> list[Turn]:
    """Turns that are not given out: what goes on from final frames, and all that is not final.

    Args:
        state: after `settle`.
        active: as `settle` was given it.
        sure: the same.
        geometry: frame grid.
    """
    sure = sure[len(sure) - (state.end - state.done) :]
    rest = active[len(active) - (state.end - state.done) :]
    turns: list[Turn] = []
    for speaker in np.flatnonzero(rest.any(axis=0) | (state.begun >= 0)).tolist():
        for first, last in _open_and_new(rest[:, speaker], state.done, int(state.begun[speaker])):
            amount = _trust(state, sure, speaker, first, last)
            turns += _turn(state, speaker, first, last, amount, geometry)
    return sorted(turns)


def close_turn(state: State, speaker: int, geometry: Geometry) -> tuple[State, list[Turn]]:
    """Give out what is final of a speaker's open turn, for there will be no such speaker."""
    begun = state.begun.copy()
    first, begun[speaker] = int(begun[speaker]), -1
    amount = float(state.trust[speaker])
    turns = _turn(state, speaker, first, state.done, amount, geometry) if first >= 0 else []
    return replace(state, begun=begun), turns


def _open_and_new(column: NDArray[np.bool_], offset: int, begun: int) -> list[tuple[int, int]]:
    """Segments of a column, (first, last); the first may have begun before it."""
    found = [(offset + first, offset + last) for first, last in segments_of(column).tolist()]
    if begun < 0:
        return found
    if found and found[0][0] == offset:
        return [(begun, found[0][1]), *found[1:]]
    return [(begun, offset), *found]


def _trust(state: State, sure: NDArray[np.float64], speaker: int, first: int, last: int) -> float:
    """Confidence of the frames of a turn, added up; those before `done` are its open turn's."""
    before = float(state.trust[speaker]) if first < state.done else 0.0
    here = slice(max(first, state.done) - state.done, last - state.done)
    return before + float(sure[here, speaker].sum())


def _turn(
    state: State, speaker: int, first: int, last: int, trust: float, geometry: Geometry
) -> list[Turn]:
    """The turn of these frames within what was heard, or nothing."""
    start, end = (min(geometry.frame_start(edge), state.samples) for edge in (first, last))
    if end <= start:
        return []
    times = geometry.seconds_of(start), geometry.seconds_of(end)
    return [Turn(*times, state.names[speaker], min(1.0, trust / (last - first)))]
