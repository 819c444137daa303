"""`bench evidence`: the truth of divisions, recovered weights, and the command."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.accuracy import evidence
from bench.accuracy.evidence import (
    NOBODY,
    Case,
    Cases,
    LabeledVoices,
    cases_of,
    cross_validate,
    fit,
    is_two,
    label_voices,
    measure_evidence,
    speakers_alone,
)
from bench.annotations import Turn
from bench.corpus import find_recordings
from bench.errors import BenchError
from bench.tests.helpers import run
from hocket import Config, Diarizer
from hocket.audio.reading import read_audio
from hocket.clustering import TwoSpeakers, resolution
from hocket.clustering.division import Traits
from hocket.config import ClusteringConfig
from hocket.models import read_catalogue
from hocket.offline import speakers as offline_speakers
from tests.helpers.conversations import conversation
from tests.helpers.paths import CONVERSATION, EXAMPLE

KNOWN = TwoSpeakers(-1.0, 2.0, 1.0, -1.0, 0.5, 0.0, -0.5, 1.5, 0.5, -0.5, 0.5, -1.0, 0.3, 0.0)
CALIBRATION = read_catalogue().calibrations[Config().graphs.embedding]
SHIPPED = TwoSpeakers.of(CALIBRATION)
ALL_STAY = (
    Config(
        clustering=ClusteringConfig(duplicate_at_1s=2.0, duplicate_growth=0.0, duplicate_most=2.0)
    )
    .resolved(CALIBRATION)
    .clustering
)


def drawn(number: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Traits, and whether they are two speakers, as KNOWN says."""
    rng = np.random.default_rng(seed)
    traits = rng.normal(size=(number, len(Traits._fields))) * [1, 2, 0.1, *[1] * 10] + 0.5
    log_odds = np.array([KNOWN.log_odds(Traits(*row)) for row in traits])
    return traits, rng.random(number) < 1 / (1 + np.exp(-log_odds))


def labeled(turns: list[int], seed: int, cosine: float = 0.4) -> LabeledVoices:
    """Voices that the linkage left as one cluster."""
    voices, regions, speakers = conversation(turns, cosine, seed)
    return LabeledVoices(voices, regions, np.zeros(len(speakers), np.int32), speakers)


def cases_in(one: LabeledVoices, model: TwoSpeakers = SHIPPED) -> Cases:
    return cases_of(0, one, ALL_STAY, model)


def test_known_weights_are_recovered() -> None:
    np.testing.assert_allclose(fit(*drawn(8_000, 1)), KNOWN, atol=0.4)


def test_the_ridge_leaves_the_share_of_two_speakers_as_it_is() -> None:
    traits, _ = drawn(40, 5)
    two = np.arange(40) < 4
    found = fit(traits, two)
    odds = np.exp([found.log_odds(Traits(*row)) for row in traits])
    assert np.sum(odds / (1 + odds)) == pytest.approx(4)


def test_a_trait_that_never_changes_has_no_weight_and_clear_cases_have_finite_ones() -> None:
    traits, two = drawn(400, 2)
    traits[:, 5] = 3.0
    assert fit(traits, two).block == pytest.approx(0)
    assert np.isfinite(fit(traits, traits[:, 0] > 0.5)).all()


def test_weights_shrink_by_the_ridge() -> None:
    """One trait by hand: at the least, slope and penalty take each other away."""
    traits = np.zeros((8, len(Traits._fields)))
    traits[:, 0] = [-1, -1, -1, -1, 1, 1, 1, 1]
    found = fit(traits, np.array([0, 0, 0, 1, 0, 1, 1, 1], np.bool_))
    weight = found.divergence
    assert found.bias == pytest.approx(0)
    assert weight == pytest.approx(6 - 8 / (1 + np.exp(-weight)))


def test_without_both_kinds_there_is_nothing_to_learn() -> None:
    traits = np.random.default_rng(1).normal(size=(9, len(Traits._fields)))
    for number, two in ((0, False), (9, False), (9, True)):
        with pytest.raises(BenchError, match="divisions and pairs are two speakers; give more"):
            fit(traits[:number], np.full(number, two))


