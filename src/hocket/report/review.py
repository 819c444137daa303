"""Where to listen first: the stretches of a result whose correction should remove most error.

Somebody has so many seconds. A stretch of a turn is worth the error that is expected in it, and
costs its length and OVERHEAD_S. The best choice within the time takes all stretches that are worth
more than a price for each second, and the price is found by halving.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import chain, groupby
from pathlib import Path
from typing import Any

from hocket.errors import ConfigError
from hocket.result import Result, Turn, UncertainSegment

SECONDS = 90.0
OVERHEAD_S = 0.5  # of every stretch, beside its length: finding it and starting to play
JOINED_S = 0.01  # doubts nearer than this are one stretch of sound
HALVINGS = 40  # of the price; after 40 it is known to one part in 10**12


@dataclass(frozen=True)
class ReviewSegment:
    """A stretch to listen to, and who may speak in it.

    start, end: where to listen.
    speaker: who speaks there by the result.
    alternatives: others that it may be, the likeliest first; somebody else or nobody may be right.
    confidence: probability that the speaker is right, at a moment of it.
    expected_error: seconds that are wrong on average, which an answer puts right.
    """

    start: float
    end: float
    speaker: str
    alternatives: tuple[str, ...]
    confidence: float
    expected_error: float


@dataclass(frozen=True)
class Review:
    """What to listen to in one recording, in the order of what an answer is worth.

    uri: of the recording.
    segments: with most expected error for their length first.
    expected_error: seconds of the result that are expected to be wrong, before any answer.
    remaining_error: after all answers.
    """

    uri: str
    segments: tuple[ReviewSegment, ...]
    expected_error: float
    remaining_error: float

    @property
    def seconds(self) -> float:
        """Length of all questions together."""
        return sum(segment.end - segment.start for segment in self.segments)


def review(result: Result, *, seconds: float = SECONDS) -> Review:
    """Choose what to listen to.

    Args:
        result: with confidence, of `Diarizer` or `read_result`.
        seconds: of sound at most.

    Raises:
        ConfigError: `seconds` is not above 0, or the result has turns and no confidence.
    """
    if not seconds > 0:
        raise ConfigError(f"seconds: found {seconds:g}; give a number above 0, such as 90")
    if result.turns and all(turn.confidence is None for turn in result.turns):
        raise ConfigError(
            f"{result.uri}: its turns have no confidence; "
            "give what 'hocket diarize --format json' wrote"
        )
    uncertain = result.uncertain or _uncertain_of(result.turns)
    segments_of = _groups(_fill(_chosen(_groups(uncertain), seconds), uncertain, seconds))
    segments = sorted(
        map(_review_segment, segments_of), key=lambda each: (-_density(each), each.start)
    )
    before = sum(_error_of(turn) for turn in result.turns)
    saved = sum(segment.expected_error for segment in segments)
    return Review(result.uri, tuple(segments), before, max(0.0, before - saved))


def read_result(path: str | Path) -> Result:
    """Turns, doubts, speakers and their number of a file that `hocket diarize --format json` wrote.

    Embeddings are not in it.

    Raises:
        ConfigError: the file cannot be read, or holds anything else.
    """
    import numpy as np

    try:
        content = json.loads(Path(path).read_text("utf-8"))
        return Result(
            uri=str(content["uri"]),
            turns=tuple(map(_turn, content["turns"])),
            exclusive_turns=tuple(map(_turn, content["exclusive_turns"])),
            speakers=tuple(map(str, content["speakers"])),
            embeddings=np.zeros((len(content["speakers"]), 0), np.float32),
            duration=float(content["duration"]),
            seconds={},
            count_confidence={
                int(number): float(sure)
                for number, sure in content.get("count_confidence", {}).items()
            },
            uncertain=tuple(
                UncertainSegment(
                    float(each["start"]),
                    float(each["end"]),
                    str(each["speaker"]),
                    float(each["confidence"]),
                    tuple(map(str, each["alternatives"])),
                )
                for each in content.get("uncertain", ())
            ),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ConfigError(
            f"{path}: found no result of one recording ({error}); "
            "give what 'hocket diarize FILE -o FILE.json' wrote"
        ) from error


def _turn(row: dict[str, Any]) -> Turn:
    sure = row.get("confidence")
    confidence = None if sure is None else float(sure)
    return Turn(float(row["start"]), float(row["end"]), str(row["speaker"]), confidence)


def _uncertain_of(turns: Iterable[Turn]) -> list[UncertainSegment]:
    """Whole turns as doubts, where nothing finer is known."""
    return [
        UncertainSegment(turn.start, turn.end, turn.speaker, turn.confidence)
        for turn in turns
        if turn.confidence is not None
    ]


def _groups(uncertain: Sequence[UncertainSegment]) -> list[list[UncertainSegment]]:
    """Doubts of one speaker that touch, in order of time."""
    order = sorted(uncertain, key=lambda segment: (segment.speaker, segment.start))
    groups: list[list[UncertainSegment]] = []
    for _, some in groupby(order, key=lambda segment: segment.speaker):
        last_s = -1.0
        for segment in some:
            if not groups or segment.start - last_s > JOINED_S or last_s < 0:
                groups.append([])
            groups[-1].append(segment)
            last_s = segment.end
    return groups


def _chosen(groups: Sequence[Sequence[UncertainSegment]], seconds: float) -> list[UncertainSegment]:
    """What is worth the least price at which all of it fits into so many seconds."""
    low, high = 0.0, 1.0
    chosen = _worth(groups, low)
    if sum(map(_length, chosen)) <= seconds:
        return list(chain.from_iterable(chosen))
    for _ in range(HALVINGS):
        price = (low + high) / 2
        if sum(map(_length, _worth(groups, price))) > seconds:
            low = price
        else:
            high = price
    return list(chain.from_iterable(_worth(groups, high)))


def _fill(
    chosen: list[UncertainSegment], uncertain: Sequence[UncertainSegment], seconds: float
) -> list[UncertainSegment]:
    """The same, and for the seconds that are left the least sure of the other doubts.

    Of one that is longer its beginning.
    """
    left_s = seconds - sum(_length([segment]) for segment in chosen)
    found, taken = list(chosen), set(chosen)
    for segment in sorted(uncertain, key=lambda each: (each.confidence, each)):
        if left_s <= JOINED_S:
            break
        if segment not in taken:
            found.append(replace(segment, end=min(segment.end, segment.start + left_s)))
            left_s -= _length(found[-1:])
    return found


def _worth(
    groups: Sequence[Sequence[UncertainSegment]], price: float
) -> list[Sequence[UncertainSegment]]:
    """Segments of the runs that are worth more than this price for each second and OVERHEAD_S.

    In every run, the stretches with the largest sum: what is gained by a stretch may pay for a
    surer second in it, but not for more than starting anew costs.
    """
    found: list[Sequence[UncertainSegment]] = []
    for group in groups:
        gains = [segment.expected_error - price * _length([segment]) for segment in group]
        found += [group[first:last] for first, last in _best(gains, price * OVERHEAD_S)]
    return found


def _best(gains: Sequence[float], start: float) -> list[tuple[int, int]]:
    """Segments with the largest sum of gains, less a price for starting each.

    Viterbi over two states, inside a stretch or not.
    """
    off, on = 0.0, float("-inf")
    came: list[tuple[bool, bool]] = []  # whether each state was reached from inside
    for gain in gains:
        from_on = on > off - start
        on, off, before = max(on, off - start) + gain, max(off, on), on > off
        came.append((before, from_on))
    inside, last, found = on > off, len(gains), []
    for place in range(len(gains) - 1, -1, -1):
        if inside and not came[place][1]:
            found.append((place, last))
            inside = False
        elif not inside and came[place][0]:
            inside, last = True, place
    return found[::-1]


def _length(stretch: Sequence[UncertainSegment]) -> float:
    return stretch[-1].end - stretch[0].start


def _review_segment(stretch: Sequence[UncertainSegment]) -> ReviewSegment:
    error = sum(segment.expected_error for segment in stretch)
    weights: dict[str, float] = {}
    for segment in stretch:
        for rank, name in enumerate(segment.alternatives):
            weights[name] = weights.get(name, 0.0) + segment.expected_error / (rank + 1)
    return ReviewSegment(
        stretch[0].start,
        stretch[-1].end,
        stretch[0].speaker,
        tuple(sorted(weights, key=lambda name: -weights[name])),
        1 - error / _length(stretch),
        error,
    )


def _density(segment: ReviewSegment) -> float:
    return segment.expected_error / (segment.end - segment.start + OVERHEAD_S)


def _error_of(turn: Turn) -> float:
    return 0.0 if turn.confidence is None else turn.duration * (1 - turn.confidence)
