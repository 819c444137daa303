"""Speakers to people known before: by all that was heard of a speaker, never by one unit.

A unit of a second is as far from its own speaker as some strangers are, so it names nobody. What a
speaker said so far is compared as the store compares a cluster; who was heard little may be farther
away, and what they are called may change with more of it (docs/decisions/017-online.md).
"""

from dataclasses import replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from hocket.config import ResolvedStream
from hocket.online.state import NOBODY, KnownSpeakers, State
from hocket.speakers.matching import distances

FEW = 5  # people, with whom `name_early` was measured; more are nearer to any stranger

NameDistances: TypeAlias = NDArray[np.float64]
"""(speakers, people) distances, infinite where they are too far to be one."""


def name_distances(
    known: KnownSpeakers,
    sums: NDArray[np.float64],
    seconds: NDArray[np.float64],
    config: ResolvedStream,
) -> NameDistances:
    """Who may be whom of those known before.

    Args:
        known: those known before.
        sums: (speakers, dimension) of what was heard, of any length.
        seconds: (speakers,) of units behind them.
        config: thresholds.
    """
    found = distances(sums.astype(np.float32), known.exemplars).astype(np.float64)
    doublings = np.log2(max(1, len(known.names) / FEW))
    early = max(config.name, config.name_early - config.crowd * doublings)
    limit = np.where(seconds < config.name_s, early, config.name)
    found[found > limit[:, None]] = np.inf  # on the limit is near enough, as in the store
    return found


def nearest_known(claims: NameDistances) -> NDArray[np.int64]:
    """The person each speaker is nearest to, or NOBODY, (speakers,)."""
    if not claims.size:
        return np.full(len(claims), NOBODY)
    return np.where(np.isfinite(claims.min(axis=1)), claims.argmin(axis=1), NOBODY)


def name(state: State, claims: NameDistances) -> State:
    """Call every speaker by the name of who it is nearest to, unless another one is nearer."""
    if not claims.size:
        return state
    person = nearest_known(claims)
    nearest = claims.argmin(axis=0)[person] == np.arange(len(person))
    return replace(state, identities=np.where(nearest, person, NOBODY))
