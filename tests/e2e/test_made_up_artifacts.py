"""From artifacts to turns without a graph: voices as odd as can be, and very many of them."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from hocket import Config, Diarizer, Result
from hocket.arrays import ClusterLabels, unit_length
from hocket.clustering import CLUSTERERS, Request, DuplicateLimit, VoiceVectors, select_speakers
from hocket.config import ClusteringConfig, SpeakerCount
from hocket.embedding.subsegments import plan_subsegments
from hocket.formats.writers import WRITERS, document
from hocket.geometry import Geometry
from hocket.offline.artifacts import Artifacts
from hocket.segmentation.aggregation import Segmentation
from hocket.segmentation.regions import RegionFinder, count_people

SHIPPED = Geometry(16_000, 160_000, 270, 991, 589, 3)
DIMENSION = 8
COUNTS = [
    SpeakerCount(),
    SpeakerCount(1, 1),
    SpeakerCount(3, 3),
    SpeakerCount(2),
    SpeakerCount(1, 2),
    SpeakerCount(2, 4),
]
MANY = 30_000
MOST_CPU_S = 60.0  # all pairs of so many would take half an hour

Speech = list[tuple[float, float]]
"""Seconds from which and to which one person speaks alone."""

DIALOGUE: Speech = [(1.0, 4.0), (4.5, 9.0), (9.5, 10.3), (11.0, 18.0), (18.5, 24.0)]


def artifacts_of(speech: Speech) -> Artifacts:
    """A recording of 25 s in which all windows hear one slot speak."""
    starts = np.arange(0, 900, 147, dtype=np.int64)
    spoken = np.zeros(int(starts[-1]) + SHIPPED.window_frames, np.float32)
    for first_s, last_s in speech:
        spoken[SHIPPED.frames_of(first_s) : SHIPPED.frames_of(last_s)] = 1
    windows = [spoken[first : first + SHIPPED.window_frames] for first in starts]
    activity = np.stack(windows)[..., None] * np.array([1, 0, 0])
    occupancy = np.stack([1 - spoken, spoken, 0 * spoken], axis=1)
    segmentation = Segmentation(starts, activity.astype(np.float16), occupancy)
    config = Config()
    counts = count_people(occupancy, config.regions)
    finder = RegionFinder(config.regions, SHIPPED.frames_of(config.regions.longest_s))
    regions = np.concatenate([finder.feed(counts, np.zeros(len(counts))), finder.close()])
    subsegments = plan_subsegments(regions, SHIPPED, config.subsegments)
    return Artifacts(
        uri="talk",
        samples=25 * 16_000,
        geometry=SHIPPED,
        segmentation=segmentation,
        regions=regions,
        subsegments=subsegments,
        embeddings=np.zeros((len(subsegments.run), DIMENSION), np.float32),
        seconds={"segmentation": 1.0},
    )


def with_voices(*voices: int) -> Artifacts:
    """The dialogue, each of its runs spoken by the voice of that number."""
    artifacts = artifacts_of(DIALOGUE)
    noise = np.random.default_rng(1).normal(size=artifacts.embeddings.shape) * 0.05
    vectors = np.eye(DIMENSION)[np.array(voices)[artifacts.subsegments.run]] + noise
    return replace(artifacts, embeddings=vectors.astype(np.float32))


def with_embeddings(value: float, share: float = 1.0) -> Artifacts:
    """The dialogue of three voices, but a share of the embeddings is all this value."""
    artifacts = with_voices(0, 1, 0, 1, 2)
    embeddings = artifacts.embeddings.copy()
    embeddings[: round(share * len(embeddings))] = value
    return replace(artifacts, embeddings=embeddings)


def finish(
    artifacts: Artifacts, count: SpeakerCount | None = None, method: str = "agglomerative"
) -> Result:
    """What comes out, which is a valid result whatever goes in."""
    result = Diarizer(Config(clustering=ClusteringConfig(method=method))).finish(artifacts, count)
    number = len(result.speakers)
    assert result.speakers == tuple(f"SPEAKER_{index:02d}" for index in range(number))
    assert result.embeddings.shape == (number, DIMENSION)
    assert np.isfinite(result.embeddings).all()
    assert list(result.turns) == sorted(result.turns)
    assert {turn.speaker for turn in result.turns} == set(result.speakers)
    assert all(0 <= turn.start < turn.end <= 25 for turn in result.turns)
    alone = result.exclusive_turns
    assert all(before.end <= after.start for before, after in pairwise(alone))
    assert {turn.speaker for turn in alone} <= set(result.speakers)
    assert set(result.seconds) == {"segmentation", "clustering", "reconstruct"}
    for name in WRITERS:
        document(result, name)
    if count and count.maximum:
        assert number <= count.maximum
    return result


def all_speech(result: Result) -> Iterator[tuple[float, float]]:
    """Turns as one speaker's, to tenths of a second."""
    for turn in result.turns:
        yield round(turn.start, 1), round(turn.end, 1)


