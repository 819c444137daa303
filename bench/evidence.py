"""Odds of two speakers, learnt from what hocket judges: divisions of speakers, and pairs of them.

Which divisions there are depends on the odds, so recordings are gone through twice: with the
weights that ship, and with those fitted to what came up then.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.annotations import Turn
from bench.corpus import Recording
from bench.errors import BenchError
from hocket import Config, Diarizer
from hocket.arrays import ClusterLabels, unit_length
from hocket.clustering import (
    CLUSTERERS,
    Request,
    DuplicateLimit,
    TwoSpeakers,
    VoiceVectors,
    find_speakers,
    tracks_of,
)
from hocket.clustering.division import Halves, Traits
from hocket.clustering.resolution import LEAST_S, LEAST_VOICES
from hocket.config import GraphConfig, SpeakerCount
from hocket.embedding.channels import compensate_subsegments
from hocket.embedding.subsegments import subsegment_seconds
from hocket.errors import HocketError
from hocket.offline.artifacts import Artifacts

ALONE = 0.85  # a unit is one speaker's who has so much of it, and others less than the rest
CLEAR = 0.3  # of the seconds of either half, in which one is alone: else nobody knows whose it is
PURE = 0.75  # of these, that are one speaker's: else it is nobody's
NOBODY = -1
ROUNDS = 2
RIDGE = 1.0  # on standardised traits
NEWTON_STEPS = 50
FOLDS = 8

Values = NDArray[np.float64]


class Talk(NamedTuple):
    """What the speakers of a recording are found in, and who they are.

    regions: (voices,).
    clusters: (voices,) of the linkage.
    speakers: (voices,) numbers of those of the reference; NOBODY where none is alone.
    """

    voices: VoiceVectors
    regions: NDArray[np.int64]
    clusters: ClusterLabels
    speakers: NDArray[np.int64]


class Case(NamedTuple):
    """A division or a pair whose truth is known, once for every recording it comes up in."""

    recording: int
    traits: Traits


Cases = dict[Case, bool]
"""True where they are two speakers."""


class Fit(NamedTuple):
    """How well odds tell: log loss in nats, and decisions at even odds that are wrong."""

    log_loss: float
    wrong: int


def measure_evidence(
    recordings: Sequence[Recording], embedding: str, progress: Callable[[str], None]
) -> dict[str, Any]:
    """Weights for an embedding model, and how well such weights tell on recordings held back.

    Raises:
        BenchError: a recording cannot be used, there is no such model, or nothing to learn from.
    """
    try:
        diarizer = Diarizer(Config(graphs=GraphConfig(embedding=embedding)))
        talks = [_listen(diarizer, each, progress) for each in recordings]
        shipped = TwoSpeakers.of(diarizer.calibration)
        limit = DuplicateLimit(
            *(diarizer.calibration[f"duplicate_{name}"] for name in DuplicateLimit._fields)
        )
    except HocketError as error:
        raise BenchError(str(error)) from error
    least_s = diarizer.config.clustering.min_speaker_s
    cases, model = Cases(), shipped
    for _ in range(ROUNDS):
        for number, talk in enumerate(talks):
            cases |= cases_of(number, talk, limit, model, least_s)
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


def evidence_table(results: dict[str, Any]) -> str:
    """What was learnt, and lines for the manifest."""
    held_back, shipped = (
        f"log loss {each['log_loss']:.4f}, wrong {each['wrong']}"
        for each in (results["held_back"], results["shipped"])
    )
    cases = f"{results['cases']} divisions and pairs, {results['two_speakers']} of two speakers"
    lines = [
        f"{cases}, in {results['recordings']} recordings",
        f"of recordings held back: {held_back}",
        f"by the weights that ship: {shipped}",
    ]
    lines += [f"two_{name} = {value:.3f}" for name, value in results["weights"].items()]
    return "\n".join(lines)


def talk_of(diarizer: Diarizer, artifacts: Artifacts, turns: Sequence[Turn]) -> Talk:
    """What `Diarizer.finish` would find the speakers in, and who is alone in the reference."""
    clusters, units, geometry = diarizer.config.clustering, artifacts.subsegments, artifacts.geometry
    found = artifacts.embeddings
    finite = np.asarray(np.isfinite(found).all(axis=1))
    vectors = unit_length(np.where(finite[:, None], found, np.float32(0)))
    vectors, narrow, telephone = compensate_subsegments(
        vectors, artifacts.bands, diarizer.channel_model
    )
    alone = np.concatenate([[0.0], np.cumsum(artifacts.segmentation.occupancy[:, 1])])
    lengths = units.last - units.first
    probability = (alone[units.last] - alone[units.first]) / lengths
    long_enough = lengths >= geometry.frames_of(clusters.min_trusted_s)
    sure = probability >= clusters.min_trusted_probability
    trusted = np.asarray(vectors.any(axis=1)) & long_enough & sure
    seconds = subsegment_seconds(artifacts.regions, units, geometry)
    said = artifacts.segmentation
    tracks = tracks_of(said.activity, said.first_frames, units) if telephone.any() else None
    voices = VoiceVectors(vectors, found, seconds, narrow, telephone, tracks).at(trusted)
    bounds = np.stack([units.first, units.last], axis=1)[trusted] * geometry.frame_step
    bounds_s = (geometry.frame_start(0) + bounds) / geometry.sample_rate
    request = Request(diarizer.calibration["threshold"])
    return Talk(
        voices,
        units.run[trusted],
        CLUSTERERS["agglomerative"](voices, request),
        speakers_alone(bounds_s, turns),
    )


def speakers_alone(bounds_s: Values, turns: Sequence[Turn]) -> NDArray[np.int64]:
    """Who speaks alone from and to these seconds, (units, 2): (units,) numbers by name."""
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
    recording: int, talk: Talk, limit: DuplicateLimit, model: TwoSpeakers, min_speaker_s: float
) -> Cases:
    """What comes up in a recording under these odds, as far as its truth is known."""
    found = Cases()
    seconds = talk.voices.seconds

    def note(places: NDArray[np.int64], halves: Halves, traits: Traits) -> None:
        truth = is_two(talk.speakers[places], seconds[places], halves)
        if truth is not None:
            found[Case(recording, traits)] = truth

    setting = (limit, model, min_speaker_s, SpeakerCount())
    find_speakers(talk.voices, talk.regions, lambda _: talk.clusters, *setting, note)
    return found


def is_two(speakers: NDArray[np.int64], seconds: Values, halves: Halves) -> bool | None:
    """Whether halves are two speakers'; None where that is not clear, or either is too short.

    Short turns leave few units in which one speaker is alone. To want most of a half to be of them
    would leave out just the calls that are hard to part.

    Args:
        speakers: (voices,) who is alone in each, or NOBODY.
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
    """Ridge-regularised logistic regression, by Newton's method; every case counts as much.

    Args:
        traits: (cases, traits).
        two: (cases,).

    Raises:
        BenchError: all of them are two speakers, or none is.
    """
    number = int(np.count_nonzero(two))
    if number in {0, len(two)}:
        raise BenchError(
            f"{number} of {len(two)} divisions and pairs are two speakers; name more recordings"
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
    """How well the odds of recordings tell that others were fitted to, an eighth at a time."""
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


def _listen(diarizer: Diarizer, recording: Recording, progress: Callable[[str], None]) -> Talk:
    from hocket.audio.reading import read_audio

    progress(recording.uri)
    rate = diarizer.load().geometry.sample_rate
    artifacts = diarizer.infer(read_audio(str(recording.audio), target_rate=rate))
    return talk_of(diarizer, artifacts, recording.turns())
