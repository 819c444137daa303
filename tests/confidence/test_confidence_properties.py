"""Confidence: valid probabilities, lower where the evidence is against a turn."""

from itertools import product
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from hocket.arrays import Subsegments
from hocket.confidence.count import CountModel, count_confidence, poisson_binomial
from hocket.confidence.turns import (
    Evidence,
    Segments,
    SpeakerEvidence,
    TurnModel,
    TurnTraits,
    evidence_of,
    logistic,
    margins,
    nearness,
    uncertain_segments,
    with_confidence,
)
from hocket.config import SpeakerCount
from hocket.turns import Turn
from tests.helpers.geometry import SHIPPED
from tests.helpers.settings import CALIBRATION

TURNS, COUNTS = TurnModel.of(CALIBRATION), CountModel.of(CALIBRATION)
ANY = SpeakerCount()
CHANCES = st.floats(0, 1)
LOG_ODDS = st.floats(-30, 30) | st.just(-np.inf) | st.just(np.inf)


class Conversation(NamedTuple):
    """Consecutive subsegments of a second, and the speaker of each."""

    labels: list[int]
    similarity: NDArray[np.float32]  # (subsegments, speakers)
    speech: float = 0.99
    split: tuple[float, ...] | None = None
    apart: tuple[float, ...] | None = None

    def evidence(self) -> Evidence:
        number, frames = self.similarity.shape[1], 60
        total = frames * len(self.labels)
        activations = np.zeros((total, number), np.bool_)
        for place, label in enumerate(self.labels):
            activations[place * frames : (place + 1) * frames, label] = True
        occupancy = np.tile(np.float32([1 - self.speech, self.speech, 0]), (total, 1))
        first = frames * np.arange(len(self.labels))
        subsegments = Subsegments(np.arange(len(self.labels)), first, first + frames)
        split = np.array(self.split or [-5.0] * number)
        apart = np.array(self.apart or [np.inf, *[5.0] * (number - 1)])
        speakers = SpeakerEvidence.gather(self.similarity, (split, apart))
        return evidence_of(activations, speakers, occupancy, subsegments, SHIPPED)

    def confidence(self) -> NDArray[np.float64]:
        evidence = self.evidence()
        return evidence.of_turns(TURNS.probability(evidence.traits))


def alike(*rows: tuple[float, ...]) -> NDArray[np.float32]:
    return np.array(rows, np.float32)


CLEAR = Conversation([0, 1, 0], alike((0.8, 0.1), (0.1, 0.8), (0.8, 0.1)))


@given(st.lists(CHANCES, max_size=8))
def test_the_poisson_binomial_is_the_sum_over_all_outcomes(chances: list[float]) -> None:
    expected = np.zeros(len(chances) + 1)
    for outcome in product((0, 1), repeat=len(chances)):
        each = [p if happens else 1 - p for p, happens in zip(chances, outcome, strict=True)]
        expected[sum(outcome)] += np.prod(each)
    np.testing.assert_allclose(poisson_binomial(chances), expected, atol=1e-12)


@given(st.lists(st.tuples(LOG_ODDS, LOG_ODDS), min_size=1, max_size=6), CHANCES)
def test_numbers_of_speakers_have_probabilities(
    odds: list[tuple[float, float]], sure: float
) -> None:
    split, apart = np.array(odds).T
    found = COUNTS.probabilities(SpeakerEvidence(alike(), split, apart, True), sure)
    assert found[0] == 0
    assert (found >= 0).all()
    assert found.sum() == pytest.approx(1)
    assert len(found) == 2 * len(odds) + 2  # each of them may be two, and one may be missed


def test_a_speaker_that_may_be_two_makes_one_more_likelier() -> None:
    def told(split: float, apart: float) -> dict[int, float]:
        evidence = CLEAR._replace(split=(split, -5.0), apart=(np.inf, apart)).evidence()
        return dict(count_confidence(evidence, ANY, CALIBRATION))

    sure = told(-5.0, 5.0)
    assert list(sure) == [1, 2, 3]
    assert sum(sure.values()) <= 1
    assert sure[2] > 0.7
    assert told(0.0, 5.0)[3] > sure[3]
    assert told(0.0, 5.0)[2] < sure[2]
    assert told(-5.0, 0.1)[1] > sure[1]
    assert told(-5.0, 0.1)[2] < sure[2]


