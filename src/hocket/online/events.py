"""What is found of the speakers of a stream, beside their turns."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hocket.config import ResolvedStream
from hocket.online.naming import limits_of
from hocket.online.state import NO_SPEAKER, State
from hocket.speakers.matching import distances, margins_to_nearest
from hocket.timeline import speaker_name


@dataclass(frozen=True)
class SpeakerEvent:
    """Something that is found of a speaker. Final turns from before keep what they say.

    kind: named, unnamed or merged.
    time: seconds of the stream processed so far.
    id: label of the speaker.
    name: the name found, or the name lost; of merged, the label of the speaker that it is one with.
    distance: from the known speaker of that name, as in a store; None unless named by the voice.
    margin: how much farther the next known speaker is; None if there is none.
    threshold: largest distance for a name at that moment.
    """

    kind: str
    time: float
    id: str
    name: str
    distance: float | None = None
    margin: float | None = None
    threshold: float | None = None

    def __str__(self) -> str:
        if self.kind == "unnamed":
            return f"{self.id} may not be {self.name}"
        return f"{self.id} is {self.name}"


def events_between(
    before: State,
    after: State,
    merged: Sequence[tuple[int, int]],
    time: float,
    config: ResolvedStream,
) -> tuple[SpeakerEvent, ...]:
    """Events that lead from one state to a later one.

    Args:
        before: a state.
        after: the later one.
        merged: numbers of speakers who are gone, and of those they are one with now.
        time: seconds of the stream processed so far.
        config: thresholds.
    """
    found = [
        SpeakerEvent("merged", time, speaker_name(gone), speaker_name(kept))
        for gone, kept in merged
    ]
    earlier = dict(zip(before.numbers.tolist(), before.identities.tolist(), strict=True))
    for row, (number, identity) in enumerate(
        zip(after.numbers.tolist(), after.identities.tolist(), strict=True)
    ):
        was = earlier.get(number, NO_SPEAKER)
        if identity == was:
            continue
        label = speaker_name(number)
        if identity == NO_SPEAKER:
            found.append(SpeakerEvent("unnamed", time, label, before.known.names[was]))
        else:
            far = (None, None, None) if after.pinned[row] else _far(after, row, identity, config)
            found.append(SpeakerEvent("named", time, label, after.known.names[identity], *far))
    return tuple(found)


def _far(
    state: State, speaker: int, known: int, config: ResolvedStream
) -> tuple[float | None, float | None, float | None]:
    """Distance of a speaker from a known one, its margin and its threshold."""
    voice = state.sums[speaker, None].astype(np.float32)
    found = distances(voice, state.known.exemplars)
    margin = float(margins_to_nearest(found)[0, known])
    threshold = float(limits_of(state.known, state.seconds[speaker, None], config)[0])
    lead = margin if np.isfinite(margin) else None
    return float(found[0, known]), lead, threshold
