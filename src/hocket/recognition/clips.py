"""Clips of speech: what a recognizer takes at once, cut from a recording that is being read.

Whisper pads every clip to 30 s, so short stretches are joined. It may stop before the end of a
clip; what has no words is recognized once more (`without_words`).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from hocket.arrays import Waveform
from hocket.audio.buffer import SampleBuffer, joined
from hocket.transcript import Word
from hocket.turns import Turn


@dataclass(frozen=True)
class ClipRules:
    """How speech is cut.

    margin_s: kept around speech.
    pause_s: a shorter pause stays as it is; a longer one is replaced.
    silence_s: what stands in a clip in place of a pause.
    """

    margin_s: float = 0.1
    pause_s: float = 0.2
    silence_s: float = 0.1


Times: TypeAlias = NDArray[np.float64]
"""(times,) in seconds."""

STEP_S = 0.02  # of the levels by which a long stretch is cut
SMOOTH = 7  # steps over which levels are averaged
NEAR_CHANGE_S = 0.25  # where a cut is better than elsewhere
AT_CHANGE = 0.25  # a level there counts as so much of it


@dataclass(frozen=True, eq=False)
class Clip:
    """Speech that is recognized at once.

    samples: (samples,) of its pieces, with silence between them.
    pieces: where each begins and ends in the clip, and where it begins in the recording, seconds.
    """

    samples: Waveform
    pieces: tuple[tuple[float, float, float], ...]

    def in_recording(self, words: Iterable[Word]) -> list[Word]:
        """Words with times of the clip, with those of the recording.

        A word belongs to the piece that holds its middle, and ends where the piece does.
        """
        starts = [start for start, _, _ in self.pieces]
        found = []
        for word in words:
            middle = (word.start + word.end) / 2
            place = max(0, int(np.searchsorted(starts, middle, "right")) - 1)
            first, last, offset = self.pieces[place]
            start = min(max(word.start, first), last)
            end = min(max(word.end, start), last)
            moved = offset - first
            found.append(replace(word, start=start + moved, end=end + moved))
        return found

    def without_words(self, words: Iterable[Word], least_s: float) -> list["Clip"]:
        """Its parts of at least so many seconds without a word, whose times are of the clip."""
        found, time = [], 0.0
        end = self.pieces[-1][1]
        for first, last in (*sorted((word.start, word.end) for word in words), (end, end)):
            if first - time >= least_s:
                found.append(self._part(time, first))
            time = max(time, last)
        return found

    def _part(self, start: float, end: float) -> "Clip":
        rate = round(len(self.samples) / self.pieces[-1][1])
        samples = self.samples[round(start * rate) : round(end * rate)]
        pieces = [
            (max(first, start) - start, min(last, end) - start, offset + max(0.0, start - first))
            for first, last, offset in self.pieces
            if first < end and last > start
        ]
        return Clip(samples, tuple(pieces))

    @property
    def speech_s(self) -> float:
        """Length of its pieces in seconds."""
        return sum(end - start for start, end, _ in self.pieces)


def clips_of(
    blocks: Iterable[Waveform],
    turns: Sequence[Turn],
    rate: int,
    *,
    longest_s: float,
    start_s: float = 0.0,
    rules: ClipRules | None = None,
) -> Iterator[Clip]:
    """Clips of a recording, in order of time, as its blocks come.

    Args:
        blocks: mono samples.
        turns: who speaks when; where nobody does, nothing is recognized.
        rate: Hz.
        longest_s: of a clip, in seconds.
        start_s: where the blocks begin in the recording, in seconds.
        rules: how speech is cut.
    """
    rules = rules or ClipRules()
    ready: list[tuple[int, Waveform]] = []
    used, gap = 0, round(rules.silence_s * rate)
    for start, samples in _pieces(blocks, turns, rate, longest_s, start_s, rules):
        if ready and used + gap + len(samples) > longest_s * rate:
            yield _clip(ready, rate, gap, start_s)
            ready, used = [], 0
        used += len(samples) + (gap if ready else 0)
        ready.append((start, samples))
    if ready:
        yield _clip(ready, rate, gap, start_s)


def _clip(pieces: Sequence[tuple[int, Waveform]], rate: int, gap: int, start_s: float) -> Clip:
    silence = np.zeros(gap, np.float32)
    parts: list[Waveform] = []
    places, used = [], 0
    for start, samples in pieces:
        if parts:
            parts.append(silence)
            used += gap
        places.append((used / rate, (used + len(samples)) / rate, start_s + start / rate))
        parts.append(samples)
        used += len(samples)
    return Clip(np.concatenate(parts), tuple(places))


def _pieces(
    blocks: Iterable[Waveform],
    turns: Sequence[Turn],
    rate: int,
    longest_s: float,
    start_s: float,
    rules: ClipRules,
) -> Iterator[tuple[int, Waveform]]:
    """First sample and samples of stretches of speech, none longer than a clip."""
    source, buffer = iter(blocks), SampleBuffer()
    longest = round(longest_s * rate)
    changes = np.array([turn.start for turn in turns]) - start_s
    for first, last in _stretches(turns, rate, start_s, rules):
        start = first
        while start < last:
            end = min(last, start + longest)
            while buffer.end < end and (block := next(source, None)) is not None:
                buffer.append(block)
                buffer.release(start)
            end = min(end, buffer.end)
            if end <= start:
                return
            samples, _ = joined(buffer.pieces(start, end))
            if end < last and end == start + longest:
                samples = samples[: _cut(samples, rate, changes - start / rate)]
            yield start, samples
            start += len(samples)


def _stretches(
    turns: Sequence[Turn], rate: int, start_s: float, rules: ClipRules
) -> list[tuple[int, int]]:
    """First and past-the-last sample of speech, with its margin; short pauses are in it."""
    found: list[list[float]] = []
    for start, end in sorted((turn.start, turn.end) for turn in turns):
        first, last = start - start_s - rules.margin_s, end - start_s + rules.margin_s
        if found and first <= found[-1][1] + rules.pause_s:
            found[-1][1] = max(found[-1][1], last)
        else:
            found.append([max(0.0, first), last])
    return [(round(first * rate), round(last * rate)) for first, last in found if last > first]


def _cut(samples: Waveform, rate: int, changes: Times) -> int:
    """Where to cut a stretch: where its second half is quietest, near changes rather."""
    half = len(samples) // 2
    return half + quietest(samples[half:], rate, changes - half / rate)


def quietest(samples: Waveform, rate: int, changes: Times | None = None) -> int:
    """The sample where a sound is quietest over a seventh of a second, not at its end.

    Args:
        samples: (samples,).
        rate: Hz.
        changes: (changes,) times in seconds, near which the level counts as less.
    """
    step = round(STEP_S * rate)
    count = len(samples) // step
    if count <= SMOOTH:
        return len(samples)
    squares = np.square(samples[: count * step], dtype=np.float64).reshape(count, step)
    levels = np.convolve(squares.mean(axis=1), np.ones(SMOOTH) / SMOOTH, "same")
    times = (np.arange(count) + 0.5) * STEP_S
    for change in () if changes is None else changes[(changes > 0) & (changes < times[-1])]:
        levels[np.abs(times - change) < NEAR_CHANGE_S] *= AT_CHANGE
    return int(levels[: count - SMOOTH].argmin()) * step