def test_the_number_is_surer_where_turns_are() -> None:
    unsure = CLEAR._replace(similarity=alike((0.5, 0.4), (0.4, 0.5), (0.5, 0.4)))
    clear, close = (count_confidence(each.evidence(), ANY, CALIBRATION) for each in (CLEAR, unsure))
    assert clear[2] > close[2] + 0.05
    assert sum(close.values()) <= 1


def test_numbers_outside_the_requested_range_have_no_probability() -> None:
    evidence = CLEAR.evidence()
    exactly = count_confidence(evidence, SpeakerCount(2, 2), CALIBRATION)
    assert exactly == {1: 0.0, 2: pytest.approx(1), 3: 0.0}
    most = count_confidence(evidence, SpeakerCount(1, 2), CALIBRATION)
    assert most[3] == 0
    assert most[1] + most[2] == pytest.approx(1)
    # fewer speakers were found than requested, so the request does not count
    assert count_confidence(evidence, SpeakerCount(5, 5), CALIBRATION) == count_confidence(
        evidence, ANY, CALIBRATION
    )


def test_one_speaker_and_no_speaker() -> None:
    alone = Conversation([0, 0], alike((0.7,), (0.8,)))
    assert alone.confidence().shape == (1,)
    assert 0 < alone.confidence()[0] < 1
    assert list(count_confidence(alone.evidence(), ANY, CALIBRATION)) == [1, 2]
    nobody = Conversation([], np.zeros((0, 0), np.float32)).evidence()
    assert count_confidence(nobody, ANY, CALIBRATION) == {0: 1.0}
    assert with_confidence((), nobody, CALIBRATION, ()) == ()


def test_without_odds_the_number_has_no_probability() -> None:
    evidence = CLEAR.evidence()
    speakers = SpeakerEvidence.gather(CLEAR.similarity, None)
    assert count_confidence(evidence._replace(speakers=speakers), ANY, CALIBRATION) == {}
    of_others = SpeakerEvidence.gather(CLEAR.similarity, (np.zeros(3), np.zeros(3)))
    assert not of_others.judged


def test_a_nearly_tied_turn_is_less_certain_than_a_clear_one() -> None:
    tied = CLEAR._replace(similarity=alike((0.8, 0.1), (0.55, 0.57), (0.8, 0.1)))
    clear, less = CLEAR.confidence(), tied.confidence()
    assert less[2] < clear[2] - 0.1  # the turn of the second speaker
    assert less[:2] == pytest.approx(clear[:2])


@pytest.mark.parametrize(
    "worse",
    [
        CLEAR._replace(speech=0.6),
        CLEAR._replace(split=(3.0, -5.0)),
        CLEAR._replace(apart=(0.0, np.inf)),
        CLEAR._replace(similarity=alike((0.3, 0.25), (0.1, 0.8), (0.3, 0.25))),
    ],
    ids=["less speech", "perhaps two", "perhaps another", "like the other"],
)
def test_evidence_against_a_turn_makes_it_less_certain(worse: Conversation) -> None:
    assert (worse.confidence()[:2] < CLEAR.confidence()[:2]).all()


@given(
    st.integers(1, 4).flatmap(
        lambda number: st.lists(
            st.tuples(
                st.integers(0, number - 1),
                st.lists(st.floats(-1, 1, width=32), min_size=number, max_size=number),
            ),
            min_size=1,
            max_size=6,
        )
    ),
    st.floats(0, 1, width=32),
)
def test_confidence_lies_within_0_and_1(
    piece_bounds: list[tuple[int, list[float]]], speech: float
) -> None:
    conversation = Conversation(
        [label for label, _ in piece_bounds],
        alike(*(tuple(row) for _, row in piece_bounds)),
        speech,
    )
    found = conversation.confidence()
    assert np.isfinite(found).all()
    assert ((found >= 0) & (found <= 1)).all()


def test_a_turn_without_subsegments_has_no_margin_and_a_lone_speaker_the_widest() -> None:
    turns = Segments(np.array([0, 200]), np.array([100, 300]), np.array([0, 1]))
    subsegments = Subsegments(np.array([0, 0]), np.array([0, 50]), np.array([100, 150]))
    two = alike((0.9, 0.1), (0.5, 0.3))
    # half of the second subsegment's frames lie in the turn
    near = nearness(turns, two, subsegments)
    assert near == pytest.approx(np.array([[2.3 / 3, 0.5 / 3], [0, 0]]))
    assert margins(turns, near) == pytest.approx([(0.8 * 2 + 0.2) / 3, 0.0])
    assert margins(turns, near[:, :1]).tolist() == [1.0, 1.0]


