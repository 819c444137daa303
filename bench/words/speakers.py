"""Speakers of words: by overlap alone, near a change, and compared with the reference."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.annotations import Turn
from bench.summed import Summed
from bench.words.alignment import Pairs
from hocket.transcript import Word

NEAR_CHANGE_S = 0.5  # from the middle of a word near a change, and between the turns of a change
OUTSIDE_S = 1.0  # a word farther from every turn has no speaker, as in hocket's attribution


@dataclass(frozen=True)
class Attribution(Summed):
    """Words found that are in the reference, and those of them with the right speaker.

    words, right: all.
    near, near_right: those near a change of speaker.
    """

    words: int = 0
    right: int = 0
    near: int = 0
    near_right: int = 0

    def as_row(self) -> dict[str, float | None]:
        """Words with the right speaker, in percent; None without words."""
        return {
            "right_percent": percent(self.right, self.words),
            "near_change_right_percent": percent(self.near_right, self.near),
        }


def percent(part: float, whole: float) -> float | None:
    """Percent of a whole; None if there is nothing of it."""
    return round(100 * part / whole, 3) if whole else None


def largest_overlap(words: Sequence[Word], turns: Sequence[Turn]) -> list[str]:
    """The speaker of the turn that each word overlaps most; the nearest if it overlaps none.

    Of equal ones it is the first. A word more than 1 s from every turn has none (empty).
    """
    found = []
    for word in words:
        overlaps = [min(word.end, turn.end) - max(word.start, turn.start) for turn in turns]
        most = max(overlaps, default=-float("inf"))
        found.append(turns[overlaps.index(most)].speaker if most >= -OUTSIDE_S else "")
    return found


def changes_of(turns: Sequence[Turn]) -> list[float]:
    """Times at which a speaker begins or ends while another one speaks, or within 0.5 s of that."""
    return sorted(
        {
            edge
            for turn in turns
            for edge in (turn.start, turn.end)
            if any(
                other.start - NEAR_CHANGE_S <= edge <= other.end + NEAR_CHANGE_S
                for other in turns
                if other.speaker != turn.speaker
            )
        }
    )


def near_change(words: Sequence[Word], turns: Sequence[Turn]) -> list[bool]:
    """Whether the middle of each word is within 0.5 s of a change of speaker."""
    changes = changes_of(turns)
    middles = ((word.start + word.end) / 2 for word in words)
    return [any(abs(middle - each) <= NEAR_CHANGE_S for each in changes) for middle in middles]


def attribution(
    reference: Sequence[Word],
    turns: Sequence[Turn],
    speakers: Sequence[str],
    pairs: Pairs,
    mapping: Mapping[str, str],
) -> Attribution:
    """Count the words with the right speaker.

    Args:
        reference: words with their speakers.
        turns: those of the reference.
        speakers: that of each word found; names need not be those of the reference.
        pairs: indices of the same words in the reference and among those found.
        mapping: the reference's name of speakers found.
    """
    near = near_change(reference, turns)
    counted = Attribution()
    for one, other in pairs:
        right = int(mapping.get(speakers[other]) == reference[one].speaker)
        counted += Attribution(1, right, int(near[one]), right * near[one])
    return counted
