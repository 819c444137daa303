"""Diarization error rates: pyannote.metrics, collar 0, overlap scored, UEM, time-weighted."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pyannote.core import Annotation, Segment, Timeline
from pyannote.metrics.diarization import DiarizationErrorRate

from bench.corpus import Region, Turn

PROTOCOL = "collar 0, overlap scored, UEM, time-weighted"


@dataclass(frozen=True)
class Errors:
    """Seconds of reference speech and of each kind of error; overlapping speakers add up."""

    speech_s: float = 0.0
    missed_s: float = 0.0
    false_alarm_s: float = 0.0
    confusion_s: float = 0.0

    def __add__(self, other: "Errors") -> "Errors":
        """Both together."""
        return Errors(
            self.speech_s + other.speech_s,
            self.missed_s + other.missed_s,
            self.false_alarm_s + other.false_alarm_s,
            self.confusion_s + other.confusion_s,
        )

    def rates(self) -> dict[str, float | None]:
        """Percent of the reference speech.

        Without reference speech the parts are None, and the whole is what pyannote.metrics says: 0
        if nothing was found either, else 100.
        """
        return {
            "der_percent": round(100 * _rate(self), 3),
            "miss_percent": self._percent(self.missed_s),
            "false_alarm_percent": self._percent(self.false_alarm_s),
            "confusion_percent": self._percent(self.confusion_s),
        }

    def _percent(self, error_s: float) -> float | None:
        return round(100 * error_s / self.speech_s, 3) if self.speech_s > 0 else None


@dataclass(frozen=True)
class Score:
    """How one hypothesis compares to its reference inside the scored regions."""

    errors: Errors
    speakers_reference: int
    speakers_found: int

    def as_row(self) -> dict[str, float | int | None]:
        """For the results file: rates in percent, speech in seconds, numbers of speakers."""
        return {
            **self.errors.rates(),
            "speech_s": round(self.errors.speech_s, 3),
            "speakers_reference": self.speakers_reference,
            "speakers_found": self.speakers_found,
        }


def score(
    reference: Iterable[Turn], hypothesis: Iterable[Turn], regions: Sequence[Region]
) -> Score:
    """Compare two sets of turns inside `regions`; either may be empty.

    Turns of one speaker that overlap count once each, in reference and hypothesis alike, as
    pyannote does with the RTTM files they come from.
    """
    evaluated = Timeline([Segment(*region) for region in regions])
    truth, found = _annotation(reference), _annotation(hypothesis)
    parts = _metric().compute_components(truth, found, uem=evaluated)
    errors = Errors(
        parts["total"], parts["missed detection"], parts["false alarm"], parts["confusion"]
    )
    return Score(errors, _count_speakers(truth, evaluated), _count_speakers(found, evaluated))


def count_speakers(turns: Iterable[Turn], regions: Sequence[Region]) -> int:
    """Number of people who speak inside `regions`."""
    evaluated = Timeline([Segment(*region) for region in regions])
    return _count_speakers(_annotation(turns), evaluated)


def summarize(scores: Sequence[Score]) -> dict[str, float | int | None]:
    """Several recordings as one: errors are added before they are divided, never averaged."""
    errors = sum((score.errors for score in scores), Errors())
    return {
        **errors.rates(),
        "speech_s": round(errors.speech_s, 3),
        "files": len(scores),
        "files_right_count": sum(
            score.speakers_found == score.speakers_reference for score in scores
        ),
    }


def summarize_kinds(scores: Mapping[str, Sequence[Score]]) -> dict[str, dict[str, Any]]:
    """`summarize` for every kind of recording."""
    return {kind: summarize(scores[kind]) for kind in sorted(scores)}


def _metric() -> DiarizationErrorRate:
    # The defaults, spelled out: they are the protocol.
    return DiarizationErrorRate(collar=0.0, skip_overlap=False)


def _rate(errors: Errors) -> float:
    parts = {
        "total": errors.speech_s,
        "missed detection": errors.missed_s,
        "false alarm": errors.false_alarm_s,
        "confusion": errors.confusion_s,
    }
    return float(_metric().compute_metric(parts))


def _annotation(turns: Iterable[Turn]) -> Annotation:
    annotation = Annotation()
    for track, turn in enumerate(turns):
        # A track of its own: two turns with the same bounds would replace one another.
        annotation[Segment(turn.start_s, turn.end_s), track] = turn.speaker
    return annotation


def _count_speakers(annotation: Annotation, evaluated: Timeline) -> int:
    return len(annotation.crop(evaluated, mode="intersection").labels())
