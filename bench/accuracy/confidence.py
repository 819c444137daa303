"""Confidence of hocket: fitting its weights, and measuring its reliability."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.accuracy.calibration import (
    Values,
    calibration_error,
    fit_logistic,
    reliability,
    share_in_lowest,
)
from bench.annotations import Region, Turn
from bench.corpus import Recording
from bench.errors import BenchError
from bench.report import Progress
from hocket.confidence.count import CountModel
from hocket.confidence.turns import SpeakerEvidence, TurnModel, TurnTraits

if TYPE_CHECKING:
    from hocket import Diarizer
    from hocket.confidence.turns import Evidence
    from hocket.offline.artifacts import Artifacts

GRID_S = 0.01
LOWEST = 0.1  # share of the time with the lowest confidence, where confusion should be
LEAST_CHANCE = 1e-4  # of a true number, so that no single recording dominates
COUNT_RIDGE = 1e-3
FIRST_EVENTS = (1.0, 1.0, -1.0, 0.5, -2.0)


class Case(NamedTuple):
    """One recording.

    traits: (pieces, traits).
    seconds: (pieces, 3): seconds of a piece inside the scored regions, those in which its speaker
        speaks, and those that are confused with another speaker.
    turn: (pieces,) turn of each piece.
    speakers: evidence about the speakers of the recording.
    true_number: number of speakers in the reference.
    """

    traits: Values
    seconds: Values
    turn: NDArray[np.int64]
    speakers: SpeakerEvidence
    true_number: int


def cases_of(
    recordings: Sequence[Recording], diarizer: "Diarizer", progress: Progress
) -> list[Case]:
    """Diarize every recording and compare it with its reference."""
    from hocket.audio.reading import read_audio

    found = []
    for recording in recordings:
        rate = diarizer.load().geometry.sample_rate
        artifacts = diarizer.infer(read_audio(str(recording.audio), target_rate=rate))
        found.append(case_of(diarizer, artifacts, recording.turns(), recording.regions()))
        progress(f"{recording.uri}: {len(found)} of {len(recordings)}")
    return found


def case_of(
    diarizer: "Diarizer",
    artifacts: "Artifacts",
    reference: Sequence[Turn],
    regions: Sequence[Region],
) -> Case:
    """Evidence about the turns and speakers of a recording, and their truth."""
    collected: list[Evidence] = []
    result = diarizer.finish(artifacts, on_evidence=collected.append)
    (evidence,) = collected
    pieces = evidence.pieces
    edges = (evidence.seconds_at(side) for side in (pieces.first, pieces.last))
    turns = [
        Turn(start, min(end, result.duration), result.speakers[speaker])
        for start, end, speaker in zip(*edges, pieces.speaker.tolist(), strict=True)
    ]
    return Case(
        traits=np.stack(evidence.traits, axis=1),
        seconds=right_seconds(turns, reference, regions),
        turn=evidence.turn,
        speakers=evidence.speakers,
        true_number=len({turn.speaker for turn in reference}),
    )


def right_seconds(
    turns: Sequence[Turn], reference: Sequence[Turn], regions: Sequence[Region]
) -> Values:
    """Scored, right and confused seconds of every turn, (turns, 3).

    Speakers are paired with those of the reference so that they share most time. Confusion is
    counted as in pyannote.metrics; turns that are wrong at the same time share it.
    """
    found, right, confused = compared(turns, reference, regions)
    names = sorted({turn.speaker for turn in turns})
    wrong = found.sum(axis=1) - right.sum(axis=1)
    share = np.where(wrong > 0, confused / np.maximum(wrong, 1), 0)
    rows = []
    for turn in turns:
        ticks, speaker = _ticks(turn), names.index(turn.speaker)
        good, speaks = right[ticks, speaker], found[ticks, speaker]
        rows.append((speaks.sum(), good.sum(), share[ticks][speaks & ~good].sum()))
    return GRID_S * np.array(rows, np.float64).reshape(-1, 3)


class Compared(NamedTuple):
    """Scored turns on a grid of GRID_S, with their truth; speakers in order of names.

    found: (ticks, speakers) where a speaker speaks in the result.
    right: (ticks, speakers) where that is right.
    confused: (ticks,) how many speakers are confused with another.
    """

    found: NDArray[np.bool_]
    right: NDArray[np.bool_]
    confused: NDArray[np.int64]


def compared(
    turns: Sequence[Turn], reference: Sequence[Turn], regions: Sequence[Region]
) -> Compared:
    """Compare turns with a reference; speakers are paired so that they share most time."""
    from scipy.optimize import linear_sum_assignment

    last = max((each.end for each in (*turns, *reference)), default=0.0)
    scored = np.zeros(round(last / GRID_S), np.bool_)
    for region in regions:
        scored[_ticks(region)] = True
    found, truth = _speaking(turns, scored), _speaking(reference, scored)
    shared = found.T.astype(np.float32) @ truth.astype(np.float32)
    right = np.zeros_like(found)
    for one, other in zip(*linear_sum_assignment(-shared), strict=True):
        right[:, one] = found[:, one] & truth[:, other]
    confused = np.minimum(found.sum(axis=1), truth.sum(axis=1)) - right.sum(axis=1)
    return Compared(found, right, confused)


def _ticks(segment: Turn | Region) -> slice:
    return slice(round(segment.start / GRID_S), round(segment.end / GRID_S))


def _speaking(turns: Sequence[Turn], scored: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Scored speech, (ticks, speakers), speakers in order of names."""
    names = sorted({turn.speaker for turn in turns})
    found = np.zeros((len(scored), len(names)), np.bool_)
    for turn in turns:
        found[_ticks(turn), names.index(turn.speaker)] = True
    return found & scored[:, None]


