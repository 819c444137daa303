"""Slots to speakers: assignment of a window's local speakers, and updates of the speakers.

One call of the `post_embedding` graph compares all slots and subsegments of a window with all
speakers. Slots are assigned jointly. A subsegment of a slot may still be another speaker's, since a
slot mixes speakers if a window has more of them than slots (docs/decisions/017-online.md).
"""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hocket.arrays import unit_length
from hocket.config import ResolvedStream
from hocket.graph import Graph
from hocket.online.naming import NameDistances, name_distances, nearest_known
from hocket.online.state import (
    NO_SPEAKER,
    State,
    WindowEmbeddings,
    WindowResult,
    free_numbers,
    select,
)

# distance of a slot without subsegments to every speaker, so that only earlier windows count
NO_EVIDENCE = 0.9
FORBIDDEN = 1e3  # cost above the sum of all allowed costs


class Slots(NamedTuple):
    """The slots of a window and its subsegments, compared with all speakers.

    seconds: (slots,) of single-speaker speech of a slot that was embedded.
    slot_seconds: (subsegments, slots), seconds of a subsegment in which a slot speaks alone; 0
        unless that is most of the subsegment.
    new: (subsegments,) whether the subsegment is new in this window.
    distances: (slots, speakers), cosine distance from the mean of a slot's subsegments to the
        nearest exemplar or the mean of a speaker.
    subsegment_distances: (subsegments, speakers), the same for every subsegment.
    active: (slots,) whether a slot speaks at all.
    valid: (slots,) whether a slot has a usable mean.
    """

    seconds: NDArray[np.float64]
    slot_seconds: NDArray[np.float64]
    new: NDArray[np.bool_]
    distances: NDArray[np.float64]
    subsegment_distances: NDArray[np.float64]
    active: NDArray[np.bool_]
    valid: NDArray[np.bool_]


def add_subsegments(state: State, window: WindowResult) -> State:
    """The state with a window's subsegments, and without those that end before the window."""
    old, new = state.subsegments, window.subsegments
    kept = old.last > window.first
    subsegments = WindowEmbeddings(
        np.concatenate([old.first[kept], new.first]),
        np.concatenate([old.last[kept], new.last]),
        np.concatenate([old.vectors[kept], new.vectors]),
        np.concatenate([old.narrow[kept], new.narrow]),
    )
    return replace(state, subsegments=subsegments)


def compare(state: State, window: WindowResult, graph: Graph, frame_s: float) -> Slots:
    """Compare the slots of a window with all speakers, in one call of a graph.

    Args:
        state: with the window's subsegments.
        window: output of the networks.
        graph: `post_embedding`.
        frame_s: seconds of a frame.
    """
    subsegments, masks = state.subsegments, window.masks
    single = masks * (masks.sum(axis=1, keepdims=True) == 1)
    summed = np.concatenate([np.zeros((1, masks.shape[1])), single.cumsum(axis=0)]) * frame_s
    start, end = (np.clip(edge - window.first, 0, len(masks)) for edge in subsegments[:2])
    seconds = summed[end] - summed[start]
    mostly = 2 * seconds > ((subsegments.last - subsegments.first) * frame_s)[:, None]
    seconds = np.where(mostly, seconds, 0.0)
    weight = seconds.sum(axis=0)
    means = (seconds.T @ subsegments.vectors) / np.maximum(weight, frame_s)[:, None]
    frames = np.arange(len(masks))[:, None]
    within = (frames >= start) & (frames < end)
    database = np.concatenate([state.sums, state.exemplars]).astype(np.float32)
    outputs = graph.run(
        {
            "embeddings": np.concatenate([means, subsegments.vectors]).astype(np.float32),
            "database": database,
            "segments": np.concatenate([masks, within], axis=1)[None].astype(np.float32),
        }
    )
    owners = np.concatenate([np.arange(len(state.names)), state.owners])
    nearest = np.full((len(outputs["distances"]), len(state.names)), np.inf)
    np.minimum.at(nearest.T, owners, outputs["distances"].T)
    number = masks.shape[1]
    return Slots(
        seconds=np.minimum(weight, summed[-1]),
        slot_seconds=seconds,
        new=np.arange(len(seconds)) >= len(seconds) - len(window.subsegments.first),
        distances=nearest[:number],
        subsegment_distances=nearest[number:],
        active=outputs["activity"][:number] > 0,
        valid=outputs["valid"][:number] > 0,
    )


