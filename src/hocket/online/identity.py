"""Slots to speakers: who of a window's local speakers is whom, and what is learnt of them.

One call of the `post_embedding` graph compares all slots and all units with all that is known.
Slots are assigned together; a unit within a slot may still be somebody else, since a slot mixes
people where a window holds more of them than slots.
"""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hocket.arrays import unit_length
from hocket.config import ResolvedStream
from hocket.graph import Graph
from hocket.online.naming import NameDistances, name_distances, nearest_known
from hocket.online.state import NOBODY, State, WindowEmbeddings, WindowResult, free_numbers, select

NO_EVIDENCE = (
    0.9  # distance of a slot that no unit speaks for: only what it did before tells who it is
)
FORBIDDEN = 1e3  # costs more than all that is allowed together


class Slots(NamedTuple):
    """The slots of a window, and the units in it.

    seconds: (slots,) in which a slot speaks alone and was embedded.
    mine: (units, slots), seconds of each unit in which a slot speaks alone, if that is most of it.
    new: (units,) whether this window brought the unit.
    distances: (slots, speakers) from the mean of a slot's units to what is known of each speaker.
    subsegment_distances: (units, speakers), the same for every unit.
    active: (slots,) whether a slot speaks at all.
    valid: (slots,) whether the mean of its units says anything.
    """

    seconds: NDArray[np.float64]
    mine: NDArray[np.float64]
    new: NDArray[np.bool_]
    distances: NDArray[np.float64]
    subsegment_distances: NDArray[np.float64]
    active: NDArray[np.bool_]
    valid: NDArray[np.bool_]


def remember(state: State, window: WindowResult) -> State:
    """The state with a window's units, and without those before it."""
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
    """Hold the slots of a window against all speakers, in one call of a graph.

    Args:
        state: with the window's units.
        window: what the graphs said.
        graph: `post_embedding`.
        frame_s: seconds of a frame.
    """
    subsegments, masks = state.subsegments, window.masks
    alone = masks * (masks.sum(axis=1, keepdims=True) == 1)
    summed = np.concatenate([np.zeros((1, masks.shape[1])), alone.cumsum(axis=0)]) * frame_s
    start, end = (np.clip(edge - window.first, 0, len(masks)) for edge in subsegments[:2])
    mine = summed[end] - summed[start]
    most = 2 * mine > ((subsegments.last - subsegments.first) * frame_s)[:, None]
    mine = np.where(most, mine, 0.0)
    weight = mine.sum(axis=0)
    means = (mine.T @ subsegments.vectors) / np.maximum(weight, frame_s)[:, None]
    frames = np.arange(len(masks))[:, None]
    within = (frames >= start) & (frames < end)
    known = np.concatenate([state.sums, state.exemplars]).astype(np.float32)
    said = graph.run(
        {
            "embeddings": np.concatenate([means, subsegments.vectors]).astype(np.float32),
            "database": known,
            "segments": np.concatenate([masks, within], axis=1)[None].astype(np.float32),
        }
    )
    owners = np.concatenate([np.arange(len(state.names)), state.owners])
    nearest = np.full((len(said["distances"]), len(state.names)), np.inf)
    np.minimum.at(nearest.T, owners, said["distances"].T)
    number = masks.shape[1]
    return Slots(
        seconds=np.minimum(weight, summed[-1]),
        mine=mine,
        new=np.arange(len(mine)) >= len(mine) - len(window.subsegments.first),
        distances=nearest[:number],
        subsegment_distances=nearest[number:],
        active=said["activity"][:number] > 0,
        valid=said["valid"][:number] > 0,
    )


def agreement(state: State, window: WindowResult) -> NDArray[np.float64]:
    """How much of what a slot says earlier windows gave to each speaker, (slots, speakers)."""
    here = slice(window.first - state.done, state.end - state.done)
    votes = state.votes[max(0, here.start) : here.stop]
    skipped = max(0, -here.start)
    spoken = window.activity[skipped : skipped + len(votes)].astype(np.float64)
    share = votes / np.maximum(votes.sum(axis=1, keepdims=True), 1e-6)
    total = np.maximum(window.activity.astype(np.float64).sum(axis=0), 1.0)
    found: NDArray[np.float64] = (spoken.T @ share) / total[:, None]
    return found


def assign(slots: Slots, loyal: NDArray[np.float64], config: ResolvedStream) -> NDArray[np.int64]:
    """Speakers of the slots or NOBODY, (slots,): the best for all together, and none twice.

    Args:
        slots: of a window.
        loyal: (slots, speakers), from `agreement`.
        config: thresholds.
    """
    from scipy.optimize import linear_sum_assignment  # imported here: only streams need it

    known = np.where(np.isfinite(slots.distances), slots.distances, NO_EVIDENCE)
    cost = np.where(slots.valid[:, None], known, NO_EVIDENCE) - config.continuity_bonus * loyal
    cost[~slots.active] = FORBIDDEN
    nobody = np.full((len(cost), len(cost)), config.match)
    rows, columns = linear_sum_assignment(np.concatenate([cost, nobody], axis=1))
    speakers = np.full(len(cost), NOBODY)
    speakers[rows] = np.where(columns < cost.shape[1], columns, NOBODY)
    return speakers