def fit_turns(cases: Iterable[Case]) -> TurnModel:
    """Weights with the least log loss over the time of all turns; BenchError without turns."""
    traits, seconds, _ = _pieces_of(cases)
    if not len(traits):
        raise BenchError("found no turn in the scored regions; give more recordings")
    found = fit_logistic(traits, seconds[:, 1] / seconds[:, 0], seconds[:, 0])
    return TurnModel(*found.tolist())


def fit_counts(cases: Iterable[Case], turn_model: TurnModel) -> CountModel:
    """Weights under which the true numbers are likeliest, then those for the found number.

    Raises:
        BenchError: no recording has a speaker.
    """
    from scipy.optimize import minimize

    judged = [case for case in cases if _is_judged(case)]
    if not judged:
        raise BenchError("found no speaker in any recording; give more recordings")
    rest = [0.0] * (len(CountModel._fields) - len(FIRST_EVENTS))

    def loss(weights: Values) -> float:
        model = CountModel(*weights.tolist(), *rest)
        chances = [_at(model.by_events(case.speakers), case.true_number) for case in judged]
        surprise = -np.mean(np.log(np.maximum(chances, LEAST_CHANCE)))
        return float(surprise + COUNT_RIDGE * weights @ weights)

    events = minimize(loss, np.array(FIRST_EVENTS), method="L-BFGS-B").x.tolist()
    model = CountModel(*events, *rest)
    numbers = [len(case.speakers.split) for case in judged]
    traits = [
        model.traits_of(model.by_events(case.speakers), number, _sure(case, turn_model))
        for case, number in zip(judged, numbers, strict=True)
    ]
    right = [case.true_number == number for case, number in zip(judged, numbers, strict=True)]
    found = fit_logistic(np.array(traits), np.array(right, np.float64), np.ones(len(judged)))
    return CountModel(*events, *found.tolist())


