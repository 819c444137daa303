"""Who says which word: words from a recognizer, and turns, to segments of one speaker.

Words and turns come from different networks, so their times differ by a tenth of a second or two.
The largest overlap alone gives a word at a change to the wrong side. Here the sequence of speakers
is chosen that is most likely for all words together: a change costs little at a pause or behind
the end of a sentence, and much between two words that follow each other at once.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, groupby, pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from hocket.notices import Notices
from hocket.result import Result
from hocket.transcript import SENTENCE_ENDS, Segment, Transcript, Word, joined_text, words_of
from hocket.turns import Turn

SEGMENT_PAUSE_S = 1.0  # a segment ends at such a pause
LATE_S = 0.5  # after the end of a recording, that recognizers round to
MOST_OUTSIDE = 0.2  # share of words outside of speech that is no accident


@dataclass(frozen=True)
class AttributionRules:
    """How words get their speakers; tuned on simulated meetings and panels (docs/accuracy.md).

    limit_s: a word farther from every turn has no speaker.
    spread_s: standard deviation of the difference between the times of words and of turns.
    exclusive: weight of the turns without overlap beside all turns.
    change: cost of a change of speaker between two words, in nats.
    pause: by how much a pause of `pause_s` or more lowers it.
    sentence: by how much the end of a sentence lowers it.
    """

    limit_s: float = 1.0
    spread_s: float = 0.1
    exclusive: float = 0.3
    change: float = 2.0
    pause: float = 1.0
    pause_s: float = 0.5
    sentence: float = 1.0

    def reach_s(self, longest_s: float) -> float:
        """How far a turn may be from a word of that length, and still count."""
        return 2 * self.limit_s + 4 * (self.spread_s + longest_s)


FLOOR = 0.02  # probability of a speaker who is not active; keeps one word from deciding
DISTANCE_S = 0.5  # at which that is e times less, so that the nearest turn decides between turns
LEAST_CHANGE = 0.05


def attribute(
    words: Transcript,
    result: Result,
    *,
    whole_sentences: bool = False,
    rules: AttributionRules | None = None,
) -> Transcript:
    """Give every word of a transcript to a speaker of a result.

    Args:
        words: what is said, in segments of any length; their speakers do not count.
        result: who spoke when, in the same recording.
        whole_sentences: whether all words of a sentence get the speaker of most of it.
        rules: how words get their speakers.

    Returns:
        Segments of one speaker each, which end at a change of speaker and at a pause of a second.
        A word outside of speech has no speaker, and neither has its segment. Notices are those of
        both arguments, and what does not fit.
    """
    segments = [*attributed(in_order(words), result, whole_sentences=whole_sentences, rules=rules)]
    notices = Notices(result.uri, (*result.notices, *words.notices))
    spread = sum(bool(each.text) and not each.words for each in words.segments)
    if spread:
        text = f"words of {spread} segments have no times of their own; they are spread over them"
        notices.add("times", text)
    note_misfits(segments, result, notices)
    return Transcript(
        *(result.uri, result.duration, tuple(segments), words.language, tuple(notices), result)
    )


def in_order(transcript: Transcript) -> list[Word]:
    """All words of a transcript in order of time; those without text are left out."""
    found = [word for each in transcript.segments for word in words_of(each) if word.text.strip()]
    return sorted(found, key=lambda word: (word.start, word.end))


def attributed(
    words: Iterable[Word],
    result: Result,
    *,
    whole_sentences: bool = False,
    rules: AttributionRules | None = None,
) -> Iterator[Segment]:
    """The segments of words that come one by one, in order of time; arguments as in `attribute`.

    What stands between two pauses of a second is decided together.
    """
    rules, own = rules or AttributionRules(), dict[str, list[Turn]]()
    for turn in result.turns:  # in order of time
        own.setdefault(turn.speaker, []).append(turn)
    turns, exclusive = _Timeline(result.turns), _Timeline(result.exclusive_turns)
    for passage in _passages(words):
        span = passage[0].start, max(word.end for word in passage)
        reach = rules.reach_s(max(word.end - word.start for word in passage))
        near = turns.near(*span, reach), exclusive.near(*span, reach)
        speakers = speakers_of(passage, *near, rules)
        if whole_sentences:
            speakers = _by_sentence(passage, speakers)
        named = [replace(word, speaker=who) for word, who in zip(passage, speakers, strict=True)]
        for speaker, group in groupby(named, key=lambda word: word.speaker):
            yield _segment([*group], own.get(speaker, []))


def _passages(words: Iterable[Word]) -> Iterator[list[Word]]:
    """Words without a long pause between them."""
    passage: list[Word] = []
    end = 0.0
    for word in words:
        if passage and word.start - end >= SEGMENT_PAUSE_S:
            yield passage
            passage = []
        passage.append(word)
        end = max(end, word.end)
    if passage:
        yield passage


class _Timeline:
    """Turns in order of time, of which those near a passage are found at once."""

    def __init__(self, turns: Sequence[Turn]) -> None:
        self._turns = sorted(turns)
        self._starts = [turn.start for turn in self._turns]
        # turns may lie in one another
        self._reached = [*accumulate((turn.end for turn in self._turns), max)]

    def near(self, start: float, end: float, reach: float) -> Sequence[Turn]:
        """Turns of which a part may be between `start` and `end`, or at most `reach` from there."""
        first = bisect_left(self._reached, start - reach)
        return self._turns[first : bisect_right(self._starts, end + reach)]


def speakers_of(
    words: Sequence[Word], turns: Sequence[Turn], exclusive: Sequence[Turn], rules: AttributionRules
) -> list[str]:
    """The speaker of each word; empty if none speaks near it.

    Args:
        words: in order of time.
        turns: those near the words.
        exclusive: the same without overlap.
        rules: how words get their speakers.
    """
    if not words or not turns:
        return [""] * len(words)
    names = tuple(dict.fromkeys(turn.speaker for turn in (*turns, *exclusive)))
    distances = np.stack([_distances(words, turns, name) for name in names], axis=1)
    shares = rules.exclusive * _shares(words, exclusive, names, rules.spread_s)
    shares += (1 - rules.exclusive) * _shares(words, turns, names, rules.spread_s)
    near = np.exp(-np.minimum(distances, 2 * rules.limit_s) / DISTANCE_S)
    best = _most_likely(np.log(shares + FLOOR * near), _costs(words, rules))
    is_near = distances.min(axis=1) <= rules.limit_s
    return [names[each] if near else "" for each, near in zip(best, is_near, strict=True)]


def _shares(
    words: Sequence[Word], turns: Sequence[Turn], names: Sequence[str], spread_s: float
) -> NDArray[np.float64]:
    """Probability that each speaker is active at a moment of each word, (words, speakers).

    The moment is normally distributed: around the middle of the word, with its width and `spread_s`
    as independent deviations.
    """
    starts = np.array([word.start for word in words])
    ends = np.array([word.end for word in words])
    middles, widths = (starts + ends) / 2, np.hypot(spread_s, (ends - starts) / np.sqrt(12))
    order = np.argsort(middles, kind="stable")
    middles, widths = middles[order], widths[order]
    reach = 4 * widths.max()
    found = np.zeros((len(words), len(names)))
    columns = {name: number for number, name in enumerate(names)}
    for turn in turns:
        first = np.searchsorted(middles, turn.start - reach)
        last = np.searchsorted(middles, turn.end + reach, "right")
        near, width = middles[first:last], widths[first:last]
        share = ndtr((turn.end - near) / width) - ndtr((turn.start - near) / width)
        found[order[first:last], columns[turn.speaker]] += share
    return np.minimum(found, 1.0)


def _distances(words: Sequence[Word], turns: Sequence[Turn], name: str) -> NDArray[np.float64]:
    """Seconds from each word to the nearest turn of a speaker, (words,); 0 if they overlap."""
    own = sorted((turn.start, turn.end) for turn in turns if turn.speaker == name)
    starts = np.array([start for start, _ in own])
    reached = np.maximum.accumulate([end for _, end in own])  # turns may lie in one another
    before = np.searchsorted(starts, [word.end for word in words], "right")
    since = np.array([word.start for word in words]) - np.append(-np.inf, reached)[before]
    until = np.append(starts, np.inf)[before] - np.array([word.end for word in words])
    nearest: NDArray[np.float64] = np.maximum(0.0, np.minimum(since, until))
    return nearest


def _costs(words: Sequence[Word], rules: AttributionRules) -> list[float]:
    """Cost of a change of speaker between each word and the next."""

    def cost(word: Word, later: Word) -> float:
        pause = min(max(0.0, later.start - word.end), rules.pause_s) / rules.pause_s
        ends = word.text.endswith(SENTENCE_ENDS)
        return max(LEAST_CHANGE, rules.change - rules.pause * pause - rules.sentence * ends)

    return [cost(word, later) for word, later in pairwise(words)]


def _most_likely(scores: NDArray[np.float64], costs: Sequence[float]) -> list[int]:
    """The column of each row (Viterbi): largest sum of scores less the costs of changes."""
    best, stay, before = scores[0], np.arange(scores.shape[1]), []
    for score, cost in zip(scores[1:], costs, strict=True):
        leader = int(best.argmax())
        before.append(np.where(best >= best[leader] - cost, stay, leader))
        best = np.maximum(best, best[leader] - cost) + score
    found = [int(best.argmax())]
    for step in reversed(before):
        found.append(int(step[found[-1]]))
    return found[::-1]


def _by_sentence(words: Sequence[Word], speakers: Sequence[str]) -> list[str]:
    """The speaker of most of its sentence for each word."""
    found: list[str] = []
    sums: dict[str, float] = {}
    for index, (word, speaker) in enumerate(zip(words, speakers, strict=True)):
        sums[speaker] = sums.get(speaker, 0.0) + max(word.end - word.start, 0.01)
        if index + 1 == len(words) or word.text.endswith(SENTENCE_ENDS):
            known = {who: length for who, length in sums.items() if who} or sums
            found += [max(known, key=known.__getitem__)] * (index + 1 - len(found))
            sums = {}
    return found


def _segment(words: Sequence[Word], turns: Sequence[Turn]) -> Segment:
    """A segment, with what is known of the turn that it overlaps most."""
    start, end, speaker = words[0].start, max(word.end for word in words), words[0].speaker
    near: list[Turn] = []
    for turn in reversed(turns[: bisect_left(turns, end, key=lambda turn: turn.start)]):
        if turn.end <= start:
            break
        near.append(turn)
    most = max(near, key=lambda turn: min(turn.end, end) - max(turn.start, start), default=None)
    turn = replace(most, start=start, end=end) if most else Turn(start, end, speaker)
    return Segment(turn, joined_text([word.text.strip() for word in words]), tuple(words))


def note_misfits(segments: Sequence[Segment], result: Result, notices: Notices) -> None:
    """Add what does not fit: words outside of speech, words after the end, no words at all."""
    words = [word for segment in segments for word in segment.words]
    if not words:
        if result.turns:
            notices.add("words", "no words were recognized; the turns are kept")
        return
    late = sum(word.end > result.duration + LATE_S for word in words)
    if late:
        text = f"{late} of {len(words)} words end after the recording, {result.duration:.1f} s"
        notices.add("outside", text)
    outside = sum(not word.speaker for word in words)
    if outside:
        doubt = "; are they of this recording?" if outside > MOST_OUTSIDE * len(words) else ""
        text = f"{outside} of {len(words)} words are where nobody is found to speak{doubt}"
        notices.add("outside", text)
