"""A stream that was processed again as a recording keeps the names that it had live."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from hocket.online.events import SpeakerEvent
from hocket.renaming import renamed
from hocket.result import Result
from hocket.timeline import is_numbered
from hocket.turns import Turn

LEAST_SHARED_S = 0.5  # of speech that two speakers have in common, to be the same


class LiveSpeakers:
    """Who was found while the stream was recorded: turns, labels that became one, and names."""

    def __init__(self) -> None:
        self._turns: list[tuple[float, float, str]] = []
        self._into: dict[str, str] = {}
        self._names: dict[str, str] = {}

    def add(self, turns: Iterable[Turn]) -> None:
        """Keep final turns."""
        self._turns += [(turn.start, turn.end, turn.id or turn.speaker) for turn in turns]

    def learn(self, event: SpeakerEvent) -> None:
        """Keep what was found of a speaker."""
        if event.kind == "merged":
            self._into[event.id] = event.name
        elif event.kind == "named":
            self.rename(event.id, event.name)
        else:
            self._names.pop(event.id, None)

    def rename(self, label: str, name: str) -> None:
        """A speaker got a name."""
        self._names[label] = name

    def label_of(self, label: str) -> str:
        """The label of the speaker that a speaker is now."""
        while label in self._into:
            label = self._into[label]
        return label

    def named(self, result: Result) -> Result:
        """A result with these labels and names, for speakers who speak at the same times."""
        turns = [(start, end, self.label_of(label)) for start, end, label in self._turns]
        labels = list(dict.fromkeys(label for _, _, label in turns))
        pairs = _pairs(_shared(result.turns, result.speakers, turns, labels))
        found = {result.speakers[row]: labels[column] for row, column in pairs}
        found |= _new_labels(result.speakers, found, labels)
        # first by labels, so that each turn has its speaker's, and then by names
        again = renamed(result, found, as_labels=True)
        return renamed(again, {label: self._names.get(label, label) for label in again.speakers})


def _shared(
    turns: Sequence[Turn],
    speakers: Sequence[str],
    live: Sequence[tuple[float, float, str]],
    labels: Sequence[str],
) -> NDArray[np.float64]:
    """Seconds that speakers have in common, (speakers, labels)."""
    rows = {speaker: row for row, speaker in enumerate(speakers)}
    columns = {label: column for column, label in enumerate(labels)}
    found = np.zeros((len(rows), len(columns)))
    if not live:
        return found
    starts, ends = (np.array([turn[edge] for turn in live]) for edge in (0, 1))
    column = np.array([columns[turn[2]] for turn in live])
    for turn in turns:
        common = np.minimum(ends, turn.end) - np.maximum(starts, turn.start)
        np.add.at(found[rows[turn.speaker]], column, np.maximum(common, 0.0))
    return found


def _pairs(shared: NDArray[np.float64]) -> list[tuple[int, int]]:
    """Rows and columns that have most in common, each at most once."""
    from scipy.optimize import linear_sum_assignment  # imported here: only streams need it

    rows, columns = linear_sum_assignment(shared, maximize=True)
    pairs = zip(rows.tolist(), columns.tolist(), strict=True)
    return [pair for pair in pairs if shared[pair] >= LEAST_SHARED_S]


def _new_labels(
    speakers: Sequence[str], found: Mapping[str, str], labels: Sequence[str]
) -> dict[str, str]:
    """Labels that no live speaker had, for the speakers of a result who were not found live."""
    used = {*labels, *found.values()}
    new: dict[str, str] = {}
    for speaker in speakers:
        if speaker in found:
            continue
        stem, _, _ = speaker.rpartition("_")
        number, label = 0, speaker
        while label in used or (is_numbered(speaker) and label in new.values()):
            label = f"{stem}_{number:02d}"
            number += 1
        new[speaker] = label
        used.add(label)
    return new
