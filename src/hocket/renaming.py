"""New names for the speakers of a result; those that get the same name become one speaker."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from hocket.arrays import Centroids, unit_length
from hocket.result import Result, UncertainSegment
from hocket.turns import Turn


def renamed(result: Result, names: Mapping[str, str], *, as_labels: bool = False) -> Result:
    """The result with new names.

    Turns of speakers who become one are joined where they touch or overlap. The embedding of such
    a speaker is the mean by speech, and the number of speakers is lower by those that are gone.

    Args:
        result: whose speakers are renamed.
        names: new names by old ones; speakers that are not in it keep theirs.
        as_labels: whether the names are labels, so that `Turn.id` is left out; otherwise it is the
            label from before.
    """
    new = [names.get(name, name) for name in result.speakers]
    speakers = tuple(dict.fromkeys(new))
    gone = len(new) - len(speakers)
    counts = result.count_confidence
    turns, exclusive = (
        _renamed(kind, names, join=gone > 0, as_labels=as_labels)
        for kind in (result.turns, result.exclusive_turns)
    )
    return replace(
        result,
        turns=turns,
        exclusive_turns=exclusive,
        speakers=speakers,
        embeddings=_joined_embeddings(result, new, speakers) if gone else result.embeddings,
        count_confidence=_fewer(counts, gone) if gone else counts,
        uncertain=tuple(sorted(_segment(segment, names) for segment in result.uncertain)),
    )


def _renamed(
    turns: Sequence[Turn], names: Mapping[str, str], *, join: bool, as_labels: bool
) -> tuple[Turn, ...]:
    """Renamed turns, sorted again, because names decide the order of simultaneous turns."""
    found = sorted(_with_name(turn, names.get(turn.speaker, turn.speaker)) for turn in turns)
    if as_labels:
        found = [replace(turn, id=None) for turn in found]
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


def _with_name(turn: Turn, name: str) -> Turn:
    if name == turn.speaker:
        return turn
    label = turn.id or turn.speaker
    return replace(turn, speaker=name, id=None if name == label else label)


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