def agreement(state: State, window: WindowResult) -> NDArray[np.float64]:
    """Share of a slot's speech that earlier windows gave to each speaker, (slots, speakers)."""
    rows = slice(window.first - state.done, state.end - state.done)
    votes = state.votes[max(0, rows.start) : rows.stop]
    skipped = max(0, -rows.start)
    spoken = window.activity[skipped : skipped + len(votes)].astype(np.float64)
    share = votes / np.maximum(votes.sum(axis=1, keepdims=True), 1e-6)
    total = np.maximum(window.activity.astype(np.float64).sum(axis=0), 1.0)
    found: NDArray[np.float64] = (spoken.T @ share) / total[:, None]
    return found


def assign(slots: Slots, agreed: NDArray[np.float64], config: ResolvedStream) -> NDArray[np.int64]:
    """Speaker of each slot, or NO_SPEAKER, (slots,), each at most once.

    The assignment has the least total cost (Hungarian algorithm). Leaving a slot without a speaker
    costs `config.match`.

    Args:
        slots: of a window.
        agreed: (slots, speakers), from `agreement`.
        config: thresholds.
    """
    from scipy.optimize import linear_sum_assignment  # imported here: only streams need it

    finite = np.where(np.isfinite(slots.distances), slots.distances, NO_EVIDENCE)
    cost = np.where(slots.valid[:, None], finite, NO_EVIDENCE) - config.continuity_bonus * agreed
    cost[~slots.active] = FORBIDDEN
    unassigned = np.full((len(cost), len(cost)), config.match)
    rows, columns = linear_sum_assignment(np.concatenate([cost, unassigned], axis=1))
    speakers = np.full(len(cost), NO_SPEAKER)
    speakers[rows] = np.where(columns < cost.shape[1], columns, NO_SPEAKER)
    return speakers


def create(
    state: State, slots: Slots, speakers: NDArray[np.int64], config: ResolvedStream
) -> tuple[State, Slots, NDArray[np.int64]]:
    """Create speakers from a slot's subsegments that are far from all speakers, but similar.

    Args:
        state: with the window's subsegments.
        slots: of the window.
        speakers: (slots,) from `assign`.
        config: thresholds.

    Returns:
        The state with new speakers, the slots with distances to them, and (slots,) speakers.
    """
    far = slots.subsegment_distances.min(axis=1, initial=np.inf) >= config.create
    usable = far & state.subsegments.vectors.any(axis=1)
    weights = np.where(usable[:, None], slots.slot_seconds, 0.0)
    total = np.maximum(weights.sum(axis=0), 1e-9)[:, None]
    seconds = np.minimum(weights.sum(axis=0), slots.seconds)
    means = (weights.T @ state.subsegments.vectors) / total
    lengths = np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-9)
    # the mean's cosine to a speaker, from those of subsegments: it is closer to all speakers
    cosines = weights.T @ np.maximum(1 - slots.subsegment_distances, -1) / total / lengths
    one_voice = lengths[:, 0] >= config.coherence
    one_voice &= 1 - cosines.max(axis=1, initial=-np.inf) >= config.create
    chosen = np.flatnonzero((seconds >= config.create_s) & one_voice)
    chosen = chosen[_allowed(state, means[chosen], seconds[chosen], config)]
    if not len(chosen):
        return state, slots, speakers
    vectors = unit_length(means[chosen].astype(np.float32))
    numbers = len(state.names) + np.arange(len(chosen))
    slots = slots._replace(
        subsegment_distances=np.concatenate(
            [slots.subsegment_distances, 1 - state.subsegments.vectors @ vectors.T], axis=1
        ),
        distances=np.pad(slots.distances, ((0, 0), (0, len(chosen))), constant_values=np.inf),
    )
    found = speakers.copy()
    found[chosen] = np.where(found[chosen] == NO_SPEAKER, numbers, found[chosen])
    return _with_speakers(state, vectors, seconds[chosen]), slots, found


def _allowed(
    state: State, means: NDArray[np.float64], seconds: NDArray[np.float64], config: ResolvedStream
) -> NDArray[np.bool_]:
    """Which new speakers are within `config.max_speakers`, or are known speakers, (means,)."""
    room = config.max_speakers - np.count_nonzero(state.identities == NO_SPEAKER)
    known = nearest_known(name_distances(state.known, means, seconds, config))
    is_known = (known != NO_SPEAKER) & ~np.isin(known, state.identities)
    allowed: NDArray[np.bool_] = is_known | (np.cumsum(~is_known) <= room)
    return allowed