def measure_confidence(
    cases: Sequence[Case], turn_model: TurnModel, count_model: CountModel
) -> dict[str, Any]:
    """Reliability for turns, weighted by time, and for numbers of speakers, by recording."""
    return {
        "turns": _reliability_of_turns(cases, turn_model),
        "counts": _reliability_of_counts(cases, turn_model, count_model),
    }


def _reliability_of_turns(cases: Sequence[Case], model: TurnModel) -> dict[str, Any]:
    traits, seconds, turn = _pieces_of(cases)
    pieces = model.probability(TurnTraits(*traits.T))
    of_turns: Values = np.stack([np.bincount(turn, column) for column in seconds.T], axis=1)
    time = of_turns[:, 0]
    predicted = np.bincount(turn, pieces * seconds[:, 0]) / time
    lowest = share_in_lowest(pieces, seconds[:, 2], seconds[:, 0], LOWEST)
    return {
        **_row(predicted, of_turns[:, 1] / time, time, "seconds"),
        "confusion_in_lowest_tenth": share_in_lowest(predicted, of_turns[:, 2], time, LOWEST),
        "confusion_in_lowest_tenth_of_pieces": lowest,
    }


def _reliability_of_counts(
    cases: Sequence[Case], turn_model: TurnModel, count_model: CountModel
) -> dict[str, Any]:
    judged = [case for case in cases if _is_judged(case)]
    truth = np.array([case.true_number for case in judged], np.int64)
    numbers = np.array([len(case.speakers.split) for case in judged], np.int64)
    predicted = [
        _at(count_model.probabilities(case.speakers, _sure(case, turn_model)), number)
        for case, number in zip(judged, numbers.tolist(), strict=True)
    ]
    right = (truth == numbers).astype(np.float64)
    return _row(np.array(predicted, np.float64), right, np.ones(len(judged)), "recordings")


def _row(predicted: Values, right: Values, weights: Values, unit: str) -> dict[str, Any]:
    bins = reliability(predicted, right, weights)
    return {
        "calibration_error": calibration_error(bins),
        "predicted": float(np.average(predicted, weights=weights)) if len(predicted) else None,
        "right": float(np.average(right, weights=weights)) if len(right) else None,
        unit: float(weights.sum()),
        "reliability": [
            {"confidence": each.confidence, "accuracy": each.accuracy, unit: each.weight}
            for each in bins
        ],
    }


def manifest_lines(turn_model: TurnModel, count_model: CountModel) -> list[str]:
    """Lines for the manifest of an embedding model."""
    weights: Mapping[str, Mapping[str, float]] = {
        "turn": turn_model._asdict(),
        "count": count_model._asdict(),
    }
    return [
        f"{kind}_{name} = {value:.3f}"
        for kind, fields in weights.items()
        for name, value in fields.items()
    ]


def _pieces_of(cases: Iterable[Case]) -> tuple[Values, Values, NDArray[np.int64]]:
    """Traits, seconds and turns (from 0, without gaps) of all pieces inside the scored regions."""
    traits = [np.zeros((0, len(TurnTraits._fields)))]
    seconds = [np.zeros((0, 3))]
    turns, first = [np.zeros(0, np.int64)], 0
    for case in cases:
        scored = case.seconds[:, 0] > 0
        traits.append(case.traits[scored])
        seconds.append(case.seconds[scored])
        numbers, places = np.unique(case.turn[scored], return_inverse=True)
        turns.append(first + places)
        first += len(numbers)
    return np.concatenate(traits), np.concatenate(seconds), np.concatenate(turns)


def _is_judged(case: Case) -> bool:
    return case.speakers.judged and len(case.speakers.split) > 0


def _sure(case: Case, model: TurnModel) -> float:
    """Mean confidence of the pieces of a recording."""
    found = model.probability(TurnTraits(*case.traits.T))
    return float(found.mean()) if len(found) else 0.0


def _at(probabilities: Values, number: int) -> float:
    return float(probabilities[number]) if number < len(probabilities) else 0.0