def number_of(labels: ClusterLabels) -> int:
    """Number of speakers; they must be numbered from 0 without a gap."""
    speakers = set(labels.tolist()) - {-1}
    assert speakers == set(range(len(speakers)))
    return len(speakers)


@pytest.mark.parametrize("count", [None, *COUNTS], ids=str)
def test_without_units_there_are_no_turns(count: SpeakerCount | None) -> None:
    for speech in ([], [(3.0, 3.1), (5.0, 5.1)]):  # silence, and runs too short for a unit
        result = finish(artifacts_of(speech), count)
        assert result.turns == result.exclusive_turns == result.speakers == ()


@pytest.mark.parametrize("count", [None, *COUNTS], ids=str)
@pytest.mark.parametrize("seconds", [0.3, 1.0], ids=["doubted", "trusted"])
def test_one_unit_is_one_speaker(count: SpeakerCount | None, seconds: float) -> None:
    artifacts = artifacts_of([(3.0, 3.0 + seconds)])
    assert len(artifacts.subsegments.run) == 1
    result = finish(replace(artifacts, embeddings=artifacts.embeddings + 1), count)
    assert list(all_speech(result)) == [(3.0, 3.0 + seconds)]
    np.testing.assert_allclose(result.embeddings, DIMENSION**-0.5, rtol=1e-5)


@pytest.mark.parametrize("count", [None, *COUNTS], ids=str)
def test_all_speech_is_somebodys_however_alike_the_voices_are(count: SpeakerCount | None) -> None:
    result = finish(with_embeddings(1.0), count)
    assert len(result.speakers) == (count.minimum if count else 1)
    spoken = sum(turn.duration for turn in result.exclusive_turns)
    assert spoken == pytest.approx(sum(last - first for first, last in DIALOGUE), abs=0.1)


@pytest.mark.parametrize("count", [None, *COUNTS], ids=str)
@pytest.mark.parametrize("value", [0.0, np.nan, np.inf], ids=str)
def test_without_a_usable_embedding_there_is_one_speaker(
    count: SpeakerCount | None, value: float
) -> None:
    result = finish(with_embeddings(value), count)
    assert list(all_speech(result)) == DIALOGUE
    assert len(result.speakers) == 1
    assert not result.embeddings.any()


