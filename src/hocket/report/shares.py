"""Who has the floor: shares of the speech, overlap, and who interrupts whom."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from hocket.turns import Turn

GIVES_WAY_S = 2.0
"""An interrupted speaker stops within this time, or is outlasted."""


@dataclass(frozen=True)
class Share:
    """What one speaker has of a recording.

    speaker: name.
    seconds: in which the speaker speaks.
    share: of the seconds of all speakers together, 0 to 1.
    turns: number of turns.
    longest: length of the longest turn in seconds.
    confidence: mean over the seconds of turns whose confidence is known; None if none is.
    """

    speaker: str
    seconds: float
    share: float
    turns: int
    longest: float
    confidence: float | None


@dataclass(frozen=True)
class Overlap:
    """Where several people speak at once.

    seconds: in which at least two speakers speak.
    speech: in which anybody speaks.
    """

    seconds: float
    speech: float

    @property
    def share(self) -> float:
        """Part of the speech in which several people speak, 0 to 1."""
        return self.seconds / self.speech if self.speech else 0.0


def shares(turns: Sequence[Turn], speakers: Sequence[str]) -> list[Share]:
    """What each of these speakers has, in their order."""
    own: dict[str, list[Turn]] = {speaker: [] for speaker in speakers}
    for turn in turns:
        if turn.speaker in own:
            own[turn.speaker].append(turn)
    seconds = {speaker: _covered(each) for speaker, each in own.items()}
    whole = sum(seconds.values()) or 1.0
    return [
        Share(
            speaker,
            seconds[speaker],
            seconds[speaker] / whole,
            len(each),
            max((turn.duration for turn in each), default=0.0),
            mean_confidence(each),
        )
        for speaker, each in own.items()
    ]


def mean_confidence(turns: Iterable[Turn]) -> float | None:
    """Mean confidence over the seconds of turns; None if it is known of none."""
    known = [(turn.duration, turn.confidence) for turn in turns if turn.confidence is not None]
    whole = sum(length for length, _ in known)
    if not whole:
        return None
    return sum(length * confidence for length, confidence in known) / whole


def overlap(turns: Sequence[Turn]) -> Overlap:
    """How long several speakers speak at once; turns of one speaker never overlap each other."""
    edges = [(turn.start, 1, turn.speaker) for turn in turns]
    edges += [(turn.end, -1, turn.speaker) for turn in turns]
    speech = several = last = 0.0
    going: dict[str, int] = {}
    for time, change, speaker in sorted(edges):
        if going:
            speech += time - last
            several += time - last if len(going) > 1 else 0.0
        going[speaker] = going.get(speaker, 0) + change
        if not going[speaker]:
            del going[speaker]
        last = time
    return Overlap(several, speech)


def interruptions(turns: Sequence[Turn]) -> Mapping[tuple[str, str], int]:
    """How often one speaker interrupts another, by (who interrupts, who is interrupted).

    A turn interrupts another speaker's turn if it begins while that turn goes on, and outlasts it
    or begins at most GIVES_WAY_S before its end.
    """
    found: dict[tuple[str, str], int] = {}
    going: list[Turn] = []
    for turn in sorted(turns):
        going = [other for other in going if other.end > turn.start]
        for other in going:
            if _interrupts(turn, other):
                pair = turn.speaker, other.speaker
                found[pair] = found.get(pair, 0) + 1
        going.append(turn)
    return found


def _interrupts(turn: Turn, other: Turn) -> bool:
    """Whether a turn interrupts one that ends after it starts."""
    if turn.speaker == other.speaker or other.start >= turn.start:
        return False
    return turn.end >= other.end or other.end - turn.start <= GIVES_WAY_S


def _covered(turns: Sequence[Turn]) -> float:
    """Seconds in any of the turns."""
    found, last = 0.0, float("-inf")
    for turn in sorted(turns):
        found += max(0.0, turn.end - max(last, turn.start))
        last = max(last, turn.end)
    return found
