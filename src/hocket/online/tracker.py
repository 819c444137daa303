"""The online tracker: each window updates the speakers of a stream and its turns.

`step` is pure: the same state and window always give the same new state and update. The slots of a
window are compared with all speakers in one call of the `post_embedding` graph, and assigned
jointly. Overlapping windows are averaged. Frames become final some time after they were processed,
and then never change (docs/decisions/017-online.md).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from hocket.clustering.division import TwoSpeakers
from hocket.config import RegionConfig, ResolvedConfig, ResolvedStream
from hocket.geometry import Geometry
from hocket.graph import Graph
from hocket.online.confidence import FrameModel, frame_confidence
from hocket.online.events import SpeakerEvent, events_between
from hocket.online.fusion import (
    Pace,
    activations_of,
    close_turn,
    fuse,
    settle,
    tentative,
)
from hocket.online.identity import (
    Slots,
    add_subsegments,
    agreement,
    assign,
    compare,
    create,
    duplicates,
    label,
    learn,
    merge,
    second_best,
)
from hocket.online.naming import name, name_distances
from hocket.online.splitting import divide, keep
from hocket.online.state import NO_SPEAKER, KnownSpeaker, State, WindowEmbeddings, WindowResult
from hocket.turns import Turn

__all__ = [
    "FrameModel",
    "KnownSpeaker",
    "Pace",
    "Rules",
    "SpeakerEvent",
    "State",
    "Update",
    "WindowEmbeddings",
    "WindowResult",
    "step",
]


@dataclass(frozen=True)
class Update:
    """Turns of a stream after a window.

    time: seconds of the stream processed so far.
    final: turns that never change, in order of time; each is in one update only. A long turn comes
        in adjacent parts.
    tentative: all other turns so far, which the next update replaces.
    events: what was found of speakers; final turns before them keep their names.
    """

    time: float
    final: tuple[Turn, ...]
    tentative: tuple[Turn, ...]
    events: tuple[SpeakerEvent, ...] = ()


@dataclass(frozen=True)
class Rules:
    """Settings and models of `step`.

    graph: `post_embedding`.
    geometry: frame grid.
    config: thresholds of the stream.
    pace: when frames become final.
    regions: thresholds of speech and overlap.
    frames: confidence of frames.
    two: odds that a speaker is two; None: speakers are never split.
    """

    graph: Graph
    geometry: Geometry
    config: ResolvedStream
    pace: Pace
    regions: RegionConfig
    frames: FrameModel
    two: TwoSpeakers | None = None

    @classmethod
    def of(
        cls,
        config: ResolvedConfig,
        calibration: Mapping[str, float],
        geometry: Geometry,
        graph: Graph,
    ) -> Self:
        """The rules for these settings.

        Args:
            config: settings.
            calibration: of the embedding model, from the manifest.
            geometry: frame grid.
            graph: `post_embedding`.
        """
        return cls(
            graph=graph,
            geometry=geometry,
            config=config.stream,
            pace=Pace.of(config, geometry),
            regions=config.regions,
            frames=FrameModel.of(calibration),
            two=TwoSpeakers.of(calibration, "stream_two"),
        )


def step(
    state: State, window: WindowResult, rules: Rules, *, ends: bool = False
) -> tuple[State, Update]:
    """Process a window.

    Args:
        state: from the window before; it is not modified.
        window: output of the networks for the next window.
        rules: settings and models.
        ends: whether this is the last window, so that all frames become final.

    Returns:
        The new state, and the turns.
    """
    before = state
    state = add_subsegments(state, window)
    end = max(state.end, window.first + len(window.masks))
    until = end if ends else max(state.done, end - rules.pace.delay)
    state, slots, speakers = _assign_slots(state, window, until, rules)
    labels = label(slots, speakers, rules.config)
    state = learn(state, slots, speakers, labels, rules.config)
    state = keep(state, slots, labels)
    state = fuse(state, window, speakers, labels, rules.pace)
    state, closed, merged = _merge_and_name(state, rules)
    if rules.two is not None:
        state = divide(state, rules.two, rules.config)
    active = activations_of(state, rules.regions, rules.pace)
    confidence = frame_confidence(state, rules.frames)
    state, final = settle(state, active, confidence, until, rules.geometry, rules.pace)
    other = tentative(state, active, confidence, rules.geometry)
    time = rules.geometry.seconds_of(window.samples)
    events = events_between(before, state, merged, time, rules.config)
    return state, Update(time, tuple(sorted(closed + final)), tuple(other), events)


def _assign_slots(
    state: State, window: WindowResult, until: int, rules: Rules
) -> tuple[State, Slots, NDArray[np.int64]]:
    """Assign a window's slots to speakers, and create speakers where needed.

    Args:
        state: with the window's subsegments.
        window: output of the networks.
        until: frames before this one become final.
        rules: settings and models.

    Returns:
        The state with new speakers, the slots, and (slots,) speakers.
    """
    config, frame_s = rules.config, rules.geometry.seconds_of(rules.geometry.frame_step)
    slots = compare(state, window, rules.graph, frame_s)
    speakers = assign(slots, agreement(state, window), config)
    state, slots, speakers = create(state, slots, speakers, config)
    rows = slice(max(0, state.done - window.first), max(0, until - window.first))
    due = window.masks[rows].any(axis=0) & slots.active
    speakers = second_best(state, slots, speakers, due, config)
    missing = due & (speakers == NO_SPEAKER)
    if missing.any() and (speakers == NO_SPEAKER).all():  # better a mixed voice than no speaker
        reduced = slots._replace(slot_seconds=np.where(missing, slots.slot_seconds, 0.0))
        short = replace(config, create_s=frame_s)
        state, compared, speakers = create(state, reduced, speakers, short)
        slots = compared._replace(slot_seconds=slots.slot_seconds)
    return state, slots, speakers


def _merge_and_name(state: State, rules: Rules) -> tuple[State, list[Turn], list[tuple[int, int]]]:
    """Merge duplicate speakers, and name speakers after known ones.

    Returns:
        The new state, final turns of speakers that were merged into others, and the numbers of the
        speakers merged and of those others.
    """
    closed: list[Turn] = []
    merged: list[tuple[int, int]] = []
    while True:
        to_known = name_distances(
            state.known, state.sums, state.seconds, rules.config, state.identities, state.pinned
        )
        pair = duplicates(state, to_known, rules.config)
        if pair is None:
            return name(state, to_known), closed, merged
        kept, gone = pair
        merged.append((int(state.numbers[gone]), int(state.numbers[kept])))
        state, turns = close_turn(state, gone, rules.geometry)
        state, closed = merge(state, kept, gone), closed + turns
