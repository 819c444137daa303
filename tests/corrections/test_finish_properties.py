"""Constraints in a result: groups are one speaker, and what differs is two."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hocket import Diarizer, Result, reconstruct
from hocket.config import SpeakerCount
from hocket.corrections.constraints import (
    Absent,
    Constraint,
    Different,
    Named,
    Nobody,
    Same,
    Segment,
)
from hocket.errors import ConfigError
from hocket.offline import turns
from hocket.offline.artifacts import Artifacts
from tests.helpers.artifacts import DIALOGUE, artifacts_of, with_voices

DIARIZER = Diarizer()
REGIONS = [Segment(start, end) for start, end in DIALOGUE]
FRAME_S = 270 / 16_000
EDGE_S = 0.04
VOICES = (0, 1, 0, 1, 2)
INSIDE = [Segment(1.5, 3.5), Segment(5, 6.5), Segment(6.8, 8.8), Segment(12, 14), Segment(20, 23)]
NAMES = ["Anna", "Bob", "SPEAKER_00", "SPEAKER_02"]

SEGMENTS = st.sampled_from(INSIDE)
CONSTRAINTS = st.one_of(
    st.builds(lambda one, other: Same((one, other)), SEGMENTS, SEGMENTS),
    st.builds(Different, SEGMENTS, SEGMENTS),
    st.builds(Named, SEGMENTS, st.sampled_from(NAMES)),
    st.builds(Nobody, SEGMENTS),
    st.builds(Absent, SEGMENTS, st.sampled_from(NAMES)),
)


def finish(
    artifacts: Artifacts, given: Sequence[Constraint], count: SpeakerCount | None = None
) -> Result:
    result = DIARIZER.finish(artifacts, count, given)
    assert {turn.speaker for turn in result.turns} == set(result.speakers)
    assert {turn.speaker for turn in result.exclusive_turns} <= set(result.speakers)
    assert len(set(result.speakers)) == len(result.speakers) == len(result.embeddings)
    assert np.isfinite(result.embeddings).all()
    return result


def who(result: Result, segment: Segment) -> str:
    """The only speaker of a segment within a region, who must have all of it."""
    for found in (result.turns, result.exclusive_turns):
        inside = [t for t in found if t.start < segment.end and t.end > segment.start]
        inside = [
            t for t in inside if min(t.end, segment.end) - max(t.start, segment.start) > FRAME_S
        ]
        assert len({turn.speaker for turn in inside}) == 1, (segment, inside)
        start = min(turn.start for turn in inside)
        end = max(turn.end for turn in inside)
        assert start - EDGE_S <= segment.start < segment.end <= end + EDGE_S
    return inside[0].speaker


def is_silent(result: Result, segment: Segment) -> bool:
    return all(
        min(turn.end, segment.end) - max(turn.start, segment.start) < FRAME_S
        for turn in (*result.turns, *result.exclusive_turns)
    )


def is_absent(result: Result, segment: Segment, name: str) -> bool:
    own = replace(
        result,
        turns=tuple(turn for turn in result.turns if turn.speaker == name),
        exclusive_turns=tuple(turn for turn in result.exclusive_turns if turn.speaker == name),
    )
    return is_silent(own, segment)


def same_results(one: Result, other: Result) -> bool:
    return (
        one.turns == other.turns
        and one.exclusive_turns == other.exclusive_turns
        and one.speakers == other.speakers
        and np.array_equal(one.embeddings, other.embeddings)
    )


@given(st.lists(CONSTRAINTS, min_size=1, max_size=5), st.randoms())
def test_constraints_that_are_accepted_hold_in_any_order(
    wanted: list[Constraint], random: object
) -> None:
    artifacts = with_voices(*VOICES)
    try:
        result = finish(artifacts, wanted)
    except ConfigError as error:
        quoted = sum(str(constraint) in str(error) for constraint in set(wanted))
        assert quoted >= 1
        return
    shuffled = wanted.copy()
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert same_results(finish(artifacts, shuffled), result)
    absent = {each.segment for each in wanted if isinstance(each, Absent)}
    for constraint in wanted:
        if isinstance(constraint, Nobody):
            assert is_silent(result, constraint.segment)
        elif isinstance(constraint, Absent):
            assert is_absent(result, constraint.segment, constraint.name)
        elif isinstance(constraint, Named):
            assert who(result, constraint.segment) == constraint.name
        elif not absent.intersection(constraint.segments):  # whoever that is
            speakers = {who(result, segment) for segment in constraint.segments}
            assert len(speakers) == (1 if isinstance(constraint, Same) else 2)


def test_no_constraint_changes_nothing() -> None:
    artifacts = with_voices(*VOICES)
    usual = DIARIZER.finish(artifacts)
    assert same_results(DIARIZER.finish(artifacts, None, ()), usual)
    # a constraint that holds already changes nothing either
    assert (
        finish(artifacts, [Same((REGIONS[0], REGIONS[2])), Different(*REGIONS[:2])]).turns
        == usual.turns
    )
    assert finish(artifacts, [Nobody(Segment(24.2, 24.9))]).turns == usual.turns


def test_cached_results_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Speakers by requested number, and votes of blocks, are cached: none, some or all of them."""
    monkeypatch.setattr(reconstruct, "BLOCK", 100)
    artifacts = with_voices(*VOICES)
    counts = (None, SpeakerCount(2, 2), None)
    wanted = ([], [Named(INSIDE[0], "Anna")], [Different(INSIDE[0], INSIDE[2])])
    kept = [finish(artifacts, given, count) for count in counts for given in wanted]
    monkeypatch.setattr(turns, "KEPT", 0)
    fresh = [Diarizer().finish(artifacts, count, given) for count in counts for given in wanted]
    assert all(map(same_results, kept, fresh))
    assert {len(result.speakers) for result in fresh} >= {2, 3}


