"""Where to listen first: the segments whose correction should remove the most error.

A person has a limited time to listen. A segment of a turn is worth its expected error, and costs
its length and OVERHEAD_S. The best choice within the time takes every segment that is worth more
than some price per second; the price is found by bisection.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import chain, groupby

from hocket.errors import ConfigError
from hocket.result import Result, UncertainSegment
from hocket.turns import Turn

SECONDS = 90.0
OVERHEAD_S = 0.5  # of every segment, beside its length: finding it and starting to play
JOINED_S = 0.01  # uncertain segments nearer than this are one
HALVINGS = 40  # of the price; after 40 it is known to one part in 10**12


@dataclass(frozen=True)
class ReviewSegment:
    """A segment to listen to, and who may speak in it.

    start, end: where to listen, in seconds.
    speaker: the speaker in the result.
    alternatives: other speakers, the likeliest first; somebody else or nobody may be right.
    confidence: probability that the speaker is right, at a moment of the segment.
    expected_error: seconds that are wrong on average, and right once somebody has listened.
    """

    start: float
    end: float
    speaker: str
    alternatives: tuple[str, ...]
    confidence: float
    expected_error: float


@dataclass(frozen=True)
class Review:
    """What to listen to in one recording.

    uri: of the recording.
    segments: those with the most expected error for their length first.
    expected_error: seconds of the result that are expected to be wrong.
    remaining_error: the same, once all segments are corrected.
    """

    uri: str
    segments: tuple[ReviewSegment, ...]
    expected_error: float
    remaining_error: float

    @property
    def seconds(self) -> float:
        """Length of all segments together."""
        return sum(segment.end - segment.start for segment in self.segments)


def review(result: Result, *, seconds: float = SECONDS) -> Review:
    """Choose what to listen to.

    Args:
        result: with confidence, from `Diarizer` or `Result.load`.
        seconds: most sound to listen to.

    Raises:
        ConfigError: `seconds` is not above 0, or the result has turns without confidence.
    """
    if not seconds > 0:
        raise ConfigError(f"seconds is {seconds:g}; give a number above 0, such as 90")
    if result.turns and all(turn.confidence is None for turn in result.turns):
        raise ConfigError(
            f"{result.uri}: its turns have no confidence; "
            "give what 'hocket diarize --format json' wrote"
        )
    uncertain = result.uncertain or _whole_turns(result.turns)
    chosen = _fill(_chosen(_touching(uncertain), seconds), uncertain, seconds)
    segments = sorted(
        map(_review_segment, _touching(chosen)), key=lambda each: (-_density(each), each.start)
    )
    before = sum(_error_of(turn) for turn in result.turns)
    saved = sum(segment.expected_error for segment in segments)
    return Review(result.uri, tuple(segments), before, max(0.0, before - saved))


def _whole_turns(turns: Iterable[Turn]) -> list[UncertainSegment]:
    """Whole turns as uncertain segments, where nothing finer is known."""
    return [
        UncertainSegment(turn.start, turn.end, turn.speaker, turn.confidence)
        for turn in turns
        if turn.confidence is not None
    ]


def _touching(segments: Sequence[UncertainSegment]) -> list[list[UncertainSegment]]:
    """Segments of one speaker that touch, in groups, in order of time."""
    order = sorted(segments, key=lambda segment: (segment.speaker, segment.start))
    groups: list[list[UncertainSegment]] = []
    for _, own in groupby(order, key=lambda segment: segment.speaker):
        last = -1.0
        for segment in own:
            if not groups or segment.start - last > JOINED_S or last < 0:
                groups.append([])
            groups[-1].append(segment)
            last = segment.end
    return groups


def _chosen(groups: Sequence[Sequence[UncertainSegment]], seconds: float) -> list[UncertainSegment]:
    """What is worth the lowest price at which all of it fits into so many seconds."""
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
    chosen: list[UncertainSegment], segments: Sequence[UncertainSegment], seconds: float
) -> list[UncertainSegment]:
    """The same, and the least confident other segments for the seconds that are left.

    The last of them is cut to fit.
    """
    left = seconds - sum(_length([segment]) for segment in chosen)
    found, taken = list(chosen), set(chosen)
    for segment in sorted(segments, key=lambda each: (each.confidence, each)):
        if left <= JOINED_S:
            break
        if segment not in taken:
            found.append(replace(segment, end=min(segment.end, segment.start + left)))
            left -= _length(found[-1:])
    return found


def _worth(
    groups: Sequence[Sequence[UncertainSegment]], price: float
) -> list[Sequence[UncertainSegment]]:
    """Parts of groups that are worth more than this price per second and OVERHEAD_S.

    In every group, the parts with the largest sum: a part may include a confident second if what
    surrounds it pays for it, but not if starting anew is cheaper.
    """
    found: list[Sequence[UncertainSegment]] = []
    for group in groups:
        gains = [segment.expected_error - price * _length([segment]) for segment in group]
        found += [group[first:last] for first, last in _best(gains, price * OVERHEAD_S)]
    return found


def _best(gains: Sequence[float], start: float) -> list[tuple[int, int]]:
    """Ranges with the largest sum of gains, less a price for starting each.

    Viterbi over two states, inside a range or not.
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


def _length(segments: Sequence[UncertainSegment]) -> float:
    return segments[-1].end - segments[0].start


def _review_segment(group: Sequence[UncertainSegment]) -> ReviewSegment:
    error = sum(segment.expected_error for segment in group)
    weights: dict[str, float] = {}
    for segment in group:
        for rank, name in enumerate(segment.alternatives):
            weights[name] = weights.get(name, 0.0) + segment.expected_error / (rank + 1)
    return ReviewSegment(
        group[0].start,
        group[-1].end,
        group[0].speaker,
        tuple(sorted(weights, key=lambda name: -weights[name])),
        1 - error / _length(group),
        error,
    )


def _density(segment: ReviewSegment) -> float:
    return segment.expected_error / (segment.end - segment.start + OVERHEAD_S)


def _error_of(turn: Turn) -> float:
    return 0.0 if turn.confidence is None else turn.duration * (1 - turn.confidence)
