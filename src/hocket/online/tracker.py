"""The online tracker: one window after the other, each changes what is known and says who speaks.

`step` is pure: the same state and window give the same state and update, whoever calls. A window's
slots are compared with all speakers in one call of the `post_embedding` graph and assigned
together; overlapping windows are added up, so nothing is said twice; frames become final a while
after they were heard, and then never change (docs/decisions/017-online.md).
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
    agreement,
    assign,
    compare,
    create,
    duplicates,
    label,
    learn,
    merge,
    remember,
    second_best,
)
from hocket.online.naming import name, name_distances
from hocket.online.splitting import divide, keep
from hocket.online.state import NOBODY, KnownSpeaker, State, WindowEmbeddings, WindowResult
from hocket.result import Turn

__all__ = [
    "FrameModel",
    "WindowEmbeddings",
    "KnownSpeaker",
    "Pace",
    "Rules",
    "State",
    "Update",
    "WindowResult",
    "step",
]


@dataclass(frozen=True)
class Update:
    """What a stream says after a window.

    time: how much of the stream was heard.
    final: turns that never change, in order of time; each is in one update. A long one comes in
        parts that touch.
    tentative: what else seems to be said until now; the next update has it anew.
    """

    time: float
    final: tuple[Turn, ...]
    tentative: tuple[Turn, ...]


@dataclass(frozen=True)
class Rules:
    """All that `step` goes by.

    graph: `post_embedding`.
    geometry: frame grid.
    config: which slot is whom.
    pace: when what is said becomes final.
    regions: how many people speak.
    frames: how sure a frame of a turn is.
    two: odds that a speaker is two; None: none is looked at.
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
        """The rules that settings and an embedding model's calibration come to."""
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
    """Take a window.

    Args:
        state: what is known; it is not changed.
        window: the next one.
        rules: thresholds and graph.
        ends: nothing comes after it; everything becomes final.

    Returns:
        The state to go on from, and what to say.
    """
    state = remember(state, window)
    end = max(state.end, window.first + len(window.masks))
    until = end if ends else max(state.done, end - rules.pace.delay)
    state, slots, speakers = _who_speaks(state, window, until, rules)
    labels = label(slots, speakers, rules.config)
    state = learn(state, slots, speakers, labels, rules.config)
    state = keep(state, slots, labels)
    state = fuse(state, window, speakers, labels, rules.pace)
    state, closed = _settle_who(state, rules)
    if rules.two is not None:
        state = divide(state, rules.two, rules.config)
    active = activations_of(state, rules.regions, rules.pace)
    sure = frame_confidence(state, rules.frames)
    state, given = settle(state, active, sure, until, rules.geometry, rules.pace)
    waiting = tentative(state, active, sure, rules.geometry)
    time = rules.geometry.seconds_of(window.samples)
    return state, Update(time, tuple(sorted(closed + given)), tuple(waiting))


def _who_speaks(
    state: State, window: WindowResult, until: int, rules: Rules
) -> tuple[State, Slots, NDArray[np.int64]]:
    """Speakers of a window's slots, made where there are none; frames before `until` become final.

    Returns:
        the state with new speakers, the slots, and (slots,) the speaker of each.
    """
    config, frame_s = rules.config, rules.geometry.seconds_of(rules.geometry.frame_step)
    slots = compare(state, window, rules.graph, frame_s)
    speakers = assign(slots, agreement(state, window), config)
    state, slots, speakers = create(state, slots, speakers, config)
    ripe = slice(max(0, state.done - window.first), max(0, until - window.first))
    due = window.masks[ripe].any(axis=0) & slots.active
    speakers = second_best(state, slots, speakers, due, config)
    lost = due & (speakers == NOBODY)
    if lost.any() and (speakers == NOBODY).all():  # some voice is better than none
        hurried = slots._replace(mine=np.where(lost, slots.mine, 0.0))
        state, more, speakers = create(state, hurried, speakers, replace(config, create_s=frame_s))
        slots = more._replace(mine=slots.mine)
    return state, slots, speakers


def _settle_who(state: State, rules: Rules) -> tuple[State, list[Turn]]:
    """Make one speaker of those that turned out to be one, and call them by their names."""
    closed: list[Turn] = []
    while True:
        claims = name_distances(state.known, state.sums, state.seconds, rules.config)
        pair = duplicates(state, claims, rules.config)
        if pair is None:
            return name(state, claims), closed
        kept, gone = pair
        state, turns = close_turn(state, gone, rules.geometry)
        state, closed = merge(state, kept, gone), closed + turns