@given(
    st.lists(st.tuples(st.integers(0, 50), st.integers(1, 20)), max_size=8),
    st.lists(st.tuples(st.integers(0, 60), st.integers(1, 30)), min_size=1, max_size=6),
    st.integers(0, 3),
    st.integers(0, 2**32 - 1),
)
def test_nearness_is_the_mean_of_subsegments_weighted_by_shared_frames(
    subsegment_bounds: list[tuple[int, int]],
    piece_bounds: list[tuple[int, int]],
    speakers: int,
    seed: int,
) -> None:
    first, length = np.array(subsegment_bounds, np.int64).reshape(-1, 2).T
    subsegments = Subsegments(np.zeros(len(first), np.int64), first, first + length)
    start, long = np.array(piece_bounds, np.int64).T
    pieces = Segments(start, start + long, np.zeros(len(start), np.int64))
    similarity = np.random.default_rng(seed).uniform(-1, 1, (len(first), speakers))
    found = nearness(pieces, similarity.astype(np.float32), subsegments)
    for row, (begin, end) in enumerate(zip(start, start + long, strict=True)):
        shared = np.maximum(np.minimum(first + length, end) - np.maximum(first, begin), 0)
        total = max(1, shared.sum())
        np.testing.assert_allclose(found[row], shared @ similarity / total, atol=1e-6)


@given(st.lists(st.integers(1, 500), min_size=1, max_size=6), st.integers(1, 100))
def test_pieces_of_turns_join_to_the_turns(lengths: list[int], longest: int) -> None:
    last = np.cumsum(lengths)
    turns = Segments(last - lengths, last, np.arange(len(lengths)))
    pieces, turn = turns.cut(longest)
    assert (pieces.last - pieces.first).max() <= max(1, 1.5 * longest)
    assert pieces.speaker.tolist() == turns.speaker[turn].tolist()
    assert pieces.first[1:].tolist() == pieces.last[:-1].tolist()
    assert pieces.first[0] == 0
    assert pieces.last[-1] == last[-1]


def test_uncertain_segments_are_where_voices_are_tied_and_name_the_nearest_other() -> None:
    rows = [(0.8, 0.1, 0.2)] * 5 + [(0.5, 0.1, 0.49)] + [(0.8, 0.1, 0.2)] * 5
    conversation = Conversation([0] * 11 + [1, 2], alike(*rows, (0.1, 0.9, 0.0), (0.1, 0.0, 0.9)))
    names, evidence = ("a", "b", "c"), conversation.evidence()
    uncertain = uncertain_segments(names, evidence, CALIBRATION)
    step = SHIPPED.seconds_of(60 * SHIPPED.frame_step)
    least = min(each.confidence for each in uncertain)
    (tied,) = [each for each in uncertain if each.confidence == least]
    assert tied.start == pytest.approx(5 * step, abs=step)
    assert (tied.speaker, tied.alternatives) == ("a", ("c", "b"))
    assert 0 < tied.expected_error < tied.end - tied.start
    start = evidence.seconds_at(evidence.turns.first)[0]
    turns = with_confidence(names, evidence, CALIBRATION, [Turn(start, 11, "a")])
    assert least < turns[0].confidence


def test_parts_of_a_turn_have_its_confidence() -> None:
    evidence = CLEAR.evidence()
    confidence = CLEAR.confidence()
    step = SHIPPED.seconds_of(60 * SHIPPED.frame_step)
    start = evidence.seconds_at(evidence.turns.first)[0]
    turns = [
        Turn(start, start + step, "a"),
        Turn(start + step, start + 2 * step, "b"),
        Turn(start + 2.25 * step, start + 2.5 * step, "a"),
    ]
    found = with_confidence(("a", "b"), evidence, CALIBRATION, turns)
    assert found == tuple(turns)
    assert [turn.confidence for turn in found] == [confidence[0], confidence[2], confidence[1]]


def test_the_regression_is_a_weighted_sum() -> None:
    model = TurnModel(1.0, 2.0, -1.0, 0.5, 0.25, 0.1, 0.0, 3.0, -3.0)
    traits = TurnTraits(*(np.array([value]) for value in (-0.5, 1.0, 2.0, 4.0, 5.0, 9.0, 1.0, 1.0)))
    assert model.probability(traits)[0] == pytest.approx(1 / (1 + np.exp(-1.5)))
    assert logistic(np.array([-800.0, 0.0, 800.0])).tolist() == [0.0, 0.5, 1.0]
