"""Constraints in a result: groups hold together, what differs stays apart, whatever goes in."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hocket import Diarizer, Result, reconstruct
from hocket.config import SpeakerCount
from hocket.corrections.constraints import Constraint, Different, Named, Nobody, Same, Segment
from hocket.errors import ConfigError
from hocket.offline import turns as speaking
from hocket.offline.artifacts import Artifacts
from tests.e2e.test_made_up_artifacts import DIALOGUE, artifacts_of, with_voices

DIARIZER = Diarizer()
RUNS = [Segment(start, end) for start, end in DIALOGUE]
FRAME_S = 270 / 16_000
EDGE_S = 0.04
VOICES = (0, 1, 0, 1, 2)
INSIDE = [Segment(1.5, 3.5), Segment(5, 6.5), Segment(6.8, 8.8), Segment(12, 14), Segment(20, 23)]
NAMES = ["Anna", "Bob", "SPEAKER_00", "SPEAKER_02"]

places = st.sampled_from(INSIDE)
constraints = st.one_of(
    st.builds(lambda one, other: Same((one, other)), places, places),
    st.builds(Different, places, places),
    st.builds(Named, places, st.sampled_from(NAMES)),
    st.builds(Nobody, places),
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


def who(result: Result, place: Segment) -> str:
    """The one speaker of a stretch within a run; all of it must be theirs."""
    for turns in (result.turns, result.exclusive_turns):
        inside = [t for t in turns if t.start < place.end and t.end > place.start]
        inside = [t for t in inside if min(t.end, place.end) - max(t.start, place.start) > FRAME_S]
        assert len({turn.speaker for turn in inside}) == 1, (place, inside)
        start = min(turn.start for turn in inside)
        end = max(turn.end for turn in inside)
        assert start - EDGE_S <= place.start < place.end <= end + EDGE_S
    return inside[0].speaker


def is_silent(result: Result, place: Segment) -> bool:
    return all(
        min(turn.end, place.end) - max(turn.start, place.start) < FRAME_S
        for turn in (*result.turns, *result.exclusive_turns)
    )


def same_results(one: Result, other: Result) -> bool:
    return (
        one.turns == other.turns
        and one.exclusive_turns == other.exclusive_turns
        and one.speakers == other.speakers
        and np.array_equal(one.embeddings, other.embeddings)
    )


@settings(max_examples=60, deadline=None)
@given(st.lists(constraints, min_size=1, max_size=5), st.randoms())
def test_what_is_not_refused_holds_in_any_order(asked: list[Constraint], random: object) -> None:
    artifacts = with_voices(*VOICES)
    try:
        result = finish(artifacts, asked)
    except ConfigError as error:
        quoted = sum(str(constraint) in str(error) for constraint in set(asked))
        assert quoted >= 1
        return
    shuffled = asked.copy()
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert same_results(finish(artifacts, shuffled), result)
    for constraint in asked:
        if isinstance(constraint, Nobody):
            assert is_silent(result, constraint.segment)
        elif isinstance(constraint, Named):
            assert who(result, constraint.segment) == constraint.name
        else:
            speakers = {who(result, place) for place in constraint.segments}
            assert len(speakers) == (1 if isinstance(constraint, Same) else 2)


def test_no_constraint_changes_nothing() -> None:
    artifacts = with_voices(*VOICES)
    usual = DIARIZER.finish(artifacts)
    assert same_results(DIARIZER.finish(artifacts, None, ()), usual)
    # nor does one that says what is so
    assert finish(artifacts, [Same((RUNS[0], RUNS[2])), Different(*RUNS[:2])]).turns == usual.turns
    assert finish(artifacts, [Nobody(Segment(24.2, 24.9))]).turns == usual.turns


def test_what_is_kept_of_a_recording_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Speakers, by number asked for, and votes of blocks are kept: none, some or all of them."""
    monkeypatch.setattr(reconstruct, "BLOCK", 100)
    artifacts = with_voices(*VOICES)
    counts = (None, SpeakerCount(2, 2), None)
    asked = ([], [Named(INSIDE[0], "Anna")], [Different(INSIDE[0], INSIDE[2])])
    kept = [finish(artifacts, given, count) for count in counts for given in asked]
    monkeypatch.setattr(speaking, "KEPT", 0)
    fresh = [Diarizer().finish(artifacts, count, given) for count in counts for given in asked]
    assert all(map(same_results, kept, fresh))
    assert {len(result.speakers) for result in fresh} >= {2, 3}


def test_who_is_told_is_certain() -> None:
    """But not where two stretches are only told to be one speaker, or two."""
    artifacts = with_voices(*VOICES)
    unsure = {turn.start: turn.confidence for turn in DIARIZER.finish(artifacts).turns}
    told = finish(artifacts, [Named(RUNS[3], "Anna"), Different(*RUNS[:2])])
    half = Segment(RUNS[3].start, RUNS[3].start + RUNS[3].duration / 2)
    partly = finish(artifacts, [Named(half, "Anna")])
    for turn, less in zip(told.turns, partly.turns, strict=True):
        inside = RUNS[3].overlap(Segment(turn.start, turn.end)) > 0
        doubt, uncertain = 1 - unsure[turn.start], (1 - turn.confidence, 1 - less.confidence)
        assert uncertain[0] < doubt / 10 if inside else uncertain[0] > doubt / 2
        assert uncertain[0] < uncertain[1] < doubt if inside else uncertain[1] > doubt / 2
    asked = finish(artifacts, [Named(RUNS[3], "Anna")]).uncertain
    assert not any(RUNS[3].overlap(Segment(d.start, d.end)) > EDGE_S for d in asked)