def create(
    state: State, slots: Slots, speakers: NDArray[np.int64], config: ResolvedStream
) -> tuple[State, Slots, NDArray[np.int64]]:
    """Make a speaker of the units of a slot that are far from everybody, if they are one voice.

    Returns:
        the state with new speakers, the slots with distances to them, and the slots' speakers.
    """
    far = slots.subsegment_distances.min(axis=1, initial=np.inf) >= config.create
    orphans = np.where((far & state.subsegments.vectors.any(axis=1))[:, None], slots.mine, 0.0)
    total = np.maximum(orphans.sum(axis=0), 1e-9)[:, None]
    seconds = np.minimum(orphans.sum(axis=0), slots.seconds)
    means = (orphans.T @ state.subsegments.vectors) / total
    lengths = np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-9)
    # cosines of units add up to their mean's, which is nearer to everybody than they are
    alike = orphans.T @ np.maximum(1 - slots.subsegment_distances, -1) / total / lengths
    one_voice = lengths[:, 0] >= config.coherence
    one_voice &= 1 - alike.max(axis=1, initial=-np.inf) >= config.create
    fresh = np.flatnonzero((seconds >= config.create_s) & one_voice)
    fresh = fresh[_wanted(state, means[fresh], seconds[fresh], config)]
    if not len(fresh):
        return state, slots, speakers
    vectors = unit_length(means[fresh].astype(np.float32))
    owners = len(state.names) + np.arange(len(fresh))
    slots = slots._replace(
        subsegment_distances=np.concatenate(
            [slots.subsegment_distances, 1 - state.subsegments.vectors @ vectors.T], axis=1
        ),
        distances=np.pad(slots.distances, ((0, 0), (0, len(fresh))), constant_values=np.inf),
    )
    found = speakers.copy()
    found[fresh] = np.where(found[fresh] == NOBODY, owners, found[fresh])
    return _grown(state, vectors, seconds[fresh]), slots, found


def _wanted(
    state: State, means: NDArray[np.float64], seconds: NDArray[np.float64], config: ResolvedStream
) -> NDArray[np.bool_]:
    """Which of those that might be made there is room for, or are somebody known, (means,)."""
    room = config.max_speakers - np.count_nonzero(state.identities == NOBODY)
    person = nearest_known(name_distances(state.known, means, seconds, config))
    expected = (person != NOBODY) & ~np.isin(person, state.identities)
    wanted: NDArray[np.bool_] = expected | (np.cumsum(~expected) <= room)
    return wanted