def test_constrained_turns_are_certain() -> None:
    """But not segments that are only the same or different speakers."""
    artifacts = with_voices(*VOICES)
    unsure = {turn.start: turn.confidence for turn in DIARIZER.finish(artifacts).turns}
    told = finish(artifacts, [Named(REGIONS[3], "Anna"), Different(*REGIONS[:2])])
    half = Segment(REGIONS[3].start, REGIONS[3].start + REGIONS[3].duration / 2)
    partly = finish(artifacts, [Named(half, "Anna")])
    for turn, less in zip(told.turns, partly.turns, strict=True):
        inside = REGIONS[3].overlap(Segment(turn.start, turn.end)) > 0
        error, errors = 1 - unsure[turn.start], (1 - turn.confidence, 1 - less.confidence)
        assert errors[0] < error / 10 if inside else errors[0] > error / 2
        assert errors[0] < errors[1] < error if inside else errors[1] > error / 2
    wanted = finish(artifacts, [Named(REGIONS[3], "Anna")]).uncertain
    assert not any(REGIONS[3].overlap(Segment(d.start, d.end)) > EDGE_S for d in wanted)


def test_all_of_a_voice_follows_its_segment() -> None:
    result = finish(with_voices(*VOICES), [Named(INSIDE[3], "Anna")])
    assert [who(result, segment) for segment in REGIONS[:4]] == [
        "SPEAKER_00",
        "Anna",
        "SPEAKER_00",
        "Anna",
    ]
    assert result.embeddings[result.speakers.index("Anna")].argmax() == 1


def test_one_voice_with_two_speakers_is_divided_where_the_constraint_is() -> None:
    result = finish(with_voices(0, 0, 0, 0, 0), [Different(INSIDE[1], INSIDE[4])])
    assert len(result.speakers) == 2
    few = min(
        sum(turn.duration for turn in result.turns if turn.speaker == name)
        for name in result.speakers
    )
    assert few < 5.5  # a speaker like all the others gets no more than its region


def test_a_numbered_speaker_is_that_of_the_result_without_constraints() -> None:
    artifacts = with_voices(*VOICES)
    result = finish(artifacts, [Named(INSIDE[4], "SPEAKER_00"), Named(INSIDE[3], "Bob")])
    assert who(result, INSIDE[4]) == who(result, REGIONS[0]) == "SPEAKER_00"
    assert who(result, REGIONS[1]) == "Bob"
    # the other speakers keep their numbers
    moved = finish(artifacts, [Named(Segment(1.1, 3.9), "SPEAKER_02")])
    assert who(moved, REGIONS[1]) == "SPEAKER_01"
    with pytest.raises(ConfigError, match="which has SPEAKER_00, SPEAKER_01, SPEAKER_02; give one"):
        finish(artifacts, [Named(INSIDE[0], "SPEAKER_07")])


def test_speakers_keep_their_numbers_and_a_higher_one_is_new() -> None:
    artifacts = with_voices(*VOICES)
    new = finish(artifacts, [Named(REGIONS[1], "SPEAKER_03"), Named(INSIDE[3], "SPEAKER_01")])
    assert [who(new, REGIONS[number]) for number in (0, 1, 3, 4)] == [
        *("SPEAKER_00", "SPEAKER_03", "SPEAKER_01", "SPEAKER_02")
    ]
    told = finish(artifacts, [Named(REGIONS[0], "Anna"), Named(REGIONS[2], "Bob")])  # one voice
    assert set(told.speakers) == {"Anna", "Bob", "SPEAKER_01", "SPEAKER_02"}
    silenced = finish(artifacts, [Nobody(REGIONS[0]), Nobody(REGIONS[2])])
    assert silenced.speakers == ("SPEAKER_01", "SPEAKER_02")