def test_recordings_are_held_back_whole() -> None:
    """Otherwise cases that recur within a recording would be memorized."""
    traits, two = drawn(2_000, 3)
    cases = {Case(i % 40, Traits(*row)): bool(two[i]) for i, row in enumerate(traits.tolist())}
    found = cross_validate(cases)
    expected = evidence._judge(KNOWN, traits, two)
    assert found.log_loss == pytest.approx(expected.log_loss, abs=0.02)
    assert found.wrong == pytest.approx(expected.wrong, rel=0.15)
    rng = np.random.default_rng(8)
    places = rng.normal(size=(8, len(Traits._fields)))
    recurring = Cases()
    for number in range(400):
        row = places[number // 50] + 1e-6 * rng.normal(size=places.shape[1])
        recurring[Case(number // 50, Traits(*row.tolist()))] = number // 50 in {0, 3, 5, 6}
    assert cross_validate(recurring).wrong > 100
    assert (
        evidence._judge(fit(*evidence._arrays(recurring)), *evidence._arrays(recurring)).wrong == 0
    )


def test_a_subsegment_has_the_speaker_who_speaks_alone_in_nearly_all_of_it() -> None:
    bounds = np.array([[0, 1], [1, 2], [2, 3], [3, 4], [4, 5], [5, 6], [8, 9]], float)
    turns = [
        Turn(0.0, 1.9, "ben"),
        Turn(2.2, 3.0, "ben"),  # too little of it
        Turn(3.0, 6.0, "anna"),
        Turn(3.0, 3.1, "ben"),
        Turn(4.0, 4.2, "ben"),  # too much of it
        Turn(5.0, 5.1, "ben"),
        Turn(5.2, 5.3, "carl"),  # with ben too much of it
    ]
    assert speakers_alone(bounds, turns).tolist() == [1, 1, NOBODY, 0, NOBODY, NOBODY, NOBODY]
    parts = [Turn(0.0, 0.5, "anna"), Turn(0.5, 1.0, "anna")]
    assert speakers_alone(bounds[:1], parts).tolist() == [0]
    assert speakers_alone(bounds, []).tolist() == [NOBODY] * 7
    assert speakers_alone(bounds[:0], turns).shape == (0,)


@pytest.mark.parametrize(
    ("first", "second", "truth"),
    [
        ([0] * 8, [1] * 8, True),
        ([0] * 8, [0] * 8, False),
        ([0] * 6 + [1] * 2, [1] * 8, True),  # three quarters
        ([0] * 5 + [1] * 3, [1] * 8, None),
        ([0] * 3 + [NOBODY] * 5, [1] * 8, True),  # all of what is clear
        ([0] * 2 + [NOBODY] * 6, [1] * 8, None),  # too little of it is
        ([0] * 4 + [1] * 3 + [NOBODY], [0] * 8, False),
        ([0] * 8, [NOBODY] * 8, None),
        ([0] * 8, [1] * 4, None),  # too few
    ],
)
def test_the_truth_of_a_division(first: list[int], second: list[int], truth: bool | None) -> None:
    speakers = np.array(first + second)
    halves = np.repeat([0, 1], [len(first), len(second)])
    for sides in (halves, 1 - halves):
        assert is_two(speakers, np.ones(len(speakers)), sides) is truth
    assert is_two(speakers, np.full(len(speakers), 0.3), halves) is None  # too short


def test_the_speaker_of_a_half_is_weighted_by_seconds() -> None:
    speakers = np.array([0] * 6 + [1] * 2 + [1] * 8)
    halves = np.repeat([0, 1], 8)
    seconds = np.where(np.arange(16) < 6, 0.5, 5.0)
    assert is_two(speakers, np.ones(16), halves) is True
    assert is_two(speakers, seconds, halves) is False


def test_the_cases_depend_on_the_odds() -> None:
    two = labeled([0, 1] * 8, 1)
    split = cases_in(two)
    assert True in split.values()
    assert False in split.values()  # of either speaker, once they are two
    never = cases_in(two, SHIPPED._replace(bias=-1e6))
    assert list(never.values()) == [True]
    nobody = two._replace(speakers=np.full_like(two.speakers, NOBODY))
    assert not cases_in(nobody)


def test_voices_are_those_that_are_clustered(monkeypatch: pytest.MonkeyPatch) -> None:
    strict = ClusteringConfig(min_trusted_s=1.0, min_trusted_probability=0.9)
    diarizer = Diarizer(Config(clustering=strict))
    rate = diarizer.load().geometry.sample_rate
    artifacts = diarizer.infer(read_audio(CONVERSATION, target_rate=rate))
    (recording,) = find_recordings(EXAMPLE)
    found = label_voices(diarizer, artifacts, recording.turns())
    given: list[tuple[Any, ...]] = []

    def resolve(*arguments: Any, **options: Any) -> Any:
        given.append(arguments)
        return resolution.resolve_speakers(*arguments, **options)

    monkeypatch.setattr(offline_speakers, "resolve_speakers", resolve)
    diarizer.finish(artifacts)
    ((voices, regions, group, config, model, count),) = given
    np.testing.assert_array_equal(found.voices.vectors, voices.vectors)
    np.testing.assert_array_equal(found.voices.seconds, voices.seconds)
    np.testing.assert_array_equal(found.regions, regions)
    np.testing.assert_array_equal(found.clusters, group(1))
    assert 0 < len(voices.seconds) < len(artifacts.subsegments.region)
    assert (model, config, count.minimum) == (SHIPPED, diarizer.resolved.clustering, 1)
    assert len({*found.speakers.tolist()} - {NOBODY}) == 2


@pytest.fixture
def models(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[TwoSpeakers]]:
    """The odds used in every pass; every recording is replaced by a synthetic one."""
    made = iter(labeled([0, 1] * 8 if seed % 2 else [0] * 12, seed, 0.7) for seed in range(100))
    used: list[TwoSpeakers] = []
    usual = evidence.cases_of

    def keep(number: int, one: LabeledVoices, config: Any, model: TwoSpeakers) -> Cases:
        used.append(model)
        return usual(number, one, ALL_STAY, model)

    monkeypatch.setattr(evidence, "_labeled", lambda *_: next(made))
    monkeypatch.setattr(evidence, "cases_of", keep)
    return used


def test_weights_are_fitted_to_the_cases_of_both_rounds(models: list[TwoSpeakers]) -> None:
    recordings = find_recordings(EXAMPLE) * 16
    results = measure_evidence(recordings, "campplus-local", lambda _: None)
    assert models[:16] == [SHIPPED] * 16
    assert models[16:] == [models[16]] * 16
    assert models[16] != SHIPPED
    assert 8 <= results["two_speakers"] < results["cases"]
    assert results["held_back"]["wrong"] < results["cases"] / 10
    assert results["weights"]["divergence"] > 0


@pytest.mark.usefixtures("models")
def test_the_command_prints_lines_for_the_manifest(tmp_path: Path) -> None:
    output = tmp_path / "evidence.json"
    done = run("evidence", *[EXAMPLE] * 16, "--output", output)
    assert done.exit_code == 0, done.output
    results = json.loads(output.read_text())
    assert results["corpora"] == ["example"] * 16
    assert results["embedding"] == "campplus-local"
    for name, value in TwoSpeakers(**results["weights"])._asdict().items():
        assert f"\ntwo_{name} = {value:.3f}\n" in done.output


def test_an_unknown_model_is_one_line(tmp_path: Path) -> None:
    done = run("evidence", EXAMPLE, "--embedding", "none", "--output", tmp_path / "none.json")
    assert done.exit_code == 1
    assert "embedding is 'none'; give one of campplus" in done.output.splitlines()[-1]