def _with_speakers(
    state: State, vectors: NDArray[np.float32], seconds: NDArray[np.float64]
) -> State:
    """The state with new speakers.

    Args:
        state: without them.
        vectors: (new speakers, dimension), unit length.
        seconds: (new speakers,) of speech.
    """
    more = len(vectors)
    numbers = free_numbers(state, more)
    return replace(
        state,
        numbers=np.concatenate([state.numbers, numbers]),
        identities=np.pad(state.identities, (0, more), constant_values=NO_SPEAKER),
        pinned=np.pad(state.pinned, (0, more)),
        created=numbers[-1] + 1,
        sums=np.concatenate([state.sums, vectors * seconds[:, None]]),
        seconds=np.concatenate([state.seconds, seconds]),
        exemplars=np.concatenate([state.exemplars, vectors]),
        owners=np.concatenate([state.owners, len(state.names) + np.arange(more)]),
        apart=np.pad(state.apart, (0, more)),
        judged=np.pad(state.judged, (0, more)),
        votes=np.pad(state.votes, ((0, 0), (0, more))),
        settled=np.pad(state.settled, ((0, 0), (0, more))),
        begun=np.pad(state.begun, (0, more), constant_values=-1),
        trust=np.pad(state.trust, (0, more)),
    )


def second_best(
    state: State,
    slots: Slots,
    speakers: NDArray[np.int64],
    due: NDArray[np.bool_],
    config: ResolvedStream,
) -> NDArray[np.int64]:
    """Assign the remaining active slots to the nearest speakers that have no slot yet.

    If there is none, slots that are due, or all slots once `config.max_speakers` is reached, share
    the nearest speaker. Returns (slots,) speakers.

    Args:
        state: with the speakers.
        slots: of the window.
        speakers: (slots,) so far, NO_SPEAKER for the remaining slots.
        due: (slots,) whether a slot speaks in frames that become final now.
        config: thresholds.
    """
    full = np.count_nonzero(state.identities == NO_SPEAKER) >= config.max_speakers
    found = speakers.copy()
    cost = np.where(np.isfinite(slots.distances), slots.distances, NO_EVIDENCE)
    # a stranger never gets a known speaker's name merely because no other speaker is left
    excluded = (state.identities != NO_SPEAKER) & (cost >= config.create)
    remaining = np.flatnonzero(slots.active & (speakers == NO_SPEAKER))
    for slot in remaining[np.argsort(cost[remaining].min(axis=1, initial=FORBIDDEN))]:
        allowed = np.flatnonzero(~excluded[slot])
        unused = np.setdiff1d(allowed, found)
        if not len(unused) and (full or due[slot]):
            unused = allowed  # more voices than speakers: two slots share one
        if len(unused):
            found[slot] = unused[cost[slot, unused].argmin()]
    return found


def label(slots: Slots, speakers: NDArray[np.int64], config: ResolvedStream) -> NDArray[np.int64]:
    """Speaker of each subsegment, or NO_SPEAKER, (subsegments,).

    It is the slot's speaker, unless another one is clearly nearer.

    Args:
        slots: of a window.
        speakers: (slots,) speaker of each.
        config: thresholds.
    """
    has_slot: NDArray[np.bool_] = np.asarray(slots.slot_seconds.any(axis=1))
    of_slot = np.where(has_slot, speakers[slots.slot_seconds.argmax(axis=1)], NO_SPEAKER)
    if not slots.subsegment_distances.shape[1]:
        return np.full(len(has_slot), NO_SPEAKER)
    cost = slots.subsegment_distances.copy()
    rows = np.flatnonzero(of_slot != NO_SPEAKER)
    cost[rows, of_slot[rows]] -= config.slot_bonus
    best = cost.argmin(axis=1)
    near = cost[np.arange(len(best)), best] < config.match
    return np.where(has_slot, np.where(near, best, of_slot), NO_SPEAKER)


