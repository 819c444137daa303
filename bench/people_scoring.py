"""Names against the truth: what of a person's speech has the right name, and who a stranger is."""

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
    """Seconds of speech of one person or several, by what was said of them.

    speech_s: what they said.
    right_s: what has their name.
    wrong_s: what has somebody else's name instead.
    unnamed_s: what was found, but has no name.
    """

    speech_s: float = 0.0
    right_s: float = 0.0
    wrong_s: float = 0.0
    unnamed_s: float = 0.0

    @property
    def right_percent(self) -> float | None:
        """Of the speech that was given to anybody; None if none was."""
        attributed = self.right_s + self.wrong_s + self.unnamed_s
        return round(100 * self.right_s / attributed, 3) if attributed else None

    @property
    def right_of_all_percent(self) -> float | None:
        """Of all the speech, what was missed included; None without any."""
        return round(100 * self.right_s / self.speech_s, 3) if self.speech_s else None


@dataclass(frozen=True)
class Labels(Summed):
    """Seconds of what was found: all, what has a name, and where that person really speaks."""

    found_s: float = 0.0
    named_s: float = 0.0
    right_s: float = 0.0


@dataclass(frozen=True)
class Heard:
    """One recording, true and found, in steps of 10 ms.

    people, labels: who speaks, and what those who were found are called.
    truth: (people, steps).
    found: (labels, steps).
    """

    people: tuple[str, ...]
    labels: tuple[str, ...]
    truth: Spoken
    found: Spoken


def compare(truth: Iterable[Turn], found: Iterable[Turn], duration_s: float) -> Heard:
    """Lay true and found turns of a recording side by side."""
    steps = round(duration_s / STEP_S)
    people, true = _steps(list(truth), steps)
    labels, said = _steps(list(found), steps)
    return Heard(people, labels, true, said)


def tally(heard: Heard, names: Mapping[str, str]) -> dict[str, Tally]:
    """What was said of everybody, if labels have these names.

    Where as many labels are wrong as people are without theirs, each of those is one of these
    people; where fewer are, the rest was missed.
    """
    named = [names.get(label) for label in heard.labels]
    right = {person: _any(heard, named, person) for person in heard.people}
    lost = sum((heard.truth[i] & ~right[p] for i, p in enumerate(heard.people)), _none(heard))
    wrong, unnamed = _none(heard), _none(heard)
    for label, name in enumerate(named):
        whose = heard.people.index(name) if name in heard.people else None
        spare = heard.found[label].copy()
        if whose is not None:
            spare &= ~heard.truth[whose]
        wrong, unnamed = (wrong, unnamed + spare) if name is None else (wrong + spare, unnamed)
    given = np.minimum(1, (wrong + unnamed) / np.maximum(lost, 1))
    wrongly = wrong / np.maximum(wrong + unnamed, 1)
    tallies = {}
    for index, person in enumerate(heard.people):
        missing = given * (heard.truth[index] & ~right[person])
        tallies[person] = Tally(
            speech_s=STEP_S * int(heard.truth[index].sum()),
            right_s=STEP_S * int((heard.truth[index] & right[person]).sum()),
            wrong_s=STEP_S * float((missing * wrongly).sum()),
            unnamed_s=STEP_S * float((missing * (1 - wrongly)).sum()),
        )
    return tallies


def label_seconds(heard: Heard, names: Mapping[str, str]) -> Labels:
    """How much of what was found has a name, and the right one."""
    total = Labels()
    for index, label in enumerate(heard.labels):
        said, name = heard.found[index], names.get(label)
        seconds, right = STEP_S * int(said.sum()), 0
        if name in heard.people:
            right = int((said & heard.truth[heard.people.index(name)]).sum())
        total += Labels(seconds, seconds if name else 0.0, STEP_S * right)
    return total


def main_label(heard: Heard, person: str) -> str | None:
    """What most of a person's speech is called; None if none of it was found."""
    if person not in heard.people:
        return None
    both = (heard.found & heard.truth[heard.people.index(person)]).sum(axis=1)
    return heard.labels[int(both.argmax())] if both.max(initial=0) else None


def _steps(turns: Sequence[Turn], steps: int) -> tuple[tuple[str, ...], Spoken]:
    names = tuple(sorted({turn.speaker for turn in turns}))
    spoken = np.zeros((len(names), steps), np.bool_)
    for turn in turns:
        first, last = round(turn.start / STEP_S), round(turn.end / STEP_S)
        spoken[names.index(turn.speaker), first:last] = True
    return names, spoken


def _any(heard: Heard, named: Sequence[str | None], person: str) -> Spoken:
    """Where any label has this person's name."""
    chosen = [index for index, name in enumerate(named) if name == person]
    found: Spoken = np.logical_or.reduce(heard.found[chosen], axis=0)
    return found


def _none(heard: Heard) -> NDArray[np.int64]:
    return np.zeros(heard.truth.shape[1], np.int64)