@pytest.mark.parametrize("count", [None, *COUNTS], ids=str)
@pytest.mark.parametrize("value", [0.0, np.nan, -np.inf], ids=str)
@pytest.mark.parametrize("share", [0.05, 0.5, 0.95])
def test_embeddings_that_are_none_make_no_speaker(
    count: SpeakerCount | None, value: float, share: float
) -> None:
    result = finish(with_embeddings(value, share), count)
    assert result.speakers
    np.testing.assert_allclose(np.linalg.norm(result.embeddings, axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("size", [1e-6, 1e6])
def test_the_size_of_an_embedding_says_nothing(size: float) -> None:
    artifacts = with_voices(0, 1, 0, 1, 2)
    scaled = replace(artifacts, embeddings=artifacts.embeddings * np.float32(size))
    assert finish(scaled).turns == finish(artifacts).turns


def test_voices_come_back_as_speakers_in_order_of_appearance() -> None:
    result = finish(with_voices(2, 0, 2, 1, 0))
    assert list(all_speech(result)) == DIALOGUE
    assert [turn.speaker[-1] for turn in result.turns] == ["0", "1", "0", "2", "1"]
    assert result.embeddings.argmax(axis=1).tolist() == [2, 0, 1]


@pytest.mark.parametrize(("least_s", "number"), [(0.5, 3), (0.9, 2)])
def test_a_unit_that_is_too_short_to_be_trusted_makes_nobody(least_s: float, number: int) -> None:
    clusters = ClusteringConfig(min_trusted_s=least_s, min_speaker_s=0.0)
    artifacts = with_voices(0, 1, 2, 1, 0)  # the third speaks for 0.8 s
    assert len(Diarizer(Config(clusters=clusters)).finish(artifacts).speakers) == number


@pytest.mark.parametrize("count", COUNTS, ids=str)
def test_a_count_is_met_where_voices_can_be_parted(count: SpeakerCount) -> None:
    found = len(finish(with_voices(0, 1, 2, 1, 2), count).speakers)
    assert count.minimum <= found <= (count.maximum or 3)


@pytest.mark.parametrize("method", sorted(set(CLUSTERERS) - {"agglomerative", "vbx"}))
@pytest.mark.parametrize("count", [None, *COUNTS], ids=str)
def test_every_clusterer_makes_do_with_odd_voices(method: str, count: SpeakerCount | None) -> None:
    lone = artifacts_of([(3.0, 4.0)])
    for artifacts in (artifacts_of([]), with_embeddings(0.0), with_embeddings(np.nan, 0.5)):
        finish(artifacts, count, method)
    assert len(finish(replace(lone, embeddings=lone.embeddings + 1), count, method).speakers) == 1
    asked = count.minimum if count else 1
    assert len(finish(with_embeddings(1.0), count, method).speakers) >= asked
    found = len(finish(with_voices(0, 1, 2, 1, 2), count, method).speakers)
    assert found >= asked


@pytest.mark.parametrize(
    "settings",
    [{name: value} for name in ("threshold", "duplicate_at_1s", "duplicate_most") for value in (0.0, np.inf)]
    + [{"min_trusted_s": value, "min_speaker_s": value} for value in (0.0, 100.0)]
    + [{"min_trusted_probability": value} for value in (0.0, 1.5)],
    ids=str,
)
def test_every_accepted_setting_gives_turns(settings: dict[str, float]) -> None:
    config = Config(clustering=ClusteringConfig(**settings))
    assert Diarizer(config).finish(with_voices(0, 1, 0, 1, 2)).turns


def random_voices(rng: np.random.Generator) -> NDArray[np.float64]:
    return rng.normal(size=(MANY, 16))


def one_voice(rng: np.random.Generator) -> NDArray[np.float64]:
    return np.repeat(rng.normal(size=(1, 16)), MANY, axis=0)


@pytest.mark.parametrize("minimum", [1, 3])
@pytest.mark.parametrize("make", [random_voices, one_voice])
def test_five_hours_of_voices_are_clustered_in_time(
    make: Callable[[np.random.Generator], NDArray[np.float64]], minimum: int
) -> None:
    """The first step costs the same for all counts of one minimum."""
    embeddings = make(np.random.default_rng(0)).astype(np.float32)
    voices = VoiceVectors(unit_length(embeddings), embeddings, np.full(MANY, 0.6), np.zeros(MANY))
    calibration = Diarizer().calibration
    limit = DuplicateLimit(*(calibration[f"duplicate_{name}"] for name in DuplicateLimit._fields))
    start = time.process_time()
    clusters = CLUSTERERS["agglomerative"](voices, Request(calibration["threshold"], minimum))
    counts = [SpeakerCount(minimum, maximum) for maximum in (None, minimum, minimum + 2)]
    chosen = [select_speakers(voices, clusters, limit, 0.9, count) for count in counts]
    found = [number_of(each.labels) for each in chosen]
    assert time.process_time() - start < MOST_CPU_S
    assert clusters.shape == (MANY,)
    assert number_of(clusters) >= minimum
    assert found[0] >= minimum
    assert found[1] == minimum
    assert minimum <= found[2] <= minimum + 2