def learn(
    state: State,
    slots: Slots,
    speakers: NDArray[np.int64],
    labels: NDArray[np.int64],
    config: ResolvedStream,
) -> State:
    """Update speakers with the new subsegments of a window, each once.

    Only subsegments nearer than `config.update`, and clearly nearer than to any other speaker, are
    used, so that wrongly labeled ones do not make a speaker drift.

    Args:
        state: with the window's subsegments.
        slots: of the window.
        speakers: (slots,) speaker of each.
        labels: (subsegments,) from `label`.
        config: thresholds.
    """
    nearest = np.full(len(labels), np.inf)
    labeled = np.flatnonzero(labels != NO_SPEAKER)
    nearest[labeled] = slots.subsegment_distances[labeled, labels[labeled]]
    others = slots.subsegment_distances.copy()
    others[labeled, labels[labeled]] = np.inf
    clear = nearest + config.margin < others.min(axis=1, initial=np.inf)
    used = np.flatnonzero(slots.new & (nearest < config.update) & clear)
    amount = slots.slot_seconds[used].max(axis=1)
    vectors, owners = state.subsegments.vectors[used], labels[used]
    sums, seconds = state.sums.copy(), state.seconds.copy()
    np.add.at(sums, owners, vectors * amount[:, None])
    np.add.at(seconds, owners, amount)
    state = _with_apart(replace(state, sums=sums, seconds=seconds), slots, speakers)
    return _with_exemplars(state, vectors, owners, config)


def _with_apart(state: State, slots: Slots, speakers: NDArray[np.int64]) -> State:
    """Count the window for pairs of speakers with a slot and a second of speech each."""
    present = np.unique(speakers[(speakers != NO_SPEAKER) & (slots.seconds >= 1)])
    apart = state.apart.copy()
    apart[np.ix_(present, present)] += 1
    return replace(state, apart=apart)


def _with_exemplars(
    state: State, vectors: NDArray[np.float32], owners: NDArray[np.int64], config: ResolvedStream
) -> State:
    """Add vectors that differ from their speaker's exemplars, and keep the newest exemplars."""
    cosines = (vectors @ state.exemplars.T) * (state.owners == owners[:, None])
    added = np.flatnonzero(cosines.max(axis=1, initial=0) < 1 - config.update / 2)
    exemplars = np.concatenate([state.exemplars, vectors[added]])
    owner = np.concatenate([state.owners, owners[added]])
    index = np.arange(len(owner))
    newer = (owner[:, None] == owner) & (index > index[:, None])
    kept = newer.sum(axis=1) < config.most_exemplars
    return replace(state, exemplars=exemplars[kept], owners=owner[kept])


def duplicates(
    state: State, to_known: NameDistances, config: ResolvedStream
) -> tuple[int, int] | None:
    """The nearest two speakers that are duplicates, the older one first; None if there are none.

    Two speakers that match the same known speaker are duplicates. They are not if they match
    different ones, or spoke in two slots of one window.

    Args:
        state: with the speakers.
        to_known: from `name_distances`.
        config: thresholds.
    """
    centroids = unit_length(state.sums.astype(np.float32))
    distances = 1 - (centroids @ centroids.T).astype(np.float64)
    known = nearest_known(to_known)
    named = (known[:, None] != NO_SPEAKER) & (known != NO_SPEAKER)
    same = known[:, None] == known
    distances[named & same] -= 4  # before all others, the nearest pair first
    different = (named & ~same) | (state.apart > 0)
    distances[different | np.tri(len(distances), dtype=bool)] = np.inf
    if not distances.size or distances.min() >= config.merge:
        return None
    older, newer = (int(index) for index in np.unravel_index(distances.argmin(), distances.shape))
    return older, newer


def merge(state: State, kept: int, gone: int) -> State:
    """The state with speaker `gone` merged into `kept`; turns already emitted keep their name."""
    sums, seconds, apart = state.sums.copy(), state.seconds.copy(), state.apart.copy()
    votes, settled = state.votes.copy(), state.settled.copy()
    sums[kept] += sums[gone]
    seconds[kept] += seconds[gone]
    votes[:, kept] += votes[:, gone]
    settled[:, kept] |= settled[:, gone]
    apart[kept] += apart[gone]
    apart[:, kept] += apart[:, gone]
    identities, pinned = state.identities.copy(), state.pinned.copy()
    if pinned[gone] and not pinned[kept]:
        identities[kept], pinned[kept] = identities[gone], True
    owners = np.where(state.owners == gone, kept, state.owners)
    past = state.past._replace(owners=np.where(state.past.owners == gone, kept, state.past.owners))
    joined = replace(
        state,
        identities=identities,
        pinned=pinned,
        sums=sums,
        seconds=seconds,
        votes=votes,
        settled=settled,
        apart=apart,
        owners=owners,
        past=past,
    )
    return select(joined, np.delete(np.arange(len(state.names)), gone))
