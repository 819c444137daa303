"""Odds that two halves are two speakers, learned from the divisions and pairs that hocket judges.

The odds determine which divisions are judged. So recordings are processed twice: with the shipped
weights, and with the weights fitted to the cases of the first round.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.annotations import Turn
from bench.corpus import Recording
from bench.errors import BenchError
from bench.report import Progress
from hocket import Config, Diarizer
from hocket.arrays import ClusterLabels
from hocket.clustering import CLUSTERERS, Request, TwoSpeakers, VoiceVectors, resolve_speakers
from hocket.clustering.division import Halves, Traits
from hocket.clustering.resolution import LEAST_S, LEAST_VOICES
from hocket.config import GraphConfig, ResolvedClustering, SpeakerCount
from hocket.errors import HocketError
from hocket.offline.artifacts import Artifacts
from hocket.offline.speakers import ClusteringModels, find_speakers

ALONE = 0.85  # share of a subsegment that one speaker has, if others have less than the rest
CLEAR = 0.3  # share of the seconds of either half with one speaker; with less the truth is unknown
PURE = 0.75  # share of these that belongs to one speaker; with less the truth is unknown
NOBODY = -1
ROUNDS = 2
RIDGE = 1.0  # on standardized traits
NEWTON_STEPS = 50
FOLDS = 8

Values = NDArray[np.float64]


class LabeledVoices(NamedTuple):
    """The voice vectors of a recording that speakers are found in, with their true speakers.

    regions: (voices,).
    clusters: (voices,) of the linkage.
    speakers: (voices,) numbers of reference speakers; NOBODY if none speaks alone.
    """

    voices: VoiceVectors
    regions: NDArray[np.int64]
    clusters: ClusterLabels
    speakers: NDArray[np.int64]


class Case(NamedTuple):
    """A division or a pair with known truth, once for every recording in which it is judged."""

    recording: int
    traits: Traits


Cases = dict[Case, bool]
"""True where the halves are two speakers."""


class Fit(NamedTuple):
    """Quality of odds: log loss in nats, and the number of wrong decisions at even odds."""

    log_loss: float
    wrong: int


def measure_evidence(
    recordings: Sequence[Recording], embedding: str, progress: Progress
) -> dict[str, Any]:
    """Weights for an embedding model, and how well such weights decide on recordings held back.

    Raises:
        BenchError: a recording cannot be used, the model is unknown, or there is nothing to learn.
    """
    try:
        diarizer = Diarizer(Config(graphs=GraphConfig(embedding=embedding)))
        labeled = [_labeled(diarizer, each, progress) for each in recordings]
        shipped, config = TwoSpeakers.of(diarizer.calibration), diarizer.resolved.clustering
    except HocketError as error:
        raise BenchError(str(error)) from error
    cases, model = Cases(), shipped
    for _ in range(ROUNDS):
        for number, each in enumerate(labeled):
            cases |= cases_of(number, each, config, model)
        model = fit(*_arrays(cases))
        progress(f"{len(cases)} divisions and pairs, {sum(cases.values())} of two speakers")
    traits, two = _arrays(cases)
    return {
        "embedding": embedding,
        "audio_minutes": round(sum(each.duration_s() for each in recordings) / 60, 3),
        "recordings": len(recordings),
        "cases": len(cases),
        "two_speakers": sum(cases.values()),
        "weights": {name: round(value, 3) for name, value in model._asdict().items()},
        "held_back": cross_validate(cases)._asdict(),
        "shipped": _judge(shipped, traits, two)._asdict(),
    }


def label_voices(diarizer: Diarizer, artifacts: Artifacts, turns: Sequence[Turn]) -> LabeledVoices:
    """The voice vectors that `Diarizer.finish` clusters, with the speakers of the reference."""
    config, geometry = diarizer.resolved.clustering, artifacts.geometry
    models = ClusteringModels(
        TwoSpeakers.of(diarizer.calibration), diarizer.channel_model, diarizer.plda
    )
    found = find_speakers(artifacts, config, models, SpeakerCount())
    clustered = found.selection.labels >= 0
    voices, subsegments = found.voices.at(clustered), artifacts.subsegments
    bounds = np.stack([subsegments.first, subsegments.last], axis=1)[clustered]
    bounds_s = (geometry.frame_start(0) + bounds * geometry.frame_step) / geometry.sample_rate
    return LabeledVoices(
        voices,
        subsegments.region[clustered],
        CLUSTERERS["agglomerative"](voices, Request(config.threshold)),
        speakers_alone(bounds_s, turns),
    )


def speakers_alone(bounds_s: Values, turns: Sequence[Turn]) -> NDArray[np.int64]:
    """The speaker who speaks alone in each subsegment, as a number in order of names.

    Args:
        bounds_s: (subsegments, 2), start and end in seconds.
        turns: the reference.

    Returns:
        (subsegments,); NOBODY where no speaker is alone.
    """
    names = sorted({turn.speaker for turn in turns})
    spoken = np.zeros((len(bounds_s), len(names)))
    for turn in turns:
        shared = np.minimum(bounds_s[:, 1], turn.end) - np.maximum(bounds_s[:, 0], turn.start)
        spoken[:, names.index(turn.speaker)] += np.maximum(shared, 0)
    shares = spoken / (bounds_s[:, 1] - bounds_s[:, 0])[:, None]
    most = shares.max(axis=1, initial=0)
    clear = (most >= ALONE) & (shares.sum(axis=1) - most < 1 - ALONE)
    found = [row.argmax() if one else NOBODY for row, one in zip(shares, clear, strict=True)]
    return np.array(found, np.int64)


def cases_of(
    recording: int, labeled: LabeledVoices, config: ResolvedClustering, model: TwoSpeakers
) -> Cases:
    """What is judged in a recording under these odds, if its truth is known."""
    found = Cases()
    voices, regions, clusters, speakers = labeled

    def add_case(places: NDArray[np.int64], halves: Halves, traits: Traits) -> None:
        truth = is_two(speakers[places], voices.seconds[places], halves)
        if truth is not None:
            found[Case(recording, traits)] = truth

    resolve_speakers(
        voices, regions, lambda _: clusters, config, model, SpeakerCount(), on_traits=add_case
    )
    return found


def is_two(speakers: NDArray[np.int64], seconds: Values, halves: Halves) -> bool | None:
    """Whether the halves are two speakers; None if that is unclear or a half is too short.

    In short turns few subsegments have a speaker alone. Requiring them in most of a half would drop
    exactly the calls that are hard to divide.

    Args:
        speakers: (voices,) speaker alone in each, or NOBODY.
        seconds: (voices,).
        halves: (voices,).
    """
    most, shares = [], []
    for half in (0, 1):
        inside = halves == half
        known = inside & (speakers != NOBODY)
        if np.count_nonzero(inside) < LEAST_VOICES or seconds[inside].sum() < LEAST_S:
            return None
        clear = seconds[known].sum()
        if clear < CLEAR * seconds[inside].sum():
            return None
        spoken = np.bincount(speakers[known], seconds[known])
        most.append(int(spoken.argmax()))
        shares.append(spoken.max() / clear)
    if most[0] == most[1]:
        return False
    return True if min(shares) >= PURE else None


def fit(traits: Values, two: NDArray[np.bool_]) -> TwoSpeakers:
    """Ridge-regularized logistic regression by Newton's method; all cases weigh the same.

    Args:
        traits: (cases, traits).
        two: (cases,).

    Raises:
        BenchError: all cases are two speakers, or none is.
    """
    number = int(np.count_nonzero(two))
    if number in {0, len(two)}:
        raise BenchError(
            f"{number} of {len(two)} divisions and pairs are two speakers; give more recordings"
        )
    centre, scale = traits.mean(axis=0), traits.std(axis=0)
    scale = np.where(scale > 0, scale, 1)
    design = np.column_stack([np.ones(len(traits)), (traits - centre) / scale])
    penalty = RIDGE * np.diag([0.0, *np.ones(traits.shape[1])])
    weights = np.zeros(design.shape[1])
    for _ in range(NEWTON_STEPS):
        probability = 1 / (1 + np.exp(-design @ weights))
        slope = design.T @ (two - probability) - penalty @ weights
        certainty = probability * (1 - probability)
        step = np.linalg.solve((design * certainty[:, None]).T @ design + penalty, slope)
        weights += step
        if np.abs(step).max() < 1e-9:
            break
    slopes = weights[1:] / scale
    return TwoSpeakers(float(weights[0] - slopes @ centre), *slopes.tolist())


def cross_validate(cases: Cases) -> Fit:
    """How well odds decide on recordings that they were not fitted to, an eighth at a time."""
    traits, two = _arrays(cases)
    recordings = np.array([case.recording for case in cases])
    numbers = np.unique(recordings, return_inverse=True)[1] % FOLDS
    parts = []
    for fold in np.unique(numbers):
        held_back = numbers == fold
        model = fit(traits[~held_back], two[~held_back])
        part = _judge(model, traits[held_back], two[held_back])
        parts.append((part.log_loss * np.count_nonzero(held_back), part.wrong))
    log_loss, wrong = np.sum(parts, axis=0)
    return Fit(float(log_loss / len(cases)), int(wrong))


def _judge(model: TwoSpeakers, traits: Values, two: NDArray[np.bool_]) -> Fit:
    log_odds = np.array([model.log_odds(Traits(*row)) for row in traits.tolist()])
    log_loss = np.logaddexp(0, np.where(two, -log_odds, log_odds)).mean()
    return Fit(float(log_loss), int(np.count_nonzero((log_odds > 0) != two)))


def _arrays(cases: Cases) -> tuple[Values, NDArray[np.bool_]]:
    """(cases, traits) and (cases,)."""
    traits = np.array([case.traits for case in cases], np.float64)
    return traits.reshape(-1, len(Traits._fields)), np.array(list(cases.values()), np.bool_)


def _labeled(diarizer: Diarizer, recording: Recording, progress: Progress) -> LabeledVoices:
    from hocket.audio.reading import read_audio

    progress(recording.uri)
    rate = diarizer.load().geometry.sample_rate
    artifacts = diarizer.infer(read_audio(str(recording.audio), target_rate=rate))
    return label_voices(diarizer, artifacts, recording.turns())