def test_who_is_absent_leaves_the_others_as_they_are() -> None:
    artifacts = with_voices(*VOICES)
    usual = DIARIZER.finish(artifacts)
    half = Segment(REGIONS[3].start, REGIONS[3].start + 2)
    result = finish(artifacts, [Absent(half, "SPEAKER_01")])
    assert is_silent(result, half)
    others = [turn for turn in usual.turns if turn.start > half.end or turn.end < half.start]
    assert [turn for turn in result.turns if turn.end < half.start] == others[:3]
    named = finish(artifacts, [Named(INSIDE[1], "Bob"), Absent(half, "Bob")])
    assert is_silent(named, half)
    # of another speaker, it says what is so already
    assert finish(artifacts, [Absent(half, "SPEAKER_00")]).turns == usual.turns


def test_an_absent_speaker_whom_nobody_knows_is_warned_of() -> None:
    artifacts = with_voices(*VOICES)
    result = finish(artifacts, [Absent(INSIDE[0], "Zoe")])
    assert result.turns == DIARIZER.finish(artifacts).turns
    assert [notice.text for notice in result.notices] == [
        "no speaker has the name Zoe; where it is absent is ignored"
    ]


def test_a_speaker_of_whom_nothing_is_left_is_gone() -> None:
    """Speech that is another's by constraint, or nobody's, makes no speaker."""
    artifacts = with_voices(*VOICES)
    result = finish(
        artifacts, [Named(REGIONS[1], "Anna"), Named(REGIONS[0], "Anna"), Nobody(REGIONS[3])]
    )
    assert "SPEAKER_01" not in result.speakers
    assert who(result, INSIDE[1]) == "Anna"


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_a_requested_number_and_constraints_hold_together(number: int) -> None:
    count = SpeakerCount(number, number)
    wanted = [Same((INSIDE[0], INSIDE[4])), Named(INSIDE[1], "Anna")]
    if number == 1:
        result = finish(with_voices(*VOICES), wanted, count)
        assert result.speakers == ("Anna",)
        with pytest.raises(ConfigError, match="more speakers than the 1 allowed"):
            finish(with_voices(*VOICES), [Different(*INSIDE[:2])], count)
        return
    result = finish(with_voices(*VOICES), wanted, count)
    assert who(result, INSIDE[0]) == who(result, INSIDE[4])
    assert who(result, INSIDE[1]) == "Anna"
    assert len(result.speakers) <= number


def test_more_names_than_voices_make_more_speakers() -> None:
    wanted = [Named(segment, f"Number {index}") for index, segment in enumerate(INSIDE)]
    for voices in (VOICES, (0, 0, 0, 0, 0)):
        result = finish(with_voices(*voices), wanted)
        assert [who(result, segment) for segment in INSIDE] == [each.name for each in wanted]
    with pytest.raises(ConfigError, match=r"name 5 speakers .* at most 4"):
        finish(with_voices(*VOICES), wanted, SpeakerCount(1, 4))


def test_a_whole_recording_may_be_a_segment() -> None:
    whole = Segment(0, 25)
    result = finish(with_voices(*VOICES), [Named(whole, "Anna")])
    assert result.speakers == ("Anna",)
    assert finish(with_voices(*VOICES), [Nobody(whole)]).turns == ()
    within = finish(with_voices(*VOICES), [Named(whole, "Anna"), Named(INSIDE[1], "Bob")])
    assert who(within, INSIDE[1]) == "Bob"
    assert who(within, INSIDE[4]) == "Anna"


@pytest.mark.parametrize("segment", [Segment(9.1, 9.4), Segment(24.2, 24.9), Segment(30, 40)])
def test_a_segment_without_a_single_speaker_is_warned_of(
    segment: Segment, caplog: pytest.LogCaptureFixture
) -> None:
    artifacts = with_voices(*VOICES)
    with caplog.at_level(logging.WARNING, "hocket"):
        result = finish(artifacts, [Named(segment, "Anna"), Different(segment, INSIDE[0])])
    assert result.turns == DIARIZER.finish(artifacts).turns
    assert [record.getMessage() for record in caplog.records] == [
        f"talk: no speaker speaks alone in {segment}; it has no effect"
    ]


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf], ids=str)
def test_constraints_hold_without_a_usable_embedding(value: float) -> None:
    artifacts = artifacts_of(DIALOGUE)
    artifacts = replace(artifacts, embeddings=artifacts.embeddings + np.float32(value))
    assert finish(artifacts, [Named(INSIDE[0], "Anna")]).speakers == ("Anna",)
    result = finish(artifacts, [Different(INSIDE[0], INSIDE[1]), Nobody(INSIDE[3])])
    assert who(result, INSIDE[0]) != who(result, INSIDE[1])
    assert is_silent(result, INSIDE[3])


def test_constraints_on_silence_change_nothing() -> None:
    for speech in ([], [(3.0, 3.1)]):
        wanted = [Named(INSIDE[0], "Anna"), Nobody(INSIDE[1]), Same((INSIDE[3], INSIDE[4]))]
        for order in permutations(wanted):
            assert finish(artifacts_of(speech), order).turns == ()
