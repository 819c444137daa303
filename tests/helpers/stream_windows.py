"""Synthetic conversations as the windows of a stream."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hocket.backends.reference import ReferenceGraph
from hocket.config import RegionConfig, ResolvedStream
from hocket.online.identity import Slots
from hocket.online.tracker import (
    FrameModel,
    KnownSpeaker,
    Pace,
    Rules,
    State,
    Update,
    WindowEmbeddings,
    WindowResult,
    step,
)
from tests.helpers.geometry import SHIPPED

STEP, WINDOW, SUBSEGMENT = 100, 589, 60  # frames
RULES = Rules(
    ReferenceGraph("post_embedding"),
    SHIPPED,
    ResolvedStream(
        match=0.6,
        create=0.6,
        update=0.45,
        merge=0.2,
        name=0.4,
        name_early=0.5,
        crowd=0.015,
        create_s=1.6,
        continuity_bonus=0.3,
        max_speakers=64,
    ),
    Pace(delay=355, latest=593, step=STEP, ramp=59, fade=6.0, min_pause=18, min_turn=12),
    RegionConfig(),
    FrameModel(bias=-1.4, margin=1.8, speech=0.3, learnt=0.2, alone=-0.7),
)
DIMENSION = 16

Speech = Sequence[tuple[int, int, int]]
"""Who speaks when: voice, first and past-the-last frame."""


def voices(number: int, seed: int = 0) -> NDArray[np.float32]:
    """Unit vectors at right angles, (number, DIMENSION)."""
    rng = np.random.default_rng(seed)
    found, _ = np.linalg.qr(rng.standard_normal((DIMENSION, DIMENSION)))
    return found[:number].astype(np.float32)


def windows_of(
    speech: Speech, frames: int, vectors: NDArray[np.float32], noise: float = 0.0, seed: int = 0
) -> list[WindowResult]:
    """The windows of a conversation, from networks that make no mistakes.

    Args:
        speech: who speaks when; no more than three voices within a window.
        frames: length of the conversation.
        vectors: (voices, dimension), the embedding of each.
        noise: length of the noise that is added to every embedding.
        seed: of the noise, and of the slot that a voice has in a window.
    """
    rng = np.random.default_rng(seed)
    speaks = np.zeros((frames, len(vectors)), np.bool_)
    for voice, first, last in speech:
        speaks[first:last, voice] = True
    found, before = [], 0
    for end in [*range(STEP, frames, STEP), frames]:
        first = max(0, end - WINDOW)
        here = speaks[first:end]
        slots = rng.permutation(3)[: here.any(axis=0).sum()]
        masks = np.zeros((len(here), 3), np.float32)
        masks[:, slots] = here[:, np.flatnonzero(here.any(axis=0))]
        embeddings = _embeddings(speaks, vectors, (max(0, before - 30), end), noise, rng)
        found.append(_window(first, masks, embeddings, end))
        before = end
    return found


def _window(
    first: int, masks: NDArray[np.float32], embeddings: WindowEmbeddings, end: int
) -> WindowResult:
    number = np.minimum(masks.sum(axis=1), 2).astype(int)
    occupancy = np.eye(3, dtype=np.float32)[number]
    samples = SHIPPED.frame_start(end)
    return WindowResult(first, masks.astype(np.float16), occupancy, masks, embeddings, samples)


def _embeddings(
    speaks: NDArray[np.bool_],
    vectors: NDArray[np.float32],
    bounds: tuple[int, int],
    noise: float,
    rng: np.random.Generator,
) -> WindowEmbeddings:
    rows, found = [], [np.zeros((0, vectors.shape[1]), np.float32)]
    for first in range(*bounds, SUBSEGMENT // 2):
        last = min(first + SUBSEGMENT, bounds[1])
        here = speaks[first:last]
        alone = here & (here.sum(axis=1, keepdims=True) == 1)
        voice = int(alone.sum(axis=0).argmax())
        if last - first >= 12 and alone[:, voice].all():
            added = rng.standard_normal(vectors.shape[1])
            vector = vectors[voice] + noise * added / np.linalg.norm(added)
            rows.append((first, last))
            length = np.linalg.norm(vector)
            found.append((vector / (length if length > 0 else 1))[None].astype(np.float32))
    frames = np.array(rows, np.int64).reshape(-1, 2)
    narrow = np.zeros(len(frames))
    return WindowEmbeddings(frames[:, 0], frames[:, 1], np.concatenate(found), narrow)


def unit(vector: NDArray[np.floating]) -> NDArray[np.float32]:
    """The same direction, of length one."""
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def unit_rows(rows: NDArray[np.floating]) -> NDArray[np.float32]:
    """Every row scaled to length one."""
    return np.stack([unit(row) for row in rows])


def state_of(
    *speakers: NDArray[np.float32],
    window: NDArray[np.float32] | None = None,
    known: Sequence[KnownSpeaker] = (),
    seconds: float = 1.0,
) -> State:
    """A state with one speaker for each vector.

    Args:
        speakers: (dimension,) the embedding of each, which is its one exemplar.
        window: (subsegments, dimension) embeddings of the last window; None: there are none.
        known: known speakers.
        seconds: speech of each speaker.
    """
    number = len(speakers)
    vectors = np.zeros((0, DIMENSION), np.float32) if window is None else window
    frames = np.arange(len(vectors), dtype=np.int64) * 30
    return replace(
        State.start(DIMENSION, tuple(known)),
        numbers=np.arange(number),
        identities=np.full(number, -1),
        pinned=np.zeros(number, np.bool_),
        created=number,
        sums=np.stack(speakers).astype(np.float64),
        seconds=np.full(number, seconds),
        exemplars=np.stack(speakers),
        owners=np.arange(number),
        apart=np.zeros((number, number), np.int64),
        judged=np.zeros(number, np.int64),
        subsegments=WindowEmbeddings(frames, frames + SUBSEGMENT, vectors, np.zeros(len(frames))),
        votes=np.zeros((0, number), np.float32),
        settled=np.zeros((0, number), np.bool_),
        begun=np.full(number, -1),
        trust=np.zeros(number),
    )


def slots_of(state: State, seconds: float = 1.0) -> Slots:
    """One slot that all subsegments of the last window belong to."""
    rows = state.subsegments.vectors @ unit_rows(state.sums).T
    seconds_of = np.zeros((len(rows), 3))
    seconds_of[:, 0] = seconds
    distances = np.full((3, len(state.names)), np.inf)
    distances[0] = 1 - rows.mean(axis=0)
    one = np.array([True, False, False])
    new = np.ones(len(rows), np.bool_)
    return Slots(seconds_of.sum(axis=0), seconds_of, new, distances, 1 - rows, one, one)


def follow_windows(
    windows: Sequence[WindowResult],
    rules: Rules = RULES,
    known: Sequence[KnownSpeaker] = (),
    state: State | None = None,
) -> tuple[list[Update], State]:
    """All updates of a stream, and its last state."""
    state = State.start(DIMENSION, tuple(known)) if state is None else state
    updates = []
    for index, window in enumerate(windows):
        state, update = step(state, window, rules, ends=index == len(windows) - 1)
        updates.append(update)
    return updates, state


def with_config(**changed: float) -> Rules:
    """The rules with other thresholds."""
    return replace(RULES, config=replace(RULES.config, **changed))
