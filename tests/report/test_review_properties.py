"""Review: the segments with the most expected error, within the time, none twice."""

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hocket import Result
from hocket.errors import ConfigError
from hocket.report.review import _best, review
from hocket.result import UncertainSegment
from hocket.turns import Turn

CHANCES = st.lists(st.floats(0.1, 0.9), min_size=1, max_size=12)


def result_of(confidence: list[float], every: int = 4, uncertain: bool = True) -> Result:
    """Turns of this length by two alternating speakers, with an uncertain segment per second."""
    pieces = [
        UncertainSegment(
            float(at), at + 1.0, f"SPEAKER_{at // every % 2:02d}", sure, ("SPEAKER_07",)
        )
        for at, sure in enumerate(confidence)
    ]
    turns = tuple(
        Turn(
            pieces[at].start,
            pieces[min(at + every, len(pieces)) - 1].end,
            pieces[at].speaker,
            float(np.mean(confidence[at : at + every])),
        )
        for at in range(0, len(pieces), every)
    )
    return Result(
        uri="talk",
        turns=turns,
        exclusive_turns=turns,
        speakers=("SPEAKER_00", "SPEAKER_01"),
        embeddings=np.zeros((2, 4), np.float32),
        duration=float(len(confidence)),
        seconds={},
        uncertain=tuple(pieces) if uncertain else (),
    )


@given(CHANCES, st.floats(0.3, 20), st.booleans())
def test_segments_fit_into_the_time_and_do_not_overlap(
    sure: list[float], seconds: float, fine: bool
) -> None:
    result = result_of(sure, uncertain=fine)
    found = review(result, seconds=seconds)
    assert found.seconds <= seconds + 1e-6
    assert found.seconds == pytest.approx(min(seconds, result.duration), abs=0.02)
    bounds = sorted((each.start, each.end) for each in found.segments)
    assert all(end <= start for (_, end), (start, _) in itertools.pairwise(bounds))
    for segment in found.segments:
        holding = [t for t in result.turns if t.start <= segment.start < t.end]
        assert [turn.speaker for turn in holding] == [segment.speaker]
        assert 0 <= segment.confidence <= 1
        assert segment.expected_error <= segment.end - segment.start
    before = sum(turn.duration * (1 - turn.confidence) for turn in result.turns)
    assert found.expected_error == pytest.approx(before)
    saved = sum(segment.expected_error for segment in found.segments)
    assert found.remaining_error == pytest.approx(max(0, before - saved), abs=1e-9)


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=9), st.floats(0, 1))
def test_no_choice_of_ranges_is_worth_more(gains: list[float], start: float) -> None:
    def worth(inside: tuple[bool, ...]) -> float:
        begun = sum(now and not before for before, now in itertools.pairwise((False, *inside)))
        return sum(gain for gain, now in zip(gains, inside, strict=True) if now) - start * begun

    best = max(worth(inside) for inside in itertools.product((False, True), repeat=len(gains)))
    segments_of = _best(gains, start)
    found = sum(sum(gains[first:last]) - start for first, last in segments_of)
    assert found == pytest.approx(best, abs=1e-9)
    assert all(first < last for first, last in segments_of)
    assert all(end < begin for (_, end), (begin, _) in itertools.pairwise(segments_of))


def test_the_least_certain_seconds_come_first() -> None:
    found = review(result_of([0.9, 0.9, 0.2, 0.3, 0.9, 0.5, 0.9, 0.9]), seconds=3)
    assert [(each.start, each.end) for each in found.segments] == [(2.0, 4.0), (5.0, 6.0)]
    assert found.segments[0].confidence == pytest.approx(0.25)
    assert found.segments[0].alternatives == ("SPEAKER_07",)


def test_a_certain_second_between_two_uncertain_ones_is_included() -> None:
    """Apart they would be worth more by themselves, with the half certain second at nine."""
    sure = [0.95] * 3 + [0.2, 0.75, 0.2] + [0.95] * 3 + [0.5] + [0.95] * 2
    (segment,) = review(result_of(sure, every=12), seconds=3).segments
    assert (segment.start, segment.end) == (3.0, 6.0)


def test_of_a_long_turn_the_beginning_is_reviewed() -> None:
    found = review(result_of([0.5] * 4, uncertain=False), seconds=1.5)
    assert [(each.start, each.end) for each in found.segments] == [(0.0, 1.5)]


def test_without_turns_there_is_nothing_to_review() -> None:
    silent = replace(result_of([0.5]), turns=(), exclusive_turns=(), uncertain=())
    found = review(silent)
    assert (found.segments, found.expected_error, found.remaining_error) == ((), 0, 0)


def uncertain_speakers(result: Result, least: float) -> list[str]:
    return [each.speaker for each in result.at_least(least).uncertain]


def test_uncertain_segments_go_with_their_turns() -> None:
    result = result_of([0.5] * 4 + [0.25] * 4)
    assert uncertain_speakers(result, 0.1) == ["SPEAKER_00"] * 4 + ["SPEAKER_01"] * 4
    assert uncertain_speakers(result, 0.4) == ["SPEAKER_00"] * 4
    assert uncertain_speakers(result, 0.9) == []


@pytest.mark.parametrize("seconds", [0, -1, float("nan")])
def test_a_time_of_zero_is_refused(seconds: float) -> None:
    with pytest.raises(ConfigError, match="above 0"):
        review(result_of([0.5]), seconds=seconds)


def test_turns_without_confidence_are_refused() -> None:
    result = result_of([0.5], uncertain=False)
    unsaid = tuple(replace(turn, confidence=None) for turn in result.turns)
    with pytest.raises(ConfigError, match="no confidence"):
        review(replace(result, turns=unsaid))


def test_a_file_of_a_result_gives_the_same_segments(tmp_path: Path) -> None:
    result = replace(result_of([0.9, 0.25, 0.5, 0.75, 0.125]), count_confidence={2: 0.75})
    file = tmp_path / "talk.json"
    file.write_text(result.to_json())
    found = Result.load(file)
    assert found.turns == result.turns
    assert found.uncertain == result.uncertain
    assert found.count_confidence == {2: 0.75}
    assert review(found, seconds=2).segments == review(result, seconds=2).segments
