"""From artifacts to turns: pure, and valid for unusable, identical and very many embeddings."""

import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from hocket import Config, Diarizer, Result
from hocket.arrays import ClusterLabels, unit_length
from hocket.clustering import CLUSTERERS, Request, VoiceVectors, select_speakers
from hocket.config import ClusteringConfig, SpeakerCount
from hocket.formats import FORMATS
from hocket.offline.artifacts import Artifacts
from tests.helpers.artifacts import (
    DIALOGUE,
    DIMENSION,
    artifacts_of,
    with_embeddings,
    with_voices,
)
from tests.helpers.documents import document

COUNTS = [None, *(SpeakerCount(*each) for each in ((1, 1), (3, 3), (2,), (1, 2), (2, 4)))]
MANY = 30_000
MOST_CPU_S = 60.0  # all pairs of so many would take half an hour
on_every_count = pytest.mark.parametrize("count", COUNTS, ids=str)


def finish(
    artifacts: Artifacts, count: SpeakerCount | None = None, method: str = "agglomerative"
) -> Result:
    """The result, checked for validity."""
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
    for name in FORMATS:
        document(result, name)
    if count and count.maximum:
        assert number <= count.maximum
    return result


def all_speech(result: Result) -> Iterator[tuple[float, float]]:
    """Turns of all speakers, in tenths of a second."""
    for turn in result.turns:
        yield round(turn.start, 1), round(turn.end, 1)


def number_of(labels: ClusterLabels) -> int:
    """Number of speakers, which must be numbered from 0 without gaps."""
    speakers = set(labels.tolist()) - {-1}
    assert speakers == set(range(len(speakers)))
    return len(speakers)


@on_every_count
def test_without_subsegments_there_are_no_turns(count: SpeakerCount | None) -> None:
    for speech in ([], [(3.0, 3.1), (5.0, 5.1)]):  # silence, and regions too short for a subsegment
        result = finish(artifacts_of(speech), count)
        assert result.turns == result.exclusive_turns == result.speakers == ()


@on_every_count
@pytest.mark.parametrize("seconds", [0.3, 1.0], ids=["doubted", "trusted"])
def test_one_subsegment_is_one_speaker(count: SpeakerCount | None, seconds: float) -> None:
    artifacts = artifacts_of([(3.0, 3.0 + seconds)])
    assert len(artifacts.subsegments.region) == 1
    result = finish(replace(artifacts, embeddings=artifacts.embeddings + 1), count)
    assert list(all_speech(result)) == [(3.0, 3.0 + seconds)]
    np.testing.assert_allclose(result.embeddings, DIMENSION**-0.5, rtol=1e-5)


@on_every_count
def test_identical_voices_are_one_speaker_unless_more_are_requested(
    count: SpeakerCount | None,
) -> None:
    result = finish(with_embeddings(1.0), count)
    assert len(result.speakers) == (count.minimum if count else 1)
    spoken = sum(turn.duration for turn in result.exclusive_turns)
    assert spoken == pytest.approx(sum(last - first for first, last in DIALOGUE), abs=0.1)


@on_every_count
def test_without_a_usable_embedding_there_is_one_speaker(count: SpeakerCount | None) -> None:
    for value in (0.0, np.nan, np.inf):
        result = finish(with_embeddings(value), count)
        assert list(all_speech(result)) == DIALOGUE
        assert len(result.speakers) == 1
        assert not result.embeddings.any()


