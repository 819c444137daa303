"""Made-up conversations as windows of a stream."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hocket.backends.reference import ReferenceGraph
from hocket.config import RegionConfig
from hocket.geometry import Geometry
from hocket.online.identity import Slots
from hocket.online.tracker import (
    FrameModel,
    Heard,
    Known,
    Limits,
    Pace,
    Rules,
    State,
    Update,
    WindowResult,
    step,
)

GEOMETRY = Geometry(16_000, 160_000, 270, 991, 589, 3)
STEP, WINDOW, UNIT = 100, 589, 60  # frames
RULES = Rules(
    ReferenceGraph("post_embedding"),
    GEOMETRY,
    Limits(
        match=0.6,
        create=0.6,
        update=0.45,
        merge=0.2,
        name=0.4,
        name_early=0.5,
        crowd=0.015,
        create_s=1.6,
        loyalty=0.3,
        max_speakers=64,
    ),
    Pace(delay=355, latest=593, step=STEP, ramp=59, fade=6.0, min_pause=18, min_turn=12),
    RegionConfig(),
    FrameModel(bias=-1.4, margin=1.8, speech=0.3, learnt=0.2, alone=-0.7),
)
DIMENSION = 16

Said = Sequence[tuple[int, int, int]]
"""Who speaks: voice, first and past-the-last frame."""


def voices(number: int, seed: int = 0) -> NDArray[np.float32]:
    """Unit vectors at right angles, (number, DIMENSION)."""
    rng = np.random.default_rng(seed)
    found, _ = np.linalg.qr(rng.standard_normal((DIMENSION, DIMENSION)))
    return found[:number].astype(np.float32)


def windows_of(
    said: Said, frames: int, vectors: NDArray[np.float32], noise: float = 0.0, seed: int = 0
) -> list[WindowResult]:
    """What graphs that never err say of a conversation, window by window.

    Args:
        said: who speaks when; no more than three voices within a window.
        frames: length of it.
        vectors: (voices, dimension) what each sounds like.
        noise: length of what is added to every vector.
        seed: of it, and of which slot a voice has in a window.
    """
    rng = np.random.default_rng(seed)
    talking = np.zeros((frames, len(vectors)), np.bool_)
    for voice, first, last in said:
        talking[first:last, voice] = True
    found, before = [], 0
    for end in [*range(STEP, frames, STEP), frames]:
        first = max(0, end - WINDOW)
        here = talking[first:end]
        slots = rng.permutation(3)[: here.any(axis=0).sum()]
        masks = np.zeros((len(here), 3), np.float32)
        masks[:, slots] = here[:, np.flatnonzero(here.any(axis=0))]
        subsegments = _units(talking, vectors, (max(0, before - 30), end), noise, rng)
        found.append(_window(first, masks, subsegments, end))
        before = end
    return found


def _window(first: int, masks: NDArray[np.float32], subsegments: Heard, end: int) -> WindowResult:
    people = np.minimum(masks.sum(axis=1), 2).astype(int)
    occupancy = np.eye(3, dtype=np.float32)[people]
    samples = GEOMETRY.frame_start(end)
    return WindowResult(first, masks.astype(np.float16), occupancy, masks, subsegments, samples)


def _units(
    talking: NDArray[np.bool_],
    vectors: NDArray[np.float32],
    bounds: tuple[int, int],
    noise: float,
    rng: np.random.Generator,
) -> Heard:
    rows, found = [], [np.zeros((0, vectors.shape[1]), np.float32)]
    for first in range(*bounds, UNIT // 2):
        last = min(first + UNIT, bounds[1])
        here = talking[first:last]
        alone = here & (here.sum(axis=1, keepdims=True) == 1)
        voice = int(alone.sum(axis=0).argmax())
        if last - first >= 12 and alone[:, voice].all():
            added = rng.standard_normal(vectors.shape[1])
            vector = vectors[voice] + noise * added / np.linalg.norm(added)
            rows.append((first, last))
            length = np.linalg.norm(vector)
            found.append((vector / (length if length > 0 else 1))[None].astype(np.float32))
    places = np.array(rows, np.int64).reshape(-1, 2)
    return Heard(places[:, 0], places[:, 1], np.concatenate(found), np.zeros(len(places)))


def unit(vector: NDArray[np.floating]) -> NDArray[np.float32]:
    """The same direction, of length one."""
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def unit_rows(rows: NDArray[np.floating]) -> NDArray[np.float32]:
    """Every row of length one."""
    return np.stack([unit(row) for row in rows])


def met(
    *said: NDArray[np.float32],
    heard: NDArray[np.float32] | None = None,
    known: Sequence[Known] = (),
    seconds: float = 1.0,
) -> State:
    """Speakers who said so much, each with one exemplar, and units heard in the last window."""
    number, vectors = len(said), np.zeros((0, DIMENSION), np.float32) if heard is None else heard
    frames = np.arange(len(vectors), dtype=np.int64) * 30
    return replace(
        State.start(DIMENSION, tuple(known)),
        numbers=np.arange(number),
        called=np.full(number, -1),
        created=number,
        sums=np.stack(said).astype(np.float64),
        seconds=np.full(number, seconds),
        exemplars=np.stack(said),
        owners=np.arange(number),
        apart=np.zeros((number, number), np.int64),
        judged=np.zeros(number, np.int64),
        subsegments=Heard(frames, frames + UNIT, vectors, np.zeros(len(frames))),
        votes=np.zeros((0, number), np.float32),
        said=np.zeros((0, number), np.bool_),
        begun=np.full(number, -1),
        trust=np.zeros(number),
    )


def slots_of(state: State, seconds: float = 1.0) -> Slots:
    """All units that were heard are one slot's."""
    rows = state.subsegments.vectors @ unit_rows(state.sums).T
    mine = np.zeros((len(rows), 3))
    mine[:, 0] = seconds
    away = np.full((3, len(state.names)), np.inf)
    away[0] = 1 - rows.mean(axis=0)
    one = np.array([True, False, False])
    new = np.ones(len(rows), np.bool_)
    return Slots(mine.sum(axis=0), mine, new, away, 1 - rows, one, one)


def follow_windows(
    windows: Sequence[WindowResult],
    rules: Rules = RULES,
    known: Sequence[Known] = (),
    state: State | None = None,
) -> tuple[list[Update], State]:
    """All updates of a stream, and what is known at its end."""
    state = State.start(DIMENSION, tuple(known)) if state is None else state
    updates = []
    for index, window in enumerate(windows):
        state, update = step(state, window, rules, ends=index == len(windows) - 1)
        updates.append(update)
    return updates, state


def with_limits(**changed: float) -> Rules:
    """The rules with other thresholds."""
    return replace(RULES, limits=replace(RULES.limits, **changed))
