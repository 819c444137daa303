"""Turns, and their times as files state them: in milliseconds."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from hocket.errors import is_shown


@dataclass(frozen=True, order=True)
class Turn:
    """One stretch of speech by one speaker, in seconds from the start of the recording.

    confidence: probability, at a moment of the turn, that somebody speaks and that it is this
        speaker; None if unknown. It does not count when turns are compared.
    channel: number of the channel that it was found in, from 1; None unless channels were diarized
        each by itself.
    id: label of the speaker that stays, whatever name the speaker gets or loses: SPEAKER_nn; None
        if `speaker` is that label.
    """

    start: float
    end: float
    speaker: str
    confidence: float | None = field(default=None, compare=False)
    channel: int | None = field(default=None, compare=False)
    id: str | None = field(default=None, compare=False)

    @property
    def duration(self) -> float:
        """Length of the turn in seconds."""
        return self.end - self.start


def in_milliseconds(turns: Sequence[Turn], duration: float) -> Iterator[tuple[int, int, Turn]]:
    """Start, end and the turn, rounded so that no turn ends after the recording."""
    last = whole_milliseconds(duration)
    for turn in turns:
        start, end = round(turn.start * 1000), min(round(turn.end * 1000), last)
        if end > start:
            yield start, end, turn


def whole_milliseconds(seconds: float) -> int:
    """Full milliseconds; a nanosecond less than a full one counts as full."""
    return int(seconds * 1000 + 1e-6)


def rttm_lines(uri: str, turns: Sequence[Turn], duration: float) -> str:
    """A SPEAKER line a turn, with its confidence if that is known."""
    name = rttm_field(uri)
    return "".join(
        f"SPEAKER {name} {turn.channel or 1} {milliseconds_as_seconds(start)} "
        f"{milliseconds_as_seconds(end - start)} <NA> <NA> {rttm_field(turn.speaker)} "
        f"{'<NA>' if turn.confidence is None else f'{turn.confidence:.3f}'} <NA>\n"
        for start, end, turn in in_milliseconds(turns, duration)
    )


def milliseconds_as_seconds(milliseconds: int) -> str:
    """Seconds with three decimals."""
    return f"{milliseconds // 1000}.{milliseconds % 1000:03d}"


def rttm_field(text: str) -> str:
    """`text` as one field of an RTTM line: no white space, nothing unprintable, never empty."""
    kept = "".join(c if is_shown(c) and not c.isspace() else "_" for c in text)
    return kept or "_"
