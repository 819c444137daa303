"""The channels of a recording, each diarized by itself, and their results joined to one."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from hocket.audio.isolation import isolate
from hocket.audio.reading import Selection, Source
from hocket.offline.artifacts import Artifacts
from hocket.offline.speakers import ONE_VOICE_A_CHANNEL
from hocket.renaming import renamed
from hocket.result import Result
from hocket.timeline import channel_speaker
from hocket.timing import Stopwatch, totals
from hocket.turns import Turn

# cosine distance: 14 of 16 simulated pairs of one voice are nearer, no pair of 34 of two voices
SAME_VOICE = 0.32
LEAST_SHARE = 0.01  # a number of speakers that is less likely is not given


def diarize_each(
    recording: Source,
    selection: Selection,
    infer: Callable[..., Artifacts],
    finish: Callable[[Artifacts], Result],
    watch: Stopwatch,
    join_voices: bool,
) -> Result:
    """Diarize every channel by itself, and join the results.

    Args:
        recording: with the channels.
        selection: what is used of it.
        infer: runs the networks over a stream; gets a stopwatch, and as `part` the number of the
            channel and how many there are.
        finish: artifacts to a result.
        watch: gets the time that isolating the channels takes.
        join_voices: whether a voice that speaks in several channels is one speaker.
    """
    with watch.stage("decode"):
        channels, recording, notices = isolate(recording, selection)
    results = []
    for number, channel in enumerate(channels, start=1):
        with recording.opened(channel.selection, notices) as stream:
            artifacts = infer(stream, Stopwatch(), part=(number, len(channels)))
        own = replace(artifacts, channel=number, pauses=channel.pauses)
        results.append(of_channel(finish(own), number))
    joined = join(results)
    joined = replace(joined, seconds=totals(watch.seconds, joined.seconds))
    return one_voice_each(joined) if join_voices else joined


def of_channel(result: Result, channel: int) -> Result:
    """The result of a channel, with its number in turns and in the speakers' names."""

    def numbered(turns: tuple[Turn, ...]) -> tuple[Turn, ...]:
        return tuple(replace(turn, channel=channel) for turn in turns)

    labels = {name: channel_speaker(channel, name) for name in result.speakers}
    own = renamed(result, labels, as_labels=True)
    return replace(own, turns=numbered(own.turns), exclusive_turns=numbered(own.exclusive_turns))


def join(results: Sequence[Result]) -> Result:
    """One result of those of all channels, in the order of the channels.

    Exclusive turns do not overlap across channels either: who begins first keeps the floor. The
    numbers of speakers of channels are independent.

    Args:
        results: of `of_channel`; at least one.
    """
    turns = tuple(sorted(turn for result in results for turn in result.turns))
    first = {turn.speaker: turn.start for turn in reversed(turns)}
    rows = [
        (name, vector)
        for result in results
        for name, vector in zip(result.speakers, result.embeddings, strict=True)
        if name in first
    ]
    rows.sort(key=lambda row: first[row[0]])
    dimension = results[0].embeddings.shape[1:]
    return replace(
        results[0],
        turns=turns,
        exclusive_turns=_one_at_a_time(turn for each in results for turn in each.exclusive_turns),
        speakers=tuple(name for name, _ in rows),
        embeddings=np.array([vector for _, vector in rows], np.float32).reshape(-1, *dimension),
        duration=max(result.duration for result in results),
        seconds=totals(*(result.seconds for result in results)),
        count_confidence=_sum_of([result.count_confidence for result in results]),
        uncertain=tuple(sorted(segment for result in results for segment in result.uncertain)),
        notices=tuple(dict.fromkeys(notice for each in results for notice in each.notices)),
    )


def one_voice_each(result: Result) -> Result:
    """The result of several channels, with one name for a voice that speaks in several of them.

    The nearest speakers of different channels become one, again and again, as long as all that
    become one are near each other. The name is that of the first.

    Args:
        result: of `join`.
    """
    channels = {turn.speaker: turn.channel for turn in result.turns}
    own = np.array([channels[name] for name in result.speakers])
    distances = 1 - (result.embeddings @ result.embeddings.T).astype(np.float64)
    usable = np.asarray(result.embeddings.any(axis=1))
    same = np.asarray(own == own[:, None], np.bool_)
    apart = same | ~usable | ~usable[:, None]
    distances[apart] = np.inf
    group = np.arange(len(own))
    while distances.size and distances.min() <= SAME_VOICE:
        one, other = sorted(map(int, np.unravel_index(distances.argmin(), distances.shape)))
        group[group == other] = one
        furthest = np.maximum(distances[one], distances[other])  # complete linkage
        distances[one], distances[:, one] = furthest, furthest
        distances[other], distances[:, other] = np.inf, np.inf
    kept = zip(result.speakers, group.tolist(), strict=True)
    return renamed(result, {name: result.speakers[first] for name, first in kept})


def _one_at_a_time(turns: Iterable[Turn]) -> tuple[Turn, ...]:
    """Turns without overlap: a later one begins where all before it have ended."""
    found: list[Turn] = []
    reached = 0.0
    for turn in sorted(turns):
        if turn.end > reached:
            found.append(replace(turn, start=max(turn.start, reached)))
            reached = turn.end
    return tuple(found)


def _sum_of(counts: Sequence[Mapping[int, float]]) -> dict[int, float]:
    """Distribution of the sum of independent numbers; empty if one is unknown."""
    joint = {0: 1.0}
    for count in map(_one_expected, counts):
        found: dict[int, float] = {}
        for number, probability in joint.items():
            for more, share in count.items():
                found[number + more] = found.get(number + more, 0.0) + probability * share
        joint = found
    return {number: share for number, share in sorted(joint.items()) if share >= LEAST_SHARE}


def _one_expected(count: Mapping[int, float]) -> dict[int, float]:
    """A channel's number of speakers, of which one is more likely beforehand than each more."""
    weights = {
        number: probability * math.exp(-ONE_VOICE_A_CHANNEL * max(0, number - 1))
        for number, probability in count.items()
    }
    total = sum(weights.values())
    return {number: weight / total for number, weight in weights.items() if total}
