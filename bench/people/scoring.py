"""Names compared with the truth: speech with the right name, and names given to strangers."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.annotations import Turn
from bench.summed import Summed

STEP_S = 0.01

Spoken = NDArray[np.bool_]


@dataclass(frozen=True)
class Tally(Summed):
    """Seconds of speech of one or several speakers.

    speech_s: all their speech.
    right_s: with their name.
    wrong_s: with another name.
    unnamed_s: found, but without a name.
    """

    speech_s: float = 0.0
    right_s: float = 0.0
    wrong_s: float = 0.0
    unnamed_s: float = 0.0

    @property
    def right_percent(self) -> float | None:
        """Share of the speech that was found; None if none was."""
        attributed = self.right_s + self.wrong_s + self.unnamed_s
        return round(100 * self.right_s / attributed, 3) if attributed else None

    @property
    def right_of_all_percent(self) -> float | None:
        """Share of all speech, including what was missed; None without speech."""
        return round(100 * self.right_s / self.speech_s, 3) if self.speech_s else None


@dataclass(frozen=True)
class Labels(Summed):
    """Seconds of found speech: all, with a name, and with the right name."""

    found_s: float = 0.0
    named_s: float = 0.0
    right_s: float = 0.0


@dataclass(frozen=True)
class Comparison:
    """True and found turns of a recording, in steps of 10 ms.

    speakers, labels: names of the true speakers, and labels of the found ones.
    truth: (speakers, steps).
    found: (labels, steps).
    """

    speakers: tuple[str, ...]
    labels: tuple[str, ...]
    truth: Spoken
    found: Spoken


def compare(truth: Iterable[Turn], found: Iterable[Turn], duration_s: float) -> Comparison:
    """Compare true and found turns of a recording."""
    steps = round(duration_s / STEP_S)
    speakers, true_steps = _steps(list(truth), steps)
    labels, found_steps = _steps(list(found), steps)
    return Comparison(speakers, labels, true_steps, found_steps)


def tally(both: Comparison, names: Mapping[str, str]) -> dict[str, Tally]:
    """Tallies of every speaker, if labels have these names.

    Wrong labels are shared among the speakers who speak without their name. If there are fewer
    wrong labels than such speakers, the rest of their speech was missed.
    """
    named = [names.get(label) for label in both.labels]
    right = {speaker: _any(both, named, speaker) for speaker in both.speakers}
    lost = sum((both.truth[i] & ~right[s] for i, s in enumerate(both.speakers)), _none(both))
    wrong, unnamed = _none(both), _none(both)
    for label, name in enumerate(named):
        spare = both.found[label].copy()
        if name in both.speakers:
            spare &= ~both.truth[both.speakers.index(name)]
        wrong, unnamed = (wrong, unnamed + spare) if name is None else (wrong + spare, unnamed)
    given = np.minimum(1, (wrong + unnamed) / np.maximum(lost, 1))
    wrongly = wrong / np.maximum(wrong + unnamed, 1)
    tallies = {}
    for index, speaker in enumerate(both.speakers):
        missing = given * (both.truth[index] & ~right[speaker])
        tallies[speaker] = Tally(
            speech_s=STEP_S * int(both.truth[index].sum()),
            right_s=STEP_S * int((both.truth[index] & right[speaker]).sum()),
            wrong_s=STEP_S * float((missing * wrongly).sum()),
            unnamed_s=STEP_S * float((missing * (1 - wrongly)).sum()),
        )
    return tallies


def label_seconds(both: Comparison, names: Mapping[str, str]) -> Labels:
    """Seconds of found speech in all, with a name, and with the right name."""
    total = Labels()
    for index, label in enumerate(both.labels):
        found, name = both.found[index], names.get(label)
        seconds, right = STEP_S * int(found.sum()), 0
        if name in both.speakers:
            right = int((found & both.truth[both.speakers.index(name)]).sum())
        total += Labels(seconds, seconds if name else 0.0, STEP_S * right)
    return total


def main_label(both: Comparison, speaker: str) -> str | None:
    """The label of most speech of a speaker; None if none of it was found."""
    if speaker not in both.speakers:
        return None
    shared = (both.found & both.truth[both.speakers.index(speaker)]).sum(axis=1)
    return both.labels[int(shared.argmax())] if shared.max(initial=0) else None


def _steps(turns: Sequence[Turn], steps: int) -> tuple[tuple[str, ...], Spoken]:
    names = tuple(sorted({turn.speaker for turn in turns}))
    spoken = np.zeros((len(names), steps), np.bool_)
    for turn in turns:
        first, last = round(turn.start / STEP_S), round(turn.end / STEP_S)
        spoken[names.index(turn.speaker), first:last] = True
    return names, spoken


def _any(both: Comparison, named: Sequence[str | None], speaker: str) -> Spoken:
    """Where any label has the name of this speaker."""
    chosen = [index for index, name in enumerate(named) if name == speaker]
    found: Spoken = np.logical_or.reduce(both.found[chosen], axis=0)
    return found


def _none(both: Comparison) -> NDArray[np.int64]:
    return np.zeros(both.truth.shape[1], np.int64)
