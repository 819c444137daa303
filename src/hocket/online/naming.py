"""Speakers to people known before: by all that was heard of a speaker, never by one unit.

A unit of a second is as far from its own speaker as some strangers are, so it names nobody. What a
speaker said so far is compared as the store compares a cluster; who was heard little may be farther
away, and what they are called may change with more of it (docs/decisions/017-online.md).
"""

from dataclasses import replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from hocket.online.limits import Limits
from hocket.online.state import NOBODY, Gallery, State
from hocket.speakers.matching import distances

FEW = 5  # people, with whom `name_early` was measured; more are nearer to any stranger

Claims: TypeAlias = NDArray[np.float64]
"""(speakers, people) distances, infinite where they are too far to be one."""


def claims_of(
    gallery: Gallery, sums: NDArray[np.float64], seconds: NDArray[np.float64], limits: Limits
) -> Claims:
    """Who may be whom of those known before.

    Args:
        gallery: those known before.
        sums: (speakers, dimension) of what was heard, of any length.
        seconds: (speakers,) of units behind them.
        limits: thresholds.
    """
    found = distances(sums.astype(np.float32), gallery.voices).astype(np.float64)
    doublings = np.log2(max(1, len(gallery.names) / FEW))
    early = max(limits.name, limits.name_early - limits.crowd * doublings)
    limit = np.where(seconds < limits.name_s, early, limits.name)
    found[found > limit[:, None]] = np.inf  # on the limit is near enough, as in the store
    return found


def person_claimed(claims: Claims) -> NDArray[np.int64]:
    """The person each speaker is nearest to, or NOBODY, (speakers,)."""
    if not claims.size:
        return np.full(len(claims), NOBODY)
    return np.where(np.isfinite(claims.min(axis=1)), claims.argmin(axis=1), NOBODY)


def name(state: State, claims: Claims) -> State:
    """Call every speaker by the name of who it is nearest to, unless another one is nearer."""
    if not claims.size:
        return state
    person = person_claimed(claims)
    nearest = claims.argmin(axis=0)[person] == np.arange(len(person))
    return replace(state, called=np.where(nearest, person, NOBODY))
