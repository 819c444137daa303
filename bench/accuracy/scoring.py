"""Diarization error rates: pyannote.metrics, collar 0, overlap scored, UEM, time-weighted."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pyannote.core import Annotation, Segment, Timeline
from pyannote.metrics.diarization import DiarizationErrorRate, JaccardErrorRate

from bench.annotations import Region, Turn
from bench.summed import Summed

PROTOCOL = "collar 0, overlap scored, UEM, time-weighted"


@dataclass(frozen=True)
class Errors(Summed):
    """Seconds of reference speech and of each kind of error; overlapping speakers add up."""

    speech_s: float = 0.0
    missed_s: float = 0.0
    false_alarm_s: float = 0.0
    confusion_s: float = 0.0

    def rates(self) -> dict[str, float | None]:
        """Percent of the reference speech.

        Without reference speech the parts are None, and the DER is that of pyannote.metrics: 0 if
        nothing was found either, else 100.
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
class Jaccard(Summed):
    """Reference speakers, and the sum of their Jaccard errors, each from 0 to 1."""

    speakers: float = 0.0
    errors: float = 0.0

    def percent(self) -> float | None:
        """Mean over the reference speakers; None without any."""
        return round(100 * self.errors / self.speakers, 3) if self.speakers else None


@dataclass(frozen=True)
class Score:
    """How one hypothesis compares to its reference inside the scored regions.

    overlapped: errors where the reference has two or more speakers.
    """

    errors: Errors
    speakers_reference: int
    speakers_found: int
    overlapped: Errors = Errors()
    jaccard: Jaccard = Jaccard()

    @property
    def count_error(self) -> int:
        """Speakers found minus those of the reference."""
        return self.speakers_found - self.speakers_reference

    def as_row(self) -> dict[str, float | int | None]:
        """For the results file: rates in percent, speech in seconds, numbers of speakers."""
        return {
            **_rates(self.errors, self.overlapped, self.jaccard),
            "speakers_reference": self.speakers_reference,
            "speakers_found": self.speakers_found,
            "count_error": self.count_error,
        }


def score(
    reference: Iterable[Turn], hypothesis: Iterable[Turn], regions: Sequence[Region]
) -> Score:
    """Compare two sets of turns inside `regions`; either may be empty.

    Overlapping turns of one speaker count once each, in reference and hypothesis, as pyannote
    counts them in RTTM files.
    """
    evaluated = Timeline([Segment(*region) for region in regions])
    truth, found = _annotation(reference), _annotation(hypothesis)
    return Score(
        errors=_errors(truth, found, evaluated),
        speakers_reference=_count_speakers(truth, evaluated),
        speakers_found=_count_speakers(found, evaluated),
        overlapped=_errors(truth, found, _overlap(truth, evaluated)),
        jaccard=_jaccard(truth, found, evaluated),
    )


def best_mapping(reference: Iterable[Turn], hypothesis: Iterable[Turn]) -> dict[str, str]:
    """The reference speaker of each speaker found, so that their turns overlap longest in all.

    A speaker found who overlaps nobody, or is left over, is not in it.
    """
    truth, found = _annotation(reference), _annotation(hypothesis)
    mapping: dict[str, str] = _metric().optimal_mapping(truth, found)
    return mapping


def count_speakers(turns: Iterable[Turn], regions: Sequence[Region]) -> int:
    """Number of speakers inside `regions`."""
    evaluated = Timeline([Segment(*region) for region in regions])
    return _count_speakers(_annotation(turns), evaluated)


def summarize(scores: Sequence[Score]) -> dict[str, float | int | None]:
    """Several recordings as one: errors are added, then divided; rates are not averaged."""
    count_errors = [abs(score.count_error) for score in scores]
    mean = round(sum(count_errors) / len(scores), 3) if scores else None
    return {
        **_rates(
            sum((score.errors for score in scores), Errors()),
            sum((score.overlapped for score in scores), Errors()),
            sum((score.jaccard for score in scores), Jaccard()),
        ),
        "files": len(scores),
        "files_right_count": count_errors.count(0),
        "count_error_mean_absolute": mean,
    }


def summarize_named(scores: Mapping[str, Score]) -> dict[str, Any]:
    """`summarize`, and the recording with the highest DER; the first of equals."""
    rates = {uri: score.errors.rates()["der_percent"] for uri, score in scores.items()}
    worst = max(rates, key=lambda uri: rates[uri] or 0.0, default=None)
    return {
        **summarize(list(scores.values())),
        "worst": None if worst is None else {"uri": worst, "der_percent": rates[worst]},
    }


def _rates(errors: Errors, overlapped: Errors, jaccard: Jaccard) -> dict[str, float | None]:
    # without overlapped speech there is no rate
    rates = overlapped.rates() if overlapped.speech_s > 0 else dict.fromkeys(errors.rates())
    return {
        **errors.rates(),
        "speech_s": round(errors.speech_s, 3),
        "jer_percent": jaccard.percent(),
        **{f"overlap_{name}": rate for name, rate in rates.items()},
        "overlap_speech_s": round(overlapped.speech_s, 3),
    }


def _errors(truth: Annotation, found: Annotation, evaluated: Timeline) -> Errors:
    # its own mapping: overlap alone may pair speakers differently
    parts = _metric().compute_components(truth, found, uem=evaluated)
    return Errors(
        parts["total"], parts["missed detection"], parts["false alarm"], parts["confusion"]
    )


def _overlap(truth: Annotation, evaluated: Timeline) -> Timeline:
    """The scored parts with two or more speakers."""
    return evaluated.support().crop(truth.get_overlap(), mode="intersection")


def _jaccard(truth: Annotation, found: Annotation, evaluated: Timeline) -> Jaccard:
    metric = JaccardErrorRate(collar=0.0, skip_overlap=False)  # type: ignore[no-untyped-call]
    parts = metric.compute_components(truth, found, uem=evaluated)
    return Jaccard(parts["speaker count"], parts["speaker error"])


def _metric() -> DiarizationErrorRate:
    # the defaults, written out because they are the protocol
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
        # its own track, since two turns with the same bounds would replace each other
        annotation[Segment(turn.start, turn.end), track] = turn.speaker
    return annotation


def _count_speakers(annotation: Annotation, evaluated: Timeline) -> int:
    return len(annotation.crop(evaluated, mode="intersection").labels())
