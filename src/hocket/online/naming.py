"""Names for a stream's speakers: each is compared with the known speakers as a whole.

A subsegment of a second is as far from its own speaker as some strangers are, so it is never used
to name one. The mean of a speaker's subsegments is compared, as the store compares a cluster. A
speaker with little speech may be farther away, and the name may change with more speech
(docs/decisions/017-online.md).
"""

from dataclasses import replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from hocket.arrays import unit_length
from hocket.config import ResolvedStream
from hocket.online.state import NO_SPEAKER, KnownSpeakers, State, exemplars_by_name, known_of
from hocket.speakers.matching import distances

PINNED = -2.0  # distance that stands for a name given by the user: nearer than any voice
FEW = 5  # known speakers for which `name_early` is calibrated; of more, some are near any stranger

NameDistances: TypeAlias = NDArray[np.float64]
"""Cosine distances, (speakers, known speakers); infinite if beyond the limit for that name."""


def name_distances(
    known: KnownSpeakers,
    sums: NDArray[np.float64],
    seconds: NDArray[np.float64],
    config: ResolvedStream,
    held: NDArray[np.int64] | None = None,
    pinned: NDArray[np.bool_] | None = None,
) -> NameDistances:
    """Distances of a stream's speakers to the known speakers whose name they may get.

    Args:
        known: known speakers.
        sums: (speakers, dimension), sums of their vectors; their length has no effect.
        seconds: (speakers,) of the subsegments in them.
        config: thresholds.
        held: (speakers,) known speaker whose name each has, or NO_SPEAKER. It counts as nearer by
            `config.hold`, so that a name near the limit, or between two, does not come and go.
        pinned: (speakers,) whether that name stays.
    """
    found = distances(sums.astype(np.float32), known.exemplars).astype(np.float64)
    if held is not None:
        rows = np.flatnonzero(held != NO_SPEAKER)
        found[rows, held[rows]] -= config.hold
        if pinned is not None:
            found[pinned] = np.inf
            found[pinned, held[pinned]] = PINNED
    limit = limits_of(known, seconds, config)
    found[found > limit[:, None]] = np.inf  # the limit itself is allowed, as in the store
    return found


def limits_of(
    known: KnownSpeakers, seconds: NDArray[np.float64], config: ResolvedStream
) -> NDArray[np.float64]:
    """Largest distance for a name, (speakers,), by the seconds of subsegments of each."""
    doublings = np.log2(max(1, len(known.names) / FEW))
    early = max(config.name, config.name_early - config.crowd * doublings)
    return np.where(seconds < config.name_s, early, config.name)


def nearest_known(to_known: NameDistances) -> NDArray[np.int64]:
    """The known speaker nearest to each speaker, or NO_SPEAKER, (speakers,)."""
    if not to_known.size:
        return np.full(len(to_known), NO_SPEAKER)
    return np.where(np.isfinite(to_known.min(axis=1)), to_known.argmin(axis=1), NO_SPEAKER)


def name(state: State, to_known: NameDistances) -> State:
    """Name each speaker after the nearest known speaker, unless another speaker is nearer to it.

    Args:
        state: with the speakers.
        to_known: from `name_distances`.
    """
    if not to_known.size:
        return state
    known = nearest_known(to_known)
    mutual = to_known.argmin(axis=0)[known] == np.arange(len(known))
    taken = np.isin(known, state.identities[state.pinned])
    named = np.where(mutual & ~taken, known, NO_SPEAKER)
    return replace(state, identities=np.where(state.pinned, state.identities, named))


def with_name(state: State, speaker: int, name: str) -> State:
    """Give a speaker a name that stays, and that other streams may know the voice by.

    Another speaker with that name is the same person, and the next window joins them, unless both
    spoke at the same time: then the other one loses the name.

    Args:
        state: with the speaker.
        speaker: index.
        name: of a known speaker, or a new one.
    """
    known = exemplars_by_name(state.known)
    mean = unit_length(state.sums[speaker, None].astype(np.float32))
    own = np.concatenate([mean, state.exemplars[state.owners == speaker]])
    known.setdefault(name, own[own.any(axis=1)])
    index = list(known).index(name)
    same = state.identities == index
    lost = same & (state.apart[speaker] > 0)
    identities = np.where(lost, NO_SPEAKER, state.identities)
    pinned = (state.pinned | same) & ~lost
    identities[speaker], pinned[speaker] = index, True
    known_speakers = known_of(known, own.shape[1])
    return replace(state, known=known_speakers, identities=identities, pinned=pinned)