def test_all_of_a_voice_follows_its_stretch() -> None:
    result = finish(with_voices(*VOICES), [Named(INSIDE[3], "Anna")])
    assert [who(result, place) for place in RUNS[:4]] == [
        "SPEAKER_00",
        "Anna",
        "SPEAKER_00",
        "Anna",
    ]
    assert result.embeddings[result.speakers.index("Anna")].argmax() == 1


def test_one_voice_told_to_be_two_is_two_where_it_is_told() -> None:
    result = finish(with_voices(0, 0, 0, 0, 0), [Different(INSIDE[1], INSIDE[4])])
    assert len(result.speakers) == 2
    few = min(
        sum(turn.duration for turn in result.turns if turn.speaker == name)
        for name in result.speakers
    )
    assert few < 5.5  # a voice that is like all others draws no more than its run


def test_a_numbered_speaker_is_that_of_the_result_without_constraints() -> None:
    artifacts = with_voices(*VOICES)
    result = finish(artifacts, [Named(INSIDE[4], "SPEAKER_00"), Named(INSIDE[3], "Bob")])
    assert who(result, INSIDE[4]) == who(result, RUNS[0]) == "SPEAKER_00"
    assert who(result, RUNS[1]) == "Bob"
    # the numbers of the others stay theirs
    moved = finish(artifacts, [Named(Segment(1.1, 3.9), "SPEAKER_02")])
    assert who(moved, RUNS[1]) == "SPEAKER_01"
    with pytest.raises(ConfigError, match="there is SPEAKER_00, SPEAKER_01, SPEAKER_02; give one"):
        finish(artifacts, [Named(INSIDE[0], "SPEAKER_07")])


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_a_number_told_and_constraints_hold_both(number: int) -> None:
    count = SpeakerCount(number, number)
    asked = [Same((INSIDE[0], INSIDE[4])), Named(INSIDE[1], "Anna")]
    if number == 1:
        result = finish(with_voices(*VOICES), asked, count)
        assert result.speakers == ("Anna",)
        with pytest.raises(ConfigError, match="more speakers than the 1 that may be there"):
            finish(with_voices(*VOICES), [Different(*INSIDE[:2])], count)
        return
    result = finish(with_voices(*VOICES), asked, count)
    assert who(result, INSIDE[0]) == who(result, INSIDE[4])
    assert who(result, INSIDE[1]) == "Anna"
    assert len(result.speakers) <= number


def test_more_names_than_voices_make_more_speakers() -> None:
    asked = [Named(place, f"Number {index}") for index, place in enumerate(INSIDE)]
    for voices in (VOICES, (0, 0, 0, 0, 0)):
        result = finish(with_voices(*voices), asked)
        assert [who(result, place) for place in INSIDE] == [each.name for each in asked]
    with pytest.raises(ConfigError, match=r"name 5 speakers .* at most 4"):
        finish(with_voices(*VOICES), asked, SpeakerCount(1, 4))


def test_whole_recordings_are_stretches_too() -> None:
    whole = Segment(0, 25)
    result = finish(with_voices(*VOICES), [Named(whole, "Anna")])
    assert result.speakers == ("Anna",)
    assert finish(with_voices(*VOICES), [Nobody(whole)]).turns == ()
    within = finish(with_voices(*VOICES), [Named(whole, "Anna"), Named(INSIDE[1], "Bob")])
    assert who(within, INSIDE[1]) == "Bob"
    assert who(within, INSIDE[4]) == "Anna"


@pytest.mark.parametrize("place", [Segment(9.1, 9.4), Segment(24.2, 24.9), Segment(30, 40)])
def test_a_stretch_in_which_nobody_speaks_is_said(
    place: Segment, caplog: pytest.LogCaptureFixture
) -> None:
    artifacts = with_voices(*VOICES)
    with caplog.at_level(logging.WARNING, "hocket"):
        result = finish(artifacts, [Named(place, "Anna"), Different(place, INSIDE[0])])
    assert result.turns == DIARIZER.finish(artifacts).turns
    assert [record.getMessage() for record in caplog.records] == [
        f"talk: nobody speaks alone in {place}; it changes nothing"
    ]


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf], ids=str)
def test_constraints_hold_without_a_usable_embedding(value: float) -> None:
    artifacts = artifacts_of(DIALOGUE)
    artifacts = replace(artifacts, embeddings=artifacts.embeddings + np.float32(value))
    assert finish(artifacts, [Named(INSIDE[0], "Anna")]).speakers == ("Anna",)
    result = finish(artifacts, [Different(INSIDE[0], INSIDE[1]), Nobody(INSIDE[3])])
    assert who(result, INSIDE[0]) != who(result, INSIDE[1])
    assert is_silent(result, INSIDE[3])


def test_silence_takes_constraints() -> None:
    for speech in ([], [(3.0, 3.1)]):
        asked = [Named(INSIDE[0], "Anna"), Nobody(INSIDE[1]), Same((INSIDE[3], INSIDE[4]))]
        for order in permutations(asked):
            assert finish(artifacts_of(speech), order).turns == ()