def _grown(state: State, vectors: NDArray[np.float32], seconds: NDArray[np.float64]) -> State:
    """The state with more speakers, (speakers, dimension) and the seconds behind each."""
    more = len(vectors)
    numbers = free_numbers(state, more)
    return replace(
        state,
        numbers=np.concatenate([state.numbers, numbers]),
        identities=np.pad(state.identities, (0, more), constant_values=NOBODY),
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
    """Give slots that are nobody's the nearest speaker that is left, for somebody must speak.

    If none is left, those that are `due` to become final get the nearest, whosever it is.
    """
    full = np.count_nonzero(state.identities == NOBODY) >= config.max_speakers
    found = speakers.copy()
    cost = np.where(np.isfinite(slots.distances), slots.distances, NO_EVIDENCE)
    # no stranger gets a name because nobody else is left
    strange = (state.identities != NOBODY) & (cost >= config.create)
    waiting = np.flatnonzero(slots.active & (speakers == NOBODY))
    for slot in waiting[np.argsort(cost[waiting].min(axis=1, initial=FORBIDDEN))]:
        able = np.flatnonzero(~strange[slot])
        left = np.setdiff1d(able, found)
        if not len(left) and (full or due[slot]):
            left = able  # more people than allowed or met: somebody is two of them
        if len(left):
            found[slot] = left[cost[slot, left].argmin()]
    return found


def label(slots: Slots, speakers: NDArray[np.int64], config: ResolvedStream) -> NDArray[np.int64]:
    """Speaker of every unit, or NOBODY, (units,): its slot's, unless it is much nearer another."""
    owned: NDArray[np.bool_] = np.asarray(slots.mine.any(axis=1))
    of_slot = np.where(owned, speakers[slots.mine.argmax(axis=1)], NOBODY)
    if not slots.subsegment_distances.shape[1]:
        return np.full(len(owned), NOBODY)
    cost = slots.subsegment_distances.copy()
    loyal = np.flatnonzero(of_slot != NOBODY)
    cost[loyal, of_slot[loyal]] -= config.slot_bonus
    best = cost.argmin(axis=1)
    near = cost[np.arange(len(best)), best] < config.match
    return np.where(owned, np.where(near, best, of_slot), NOBODY)


def learn(
    state: State,
    slots: Slots,
    speakers: NDArray[np.int64],
    labels: NDArray[np.int64],
    config: ResolvedStream,
) -> State:
    """What the units that a window brought teach of their speakers, each once.

    A unit teaches if it is nearer than `update`, so that what is taken for a speaker by mistake
    does not draw it away.
    """
    nearest = np.full(len(labels), np.inf)
    labelled = np.flatnonzero(labels != NOBODY)
    nearest[labelled] = slots.subsegment_distances[labelled, labels[labelled]]
    others = slots.subsegment_distances.copy()
    others[labelled, labels[labelled]] = np.inf
    clear = nearest + config.margin < others.min(axis=1, initial=np.inf)
    taught = np.flatnonzero(slots.new & (nearest < config.update) & clear)
    amount = slots.mine[taught].max(axis=1)
    vectors, owners = state.subsegments.vectors[taught], labels[taught]
    sums, seconds = state.sums.copy(), state.seconds.copy()
    np.add.at(sums, owners, vectors * amount[:, None])
    np.add.at(seconds, owners, amount)
    state = _told_apart(replace(state, sums=sums, seconds=seconds), slots, speakers)
    return _with_exemplars(state, vectors, owners, config)


def _told_apart(state: State, slots: Slots, speakers: NDArray[np.int64]) -> State:
    """Count the windows in which two speakers are two slots with a second of speech each."""
    here = np.unique(speakers[(speakers != NOBODY) & (slots.seconds >= 1)])
    apart = state.apart.copy()
    apart[np.ix_(here, here)] += 1
    return replace(state, apart=apart)


def _with_exemplars(
    state: State, vectors: NDArray[np.float32], owners: NDArray[np.int64], config: ResolvedStream
) -> State:
    """Keep vectors that are unlike those kept of their speaker, of each the newest so many."""
    alike = (vectors @ state.exemplars.T) * (state.owners == owners[:, None])
    fresh = np.flatnonzero(alike.max(axis=1, initial=0) < 1 - config.update / 2)
    exemplars = np.concatenate([state.exemplars, vectors[fresh]])
    owner = np.concatenate([state.owners, owners[fresh]])
    place = np.arange(len(owner))
    later = (owner[:, None] == owner) & (place > place[:, None])
    kept = later.sum(axis=1) < config.most_exemplars
    return replace(state, exemplars=exemplars[kept], owners=owner[kept])


def duplicates(
    state: State, claims: NameDistances, config: ResolvedStream
) -> tuple[int, int] | None:
    """The nearest two speakers that turn out to be one, the older one first; None if none.

    Args:
        state: what is known.
        claims: from `name_distances`: who is the same person is one, who is another one is not.
        config: thresholds.
    """
    centroids = unit_length(state.sums.astype(np.float32))
    distances = 1 - (centroids @ centroids.T).astype(np.float64)
    person = nearest_known(claims)
    named = (person[:, None] != NOBODY) & (person != NOBODY)
    same = person[:, None] == person
    distances[named & same] -= 4  # before all others, the nearest first
    different = (named & ~same) | (state.apart > 0)
    distances[different | np.tri(len(distances), dtype=bool)] = np.inf
    if not distances.size or distances.min() >= config.merge:
        return None
    older, newer = (int(index) for index in np.unravel_index(distances.argmin(), distances.shape))
    return older, newer


def merge(state: State, kept: int, gone: int) -> State:
    """The state with one speaker for two; what was given out keeps the name it had."""
    sums, seconds, apart = state.sums.copy(), state.seconds.copy(), state.apart.copy()
    votes, said = state.votes.copy(), state.settled.copy()
    sums[kept] += sums[gone]
    seconds[kept] += seconds[gone]
    votes[:, kept] += votes[:, gone]
    said[:, kept] |= said[:, gone]
    apart[kept] += apart[gone]
    apart[:, kept] += apart[:, gone]
    owners = np.where(state.owners == gone, kept, state.owners)
    past = state.past._replace(owners=np.where(state.past.owners == gone, kept, state.past.owners))
    joined = replace(
        state,
        sums=sums,
        seconds=seconds,
        votes=votes,
        settled=said,
        apart=apart,
        owners=owners,
        past=past,
    )
    return select(joined, np.delete(np.arange(len(state.names)), gone))
