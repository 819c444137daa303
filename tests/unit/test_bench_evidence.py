"""`bench evidence`: what is true of a division, weights that are found again, and the command."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from bench import evidence
from bench.__main__ import main
from bench.annotations import Turn
from bench.corpus import find_recordings
from bench.errors import BenchError
from bench.evidence import (
    NOBODY,
    Case,
    Cases,
    Talk,
    cases_of,
    cross_validate,
    fit,
    is_two,
    measure_evidence,
    speakers_alone,
    talk_of,
)
from hocket import Config, Diarizer
from hocket.audio.reading import read_audio
from hocket.clustering import DuplicateLimit, TwoSpeakers
from hocket.clustering.division import Traits
from hocket.config import ClusteringConfig, SpeakerCount
from hocket.models import read_catalogue
from hocket.offline import diarizer as pipeline
from tests.places import EXAMPLES
from tests.talks import talk

KNOWN = TwoSpeakers(-1.0, 2.0, 1.0, -1.0, 0.5, 0.0, -0.5, 1.5, 0.5, -0.5, 0.5, -1.0, 0.3, 0.0)
SHIPPED = TwoSpeakers.of(read_catalogue().calibrations[Config().graphs.embedding])
ALL_STAY = DuplicateLimit(at_1s=2.0, growth=0.0, most=2.0)


def drawn(number: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Traits, and whether they are two speakers, as KNOWN says."""
    rng = np.random.default_rng(seed)
    traits = rng.normal(size=(number, len(Traits._fields))) * [1, 2, 0.1, *[1] * 10] + 0.5
    log_odds = np.array([KNOWN.log_odds(Traits(*row)) for row in traits])
    return traits, rng.random(number) < 1 / (1 + np.exp(-log_odds))


def talk_of_turns(turns: list[int], seed: int, cosine: float = 0.4) -> Talk:
    """A talk that the linkage left as one cluster."""
    voices, regions, speakers = talk(turns, cosine, seed)
    return Talk(voices, regions, np.zeros(len(speakers), np.int32), speakers)


def cases_in(one: Talk, model: TwoSpeakers = SHIPPED) -> Cases:
    return cases_of(0, one, ALL_STAY, model, 0.9)


def test_known_weights_are_found_again() -> None:
    np.testing.assert_allclose(fit(*drawn(20_000, 1)), KNOWN, atol=0.25)


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


@pytest.mark.parametrize(("number", "two"), [(0, False), (9, False), (9, True)])
def test_without_both_kinds_there_is_nothing_to_learn(number: int, two: bool) -> None:
    traits = np.random.default_rng(1).normal(size=(number, len(Traits._fields)))
    with pytest.raises(BenchError, match="divisions and pairs are two speakers; name more"):
        fit(traits, np.full(number, two))


