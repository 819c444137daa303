"""New names for the speakers of a result; those that get the same name become one speaker."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from hocket.arrays import Centroids, unit_length
from hocket.result import Result, Turn, UncertainSegment


def renamed(result: Result, names: Mapping[str, str]) -> Result:
    """The result with new names.

    Turns of speakers who become one are joined where they touch or overlap. The embedding of such
    a speaker is the mean by speech, and the number of speakers is lower by those that are gone.

    Args:
        result: whose speakers are renamed.
        names: new names by old ones; speakers that are not in it keep theirs.
    """
    new = [names.get(name, name) for name in result.speakers]
    speakers = tuple(dict.fromkeys(new))
    gone = len(new) - len(speakers)
    counts = result.count_confidence
    return replace(
        result,
        turns=_renamed(result.turns, names, join=gone > 0),
        exclusive_turns=_renamed(result.exclusive_turns, names, join=gone > 0),
        speakers=speakers,
        embeddings=_joined_embeddings(result, new, speakers) if gone else result.embeddings,
        count_confidence=_fewer(counts, gone) if gone else counts,
        uncertain=tuple(sorted(_segment(segment, names) for segment in result.uncertain)),
    )


def _renamed(turns: Sequence[Turn], names: Mapping[str, str], *, join: bool) -> tuple[Turn, ...]:
    """Renamed turns, sorted again, because names decide the order of simultaneous turns."""
    found = sorted(replace(t, speaker=names.get(t.speaker, t.speaker)) for t in turns)
    if not join:
        return tuple(found)
    joined: list[Turn] = []
    last: dict[tuple[str, int | None], int] = {}
    for turn in found:
        key = turn.speaker, turn.channel
        before = joined[last[key]] if key in last else None
        if before is not None and turn.start <= before.end:
            joined[last[key]] = _union(before, turn)
        else:
            last[key] = len(joined)
            joined.append(turn)
    return tuple(joined)


def _union(one: Turn, other: Turn) -> Turn:
    confidence = one.confidence
    if one.confidence is not None and other.confidence is not None:
        weighted = one.confidence * one.duration + other.confidence * other.duration
        confidence = weighted / (one.duration + other.duration)
    return replace(one, end=max(one.end, other.end), confidence=confidence)


def _joined_embeddings(result: Result, new: Sequence[str], speakers: Sequence[str]) -> Centroids:
    seconds = dict.fromkeys(result.speakers, 1e-3)  # a speaker without a turn of its own counts too
    for turn in result.exclusive_turns:
        seconds[turn.speaker] += turn.duration
    weights = np.array([seconds[name] for name in result.speakers], np.float32)
    weighted = result.embeddings * weights[:, None]
    rows = np.array([speakers.index(name) for name in new], np.int64)
    sums = np.zeros((len(speakers), *weighted.shape[1:]), np.float32)
    np.add.at(sums, rows, weighted)
    return unit_length(sums)


def _fewer(counts: Mapping[int, float], gone: int) -> dict[int, float]:
    """Probabilities of numbers of speakers of whom some were found to be the same."""
    found: dict[int, float] = {}
    for number, probability in counts.items():
        fewer = max(1, number - gone) if number else 0
        found[fewer] = found.get(fewer, 0.0) + probability
    return found


def _segment(segment: UncertainSegment, names: Mapping[str, str]) -> UncertainSegment:
    speaker = names.get(segment.speaker, segment.speaker)
    others = dict.fromkeys(names.get(name, name) for name in segment.alternatives)
    return replace(
        segment,
        speaker=speaker,
        alternatives=tuple(name for name in others if name != speaker),
    )
