"""Thresholds of the tracker."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Thresholds of the tracker; distances are 1 - cosine.

    match: a slot nearer than this to a speaker may be that speaker.
    create: units at least this far from everybody, and their mean, may be somebody new.
    update: a unit nearer than this teaches what its speaker sounds like.
    margin: by which it must be nearer than to anybody else to teach.
    merge: two speakers nearer than this are one, unless they were heard at once.
    name: a speaker no farther than this from somebody known before is called by that name.
    name_early: the same, while less than `name_s` was heard of the speaker.
    crowd: what `name_early` is less by, for every doubling of those known beyond five.
    name_s: seconds of units, which overlap; about half as much speech.
    create_s: speech within a window that somebody new needs.
    coherence: length that the mean of somebody new's unit vectors has at least.
    loyalty: what a slot is nearer to whom earlier windows heard in the same frames.
    belonging: what a unit is nearer to the speaker of its slot.
    most_exemplars: for each speaker.
    max_speakers: more are not made, beside those known before.
    """

    match: float
    create: float
    update: float
    merge: float
    name: float
    name_early: float
    crowd: float
    create_s: float
    loyalty: float
    max_speakers: int
    name_s: float = 8.0
    margin: float = 0.1
    coherence: float = 0.7
    belonging: float = 0.1
    most_exemplars: int = 4