def test_recordings_are_held_back_whole() -> None:
    """Cases that recur within a recording could be learnt by heart."""
    traits, two = drawn(4_000, 3)
    cases = {Case(i % 40, Traits(*row)): bool(two[i]) for i, row in enumerate(traits.tolist())}
    found = cross_validate(cases)
    expected = evidence._judge(KNOWN, traits, two)
    assert found.log_loss == pytest.approx(expected.log_loss, abs=0.01)
    assert found.wrong == pytest.approx(expected.wrong, rel=0.1)
    rng = np.random.default_rng(8)
    places = rng.normal(size=(8, len(Traits._fields)))
    recurring = Cases()
    for number in range(800):
        row = places[number // 100] + 1e-6 * rng.normal(size=places.shape[1])
        recurring[Case(number // 100, Traits(*row.tolist()))] = number // 100 in {0, 3, 5, 6}
    assert cross_validate(recurring).wrong > 200
    assert (
        evidence._judge(fit(*evidence._arrays(recurring)), *evidence._arrays(recurring)).wrong == 0
    )


def test_a_unit_is_one_speakers_who_has_nearly_all_of_it_alone() -> None:
    units = np.array([[0, 1], [1, 2], [2, 3], [3, 4], [4, 5], [5, 6], [8, 9]], float)
    turns = [
        Turn(0.0, 1.9, "ben"),
        Turn(2.2, 3.0, "ben"),  # too little of it
        Turn(3.0, 6.0, "anna"),
        Turn(3.0, 3.1, "ben"),
        Turn(4.0, 4.2, "ben"),  # too much of it
        Turn(5.0, 5.1, "ben"),
        Turn(5.2, 5.3, "carl"),  # with ben too much of it
    ]
    assert speakers_alone(units, turns).tolist() == [1, 1, NOBODY, 0, NOBODY, NOBODY, NOBODY]
    parts = [Turn(0.0, 0.5, "anna"), Turn(0.5, 1.0, "anna")]
    assert speakers_alone(units[:1], parts).tolist() == [0]
    assert speakers_alone(units, []).tolist() == [NOBODY] * 7
    assert speakers_alone(units[:0], turns).shape == (0,)


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


def test_seconds_say_whose_a_half_is() -> None:
    speakers = np.array([0] * 6 + [1] * 2 + [1] * 8)
    halves = np.repeat([0, 1], 8)
    seconds = np.where(np.arange(16) < 6, 0.5, 5.0)
    assert is_two(speakers, np.ones(16), halves) is True
    assert is_two(speakers, seconds, halves) is False


def test_what_comes_up_depends_on_the_odds() -> None:
    two = talk_of_turns([0, 1] * 8, 1)
    split = cases_in(two)
    assert True in split.values()
    assert False in split.values()  # of either speaker, once they are two
    never = cases_in(two, SHIPPED._replace(bias=-1e6))
    assert list(never.values()) == [True]
    nobody = two._replace(speakers=np.full_like(two.speakers, NOBODY))
    assert not cases_in(nobody)


@pytest.mark.parametrize("strict", [{"min_trusted_s": 1.0}, {"min_trusted_probability": 0.99}])
def test_speakers_are_found_in_what_the_pipeline_finds_them_in(
    strict: dict[str, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    diarizer = Diarizer(Config(clustering=ClusteringConfig(**strict)))
    rate = diarizer.load().geometry.sample_rate
    artifacts = diarizer.infer(read_audio(EXAMPLES / "conversation.flac", target_rate=rate))
    (recording,) = find_recordings(EXAMPLES)
    found = talk_of(diarizer, artifacts, recording.turns())
    usual, given = pipeline.find_speakers, []

    def note(*arguments, **options):
        given.append(arguments)
        return usual(*arguments, **options)

    monkeypatch.setattr(pipeline, "find_speakers", note)
    diarizer.finish(artifacts)
    ((voices, regions, group, _, model, least_s, count),) = given
    assert found.voices.tracks is not None
    assert voices.tracks is not None
    columns = (*found.voices[:5], *found.voices.tracks), (*voices[:5], *voices.tracks)
    for one, other in zip(*columns, strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(found.regions, regions)
    np.testing.assert_array_equal(found.clusters, group(1))
    assert 0 < len(voices.seconds) < len(artifacts.units.run)
    assert (model, least_s, count) == (SHIPPED, 0.9, SpeakerCount())
    assert len({*found.speakers.tolist()} - {NOBODY}) == 2


@pytest.fixture
def made_up(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[TwoSpeakers]]:
    """Every recording is a talk of its own; the odds that each pass goes by."""
    talks = iter(
        talk_of_turns([0, 1] * 8 if seed % 2 else [0] * 12, seed, 0.7) for seed in range(100)
    )
    models: list[TwoSpeakers] = []
    usual = evidence.cases_of

    def note(recording, one, limit, model, min_speaker_s):
        models.append(model)
        return usual(recording, one, limit, model, min_speaker_s)

    monkeypatch.setattr(evidence, "_listen", lambda *_: next(talks))
    monkeypatch.setattr(evidence, "cases_of", note)
    return models


def test_weights_are_fitted_to_what_came_up_by_either_odds(made_up: list[TwoSpeakers]) -> None:
    recordings = find_recordings(EXAMPLES) * 16
    results = measure_evidence(recordings, "campplus-local", lambda _: None)
    assert made_up[:16] == [SHIPPED] * 16
    assert made_up[16:] == [made_up[16]] * 16
    assert made_up[16] != SHIPPED
    assert 8 <= results["two_speakers"] < results["cases"]
    assert results["held_back"]["wrong"] < results["cases"] / 10
    assert results["weights"]["divergence"] > 0


def test_the_command_prints_lines_for_the_manifest(
    tmp_path: Path, made_up: list[TwoSpeakers]
) -> None:
    output = tmp_path / "evidence.json"
    done = CliRunner().invoke(main, ["evidence", *[str(EXAMPLES)] * 16, "--output", str(output)])
    assert done.exit_code == 0, done.output
    results = json.loads(output.read_text())
    assert results["corpora"] == ["examples"] * 16
    assert results["embedding"] == "campplus-local"
    weights = TwoSpeakers(**results["weights"])
    for name, value in weights._asdict().items():
        assert f"\ntwo_{name} = {value:.3f}\n" in done.output


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "divisions and pairs are two speakers; name more recordings"),
        (["--embedding", "none"], "embedding is 'none'; give one of campplus"),
    ],
)
def test_what_cannot_be_learnt_is_one_line(
    options: list[str], message: str, tmp_path: Path
) -> None:
    output = tmp_path / "evidence.json"
    done = CliRunner().invoke(main, ["evidence", str(EXAMPLES), "--output", str(output), *options])
    assert done.exit_code == 1
    assert message in done.output.splitlines()[-1]
    assert not output.exists()
