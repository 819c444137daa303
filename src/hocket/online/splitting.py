"""Splits of a stream's speakers, with the odds of two speakers that recordings use.

Two similar voices are one speaker as long as there is little speech. The subsegments of the last
minutes are kept with their speakers. Once a speaker has considerably more of them than at the last
check, it is divided in two; if the odds favor two speakers, it is split from then on. Final turns
do not change (docs/decisions/022-splits-in-streams.md).
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hocket.arrays import unit_length
from hocket.clustering.division import Halves, TwoSpeakers, settle, traits_of, widest
from hocket.clustering.voices import VoiceVectors
from hocket.config import ResolvedStream
from hocket.online.identity import Slots
from hocket.online.state import NO_SPEAKER, RecentSubsegments, State, free_numbers

MOST_KEPT = 600  # subsegments, six minutes of speech: 0.5 MB
LEAST_S = 0.3  # of a subsegment in which its slot speaks alone; with less, it mixes speakers
FEWEST = 12  # subsegments of a speaker at its first check
GROWTH = 1.15  # factor of subsegments from one check to the next
SHARE = 0.5  # of a subsegment's seconds that no other subsegment covers
LEAST_HALF, LEAST_HALF_S = 5, 3.0  # as for recordings (docs/decisions/021-splits-and-merges.md)
# changes between halves: a change of room or microphone happens once, and a stream can wait
LEAST_CHANGES = 3
LEAST_LOG_ODDS = 1.0  # of a split, which is never undone


def keep(state: State, slots: Slots, labels: NDArray[np.int64]) -> State:
    """The state with the new subsegments of a window and their speakers.

    Args:
        state: with the window's subsegments.
        slots: of the window.
        labels: (subsegments,) from `label`.
    """
    seconds = slots.slot_seconds.max(axis=1, initial=0.0)
    suitable = slots.new & (labels != NO_SPEAKER) & (seconds > LEAST_S)
    new = np.flatnonzero(suitable & state.subsegments.vectors.any(axis=1))
    past, subsegments = state.past, state.subsegments
    extended = RecentSubsegments(
        np.concatenate([past.first, subsegments.first[new]]),
        np.concatenate([past.last, subsegments.last[new]]),
        np.concatenate([past.vectors, subsegments.vectors[new]]),
        np.concatenate([past.narrow, subsegments.narrow[new]]),
        np.concatenate([past.seconds, seconds[new] * SHARE]),
        np.concatenate([past.owners, labels[new]]),
    )
    return replace(state, past=extended.at(slice(-MOST_KEPT, None)))


def divide(state: State, model: TwoSpeakers, config: ResolvedStream) -> State:
    """Split every speaker that is more likely two.

    Args:
        state: with the recent subsegments of all speakers.
        model: odds of two speakers.
        config: most speakers.
    """
    for speaker in range(len(state.names)):
        members = np.flatnonzero(state.past.owners == speaker)
        if len(members) < max(FEWEST, GROWTH * int(state.judged[speaker])):
            continue
        judged = state.judged.copy()
        judged[speaker] = len(members)
        state = replace(state, judged=judged)
        room = np.count_nonzero(state.identities == NO_SPEAKER) < config.max_speakers
        halves = _halves(state, members, model) if room else None
        if halves is not None:
            state = _split(state, speaker, members, halves)
    return state


def _halves(state: State, members: NDArray[np.int64], model: TwoSpeakers) -> Halves | None:
    """Division of a speaker that is more likely two; half 1 has less speech. None for one speaker.

    Args:
        state: with the recent subsegments.
        members: rows of the speaker's subsegments, in order of time.
        model: odds of two speakers.
    """
    past = state.past
    vectors, seconds = past.vectors[members], past.seconds[members]
    directions = vectors.astype(np.float64)
    halves = settle(directions, seconds, widest(directions, seconds))
    spoken = np.bincount(halves, seconds, minlength=2)
    if min(np.bincount(halves, minlength=2)) < LEAST_HALF or spoken.min() < LEAST_HALF_S:
        return None
    # a region ends where the next subsegment does not overlap it
    ends = np.maximum.accumulate(past.last[members])
    regions = np.concatenate([[0], np.cumsum(past.first[members][1:] >= ends[:-1])])
    voices = VoiceVectors(vectors, vectors, seconds, past.narrow[members])
    traits = traits_of(voices, regions, halves)
    if traits.block > 1 / LEAST_CHANGES or model.log_odds(traits) <= LEAST_LOG_ODDS:
        return None
    smaller = int(spoken[1] <= spoken[0])
    found: Halves = (halves == smaller).astype(np.int64)
    return found


def _split(state: State, speaker: int, members: NDArray[np.int64], halves: Halves) -> State:
    """The state with a new speaker for half 1 of a speaker's subsegments."""
    past, new = state.past, len(state.names)
    weights = past.seconds[members] / SHARE
    sums = np.stack([(weights * (halves == half)) @ past.vectors[members] for half in (0, 1)])
    seconds = np.bincount(halves, weights, minlength=2)
    owners = past.owners.copy()
    owners[members[halves == 1]] = new
    kept = state.owners != speaker
    exemplars = np.concatenate([state.exemplars[kept], unit_length(sums.astype(np.float32))])
    number = free_numbers(state, 1)[0]
    apart = np.pad(state.apart, (0, 1))
    apart[speaker, new] = apart[new, speaker] = 1
    all_sums = np.concatenate([state.sums, sums[1:]])
    all_seconds = np.append(state.seconds, seconds[1])
    all_sums[speaker], all_seconds[speaker] = sums[0], seconds[0]
    judged = np.append(state.judged, 0)
    judged[speaker] = 0
    return replace(
        state,
        numbers=np.append(state.numbers, number),
        identities=np.append(state.identities, NO_SPEAKER),
        pinned=np.append(state.pinned, False),
        created=number + 1,
        sums=all_sums,
        seconds=all_seconds,
        exemplars=exemplars,
        owners=np.concatenate([state.owners[kept], [speaker, new]]),
        apart=apart,
        past=past._replace(owners=owners),
        judged=judged,
        votes=np.pad(state.votes, ((0, 0), (0, 1))),
        settled=np.pad(state.settled, ((0, 0), (0, 1))),
        begun=np.append(state.begun, -1),
        trust=np.append(state.trust, 0.0),
    )