@on_every_count
def test_unusable_embeddings_make_no_speaker(count: SpeakerCount | None) -> None:
    for value, share in ((0.0, 0.05), (np.nan, 0.5), (-np.inf, 0.95)):
        result = finish(with_embeddings(value, share), count)
        assert result.speakers
        np.testing.assert_allclose(np.linalg.norm(result.embeddings, axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("size", [1e-6, 1e6])
def test_the_length_of_an_embedding_does_not_matter(size: float) -> None:
    artifacts = with_voices(0, 1, 0, 1, 2)
    scaled = replace(artifacts, embeddings=artifacts.embeddings * np.float32(size))
    assert finish(scaled).turns == finish(artifacts).turns


def test_voices_become_speakers_in_order_of_appearance() -> None:
    result = finish(with_voices(2, 0, 2, 1, 0))
    assert list(all_speech(result)) == DIALOGUE
    assert [turn.speaker[-1] for turn in result.turns] == ["0", "1", "0", "2", "1"]
    assert result.embeddings.argmax(axis=1).tolist() == [2, 0, 1]


@pytest.mark.parametrize(("least_s", "number"), [(0.5, 3), (0.9, 2)])
def test_a_subsegment_too_short_to_be_trusted_creates_no_speaker(
    least_s: float, number: int
) -> None:
    clusters = ClusteringConfig(min_trusted_s=least_s, min_speaker_s=0.0)
    artifacts = with_voices(0, 1, 2, 1, 0)  # the third speaks for 0.8 s
    assert len(Diarizer(Config(clustering=clusters)).finish(artifacts).speakers) == number


@on_every_count
def test_a_count_is_met_where_voices_can_be_parted(count: SpeakerCount | None) -> None:
    found = len(finish(with_voices(0, 1, 2, 1, 2), count).speakers)
    wanted = count or SpeakerCount()
    assert wanted.minimum <= found <= (wanted.maximum or 3)


@pytest.mark.parametrize("method", sorted(set(CLUSTERERS) - {"agglomerative", "vbx"}))
@pytest.mark.parametrize("count", [None, SpeakerCount(3, 3), SpeakerCount(1, 2)], ids=str)
def test_every_clusterer_takes_unusable_embeddings(method: str, count: SpeakerCount | None) -> None:
    lone = artifacts_of([(3.0, 4.0)])
    for artifacts in (artifacts_of([]), with_embeddings(0.0), with_embeddings(np.nan, 0.5)):
        finish(artifacts, count, method)
    assert len(finish(replace(lone, embeddings=lone.embeddings + 1), count, method).speakers) == 1
    least = count.minimum if count else 1
    assert len(finish(with_embeddings(1.0), count, method).speakers) >= least
    found = len(finish(with_voices(0, 1, 2, 1, 2), count, method).speakers)
    assert found >= least


@pytest.mark.parametrize(
    "settings",
    [
        {"threshold": 0.0},
        {"threshold": np.inf},
        {"duplicate_at_1s": 0.0, "duplicate_most": 0.0},
        {"duplicate_at_1s": np.inf, "duplicate_most": np.inf},
        {"min_trusted_s": 0.0, "min_speaker_s": 0.0},
        {"min_trusted_s": 100.0, "min_speaker_s": 100.0},
        {"min_trusted_probability": 1.5},
    ],
    ids=str,
)
def test_every_accepted_setting_gives_turns(settings: dict[str, float]) -> None:
    config = Config(clustering=ClusteringConfig(**settings))
    assert Diarizer(config).finish(with_voices(0, 1, 0, 1, 2)).turns


@pytest.mark.parametrize("one_voice", [False, True])
def test_five_hours_of_voices_are_clustered_in_time(one_voice: bool) -> None:
    """Without all pairs; the first step costs the same for all counts of one minimum."""
    drawn = np.random.default_rng(0).normal(size=(1 if one_voice else MANY, 16))
    embeddings = np.broadcast_to(drawn, (MANY, 16)).astype(np.float32)
    voices = VoiceVectors(unit_length(embeddings), embeddings, np.full(MANY, 0.6), np.zeros(MANY))
    config, minimum = Diarizer().resolved.clustering, 3
    start = time.process_time()
    clusters = CLUSTERERS["agglomerative"](voices, Request(config.threshold, minimum))
    counts = [SpeakerCount(minimum, maximum) for maximum in (None, minimum, minimum + 2)]
    chosen = [select_speakers(voices, clusters, config, count) for count in counts]
    found = [number_of(each.labels) for each in chosen]
    assert time.process_time() - start < MOST_CPU_S
    assert clusters.shape == (MANY,)
    assert number_of(clusters) >= minimum
    assert found[0] >= minimum
    assert found[1] == minimum
    assert minimum <= found[2] <= minimum + 2
