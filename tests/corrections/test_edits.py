"""Actions on real results do what they say, and leave the rest alone."""

import json
from collections.abc import Sequence
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hocket import Diarizer, Result
from hocket.corrections.actions import (
    Action,
    Apart,
    Assign,
    Boundary,
    Merge,
    Rename,
    Silence,
    Split,
)
from hocket.corrections.constraints import (
    Absent,
    Constraint,
    Different,
    Named,
    Nobody,
    Same,
    Segment,
    entries_of,
    read_constraints,
)
from hocket.corrections.edits import edited
from hocket.corrections.trimming import cut, joined, shared, without
from hocket.errors import ConfigError
from hocket.offline.artifacts import Artifacts
from hocket.offline.editing import edit
from hocket.turns import Turn
from tests.helpers.actions import random_action
from tests.helpers.paths import CLIPS, CONVERSATION
from tests.helpers.shared import artifacts_of, diarizer_of, result_of

PANEL = CLIPS / "panel03.flac"
RECORDINGS = [CONVERSATION, PANEL, CLIPS / "trn00.flac"]
FRAME_S = 270 / 16_000


def done(
    path: Path, *actions: Action, before: Sequence[Constraint] = ()
) -> tuple[Sequence[Constraint], Result]:
    """Constraints and result after actions, one after the other."""
    artifacts, diarizer = artifacts_of(path), diarizer_of()
    constraints, result = before, diarizer.finish(artifacts, constraints=before)
    for action in actions:
        constraints, result = edit(diarizer, artifacts, constraints, action, result)
    return constraints, result


def seconds(turns: Sequence[Turn], speaker: str | None, *within: float) -> float:
    """Of turns of a speaker, or of all, between two times."""
    stretch = [Segment(*within)] if within else [Segment(0, 1e6)]
    own = [Segment(turn.start, turn.end) for turn in turns if speaker in (None, turn.speaker)]
    return sum(each.duration for each in shared(own, stretch))


def longest(result: Result, speaker: str | None = None) -> Turn:
    own = [turn for turn in result.exclusive_turns if speaker in (None, turn.speaker)]
    return max(own, key=lambda turn: turn.duration)


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)
def test_a_renamed_speaker_has_exactly_the_old_turns(path: Path) -> None:
    usual = result_of(path)
    for speaker in usual.speakers:
        _, result = done(path, Rename(speaker, "Anna"))
        renamed = [
            Turn(turn.start, turn.end, "Anna" if turn.speaker == speaker else turn.speaker)
            for turn in usual.turns
        ]
        lost = set(renamed) ^ set(result.turns)
        assert sum(turn.duration for turn in lost) <= 1e-9 or all(
            any(abs(a.start - b.start) + abs(a.end - b.end) <= 2 * FRAME_S for b in lost if b != a)
            for a in lost
        )


def test_all_speakers_renamed_one_after_the_other_keep_their_turns() -> None:
    usual = result_of(PANEL)
    actions = [Rename(name, f"Person {name[-2:]}") for name in usual.speakers]
    constraints, result = done(PANEL, *actions)
    names = {action.name: action.speaker for action in actions}
    assert [(t.start, t.end, names[t.speaker]) for t in result.turns] == [
        (t.start, t.end, t.speaker) for t in usual.turns
    ]
    assert {type(each) for each in constraints} == {Named}


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)
def test_merged_speakers_are_one(path: Path) -> None:
    usual = result_of(path)
    one, other = usual.speakers[:2]
    _, result = done(path, Rename(one, "Anna"), Merge((other, "Anna")))
    assert other not in result.speakers
    assert len(result.speakers) == len(usual.speakers) - 1
    both = seconds(usual.exclusive_turns, one) + seconds(usual.exclusive_turns, other)
    assert seconds(result.turns, "Anna") > 0.95 * both
    _, first = done(path, Merge((one, other)))  # without a name, that of the one who speaks more
    spoken = {name: seconds(usual.exclusive_turns, name) for name in (one, other)}
    assert max(spoken, key=spoken.__getitem__) in first.speakers


def test_nothing_of_a_merged_speaker_is_left_where_it_was_absent() -> None:
    usual = result_of(CONVERSATION)
    turn = longest(usual, "SPEAKER_01")
    shorter = Boundary(turn.speaker, turn.start, turn.end, "start", turn.start + 1.5)
    _, result = done(CONVERSATION, shorter, Merge(usual.speakers))
    assert len(result.speakers) == 1
    assert seconds(result.turns, None, turn.start + 0.1, turn.start + 1.4) < 2 * FRAME_S


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)
def test_a_split_turn_has_two_speakers(path: Path) -> None:
    usual = result_of(path)
    turn = longest(usual)
    at = (turn.start + turn.end) / 2
    _, result = done(path, Split(turn.speaker, turn.start, turn.end, at))
    halves = [
        max(result.speakers, key=lambda name: seconds(result.exclusive_turns, name, *half))
        for half in ((turn.start, at), (at, turn.end))
    ]
    assert len(set(halves)) == 2
    assert set(usual.speakers) <= set(result.speakers)  # all keep their names


def test_edges_move_where_there_is_speech_and_come_back() -> None:
    usual = result_of(CONVERSATION)
    turn = usual.turns[0]
    to = turn.end - 0.8
    shorter = Boundary(turn.speaker, turn.start, turn.end, "end", to)
    longer = Boundary(turn.speaker, turn.start, to, "end", turn.end)
    constraints, result = done(CONVERSATION, shorter)
    assert seconds(result.turns, turn.speaker, to, turn.end) < 2 * FRAME_S
    others = [each for each in usual.turns if each.speaker != turn.speaker]
    assert [each for each in result.turns if each.speaker != turn.speaker] == others
    _, back = done(CONVERSATION, shorter, longer)
    assert [(t.start, t.end) for t in back.turns] == [(t.start, t.end) for t in usual.turns]
    number = len(constraints)
    for _ in range(3):
        constraints, result = done(CONVERSATION, longer, shorter, before=constraints)
        assert len(constraints) == number
    assert Absent(Segment(to, turn.end), turn.speaker) in constraints


def test_an_edge_moved_over_another_turn_takes_its_speech() -> None:
    usual = result_of(PANEL)
    one, other = next(
        (a, b)
        for a, b in zip(usual.exclusive_turns, usual.exclusive_turns[1:], strict=False)
        if a.speaker != b.speaker and b.duration > 2
    )
    to = other.start + 1
    _, result = done(PANEL, Boundary(one.speaker, one.start, one.end, "end", to))
    assert seconds(result.turns, one.speaker, other.start, to) > 0.9
    assert seconds(result.exclusive_turns, other.speaker, other.start, to) < 2 * FRAME_S


def test_an_assigned_stretch_is_taken_from_the_one_who_had_it() -> None:
    usual = result_of(PANEL)
    turn = longest(usual)
    other = next(name for name in usual.speakers if name != turn.speaker)
    for name in (other, "Somebody new"):
        _, result = done(PANEL, Assign(turn.start, turn.end, name))
        assert seconds(result.turns, name, turn.start, turn.end) > 0.98 * turn.duration
        assert seconds(result.turns, turn.speaker, turn.start, turn.end) < 0.02 * turn.duration
        assert set(usual.speakers) <= set(result.speakers)


def test_a_later_edit_wins() -> None:
    constraints, _ = done(PANEL, Rename("SPEAKER_00", "Anna"), Assign(10, 20, "Anna"))
    constraints, result = done(PANEL, Assign(12, 18, "Bob"), before=constraints)
    told = {(each.segment, each.name) for each in constraints if isinstance(each, Named)}
    assert (Segment(12, 18), "Bob") in told
    assert (Segment(10, 12), "Anna") in told
    assert (Segment(18, 20), "Anna") in told
    constraints, result = done(PANEL, Silence(11, 19), before=constraints)
    assert "Bob" not in result.speakers
    assert seconds(result.turns, None, 11, 19) == 0
    constraints, result = done(PANEL, Assign(10, 20, "Cid"), before=constraints)
    assert not any(isinstance(each, Nobody) for each in constraints)
    assert seconds(result.turns, "Cid", 10, 20) > 5


def test_different_people_stay_different_until_they_are_merged() -> None:
    usual = result_of(CONVERSATION)
    one, other = [turn for turn in usual.turns if turn.speaker == "SPEAKER_00"][:2]
    _, result = done(CONVERSATION, Apart((one.start, one.end), (other.start, other.end)))
    names = {
        max(result.speakers, key=lambda name: seconds(result.exclusive_turns, name, t.start, t.end))
        for t in (one, other)
    }
    assert len(names) == 2
    apart = Apart((one.start, one.end), (other.start, other.end))
    constraints, result = done(CONVERSATION, apart, Rename("SPEAKER_01", "Bob"))
    assert set(result.speakers) > {"Bob"}
    assert not any(isinstance(each, Same | Different) for each in constraints)
    constraints, result = done(CONVERSATION, apart, Merge(tuple(sorted(names))))
    merged = {
        max(result.speakers, key=lambda name: seconds(result.exclusive_turns, name, t.start, t.end))
        for t in (one, other)
    }
    assert len(merged) == 1


@pytest.mark.parametrize(
    ("action", "problem"),
    [
        (Rename("SPEAKER_9", "Anna"), "no speaker 'SPEAKER_9'; did you mean 'SPEAKER_0"),
        (Rename("Zoe", "Anna"), "no speaker 'Zoe'; it has SPEAKER_00, SPEAKER_01"),
        (Merge(("SPEAKER_00", "Zoe")), "no speaker 'Zoe'"),
        (Split("SPEAKER_00", 29.98, 30, 29.99), r"SPEAKER_00 has no turn in \[29.98, 30\]"),
        (Boundary("SPEAKER_00", 0, 1, "end", 3), r"SPEAKER_00 has no turn in \[0, 1\]"),
        (Assign(1, 2, "SPEAKER_07"), "no speaker 'SPEAKER_07'; did you mean"),
    ],
    ids=str,
)
def test_what_the_result_does_not_have_is_refused(action: Action, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        done(CONVERSATION, action)


def test_a_name_in_use_is_refused() -> None:
    constraints, result = done(CONVERSATION, Rename("SPEAKER_00", "Anna"))
    with pytest.raises(ConfigError, match="Anna is the name of another speaker; merge the two"):
        edited(constraints, Rename("SPEAKER_01", "Anna"), result)
    assert edited(constraints, Rename("Anna", "Anna"), result)


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)
def test_exported_constraints_give_the_same_result(path: Path, tmp_path: Path) -> None:
    random, actions = Random(path.stem), 6
    constraints, result = done(path)
    for _ in range(actions):
        constraints, result = done(path, random_action(random, result), before=constraints)
    place = tmp_path / "constraints.json"
    place.write_text(json.dumps(entries_of(constraints)))
    again = read_constraints(place)
    assert again == tuple(constraints)
    fresh = Diarizer().finish(artifacts_of(path), constraints=again)
    assert fresh == result
    assert fresh.to_json() == result.to_json()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**9))
def test_any_edits_leave_a_valid_result(seed: int) -> None:
    """Nothing a person can do contradicts what was done before."""
    random = Random(seed)
    artifacts: Artifacts = artifacts_of(PANEL)
    constraints, result = done(PANEL)
    for _ in range(5):
        constraints, result = edit(
            diarizer_of(), artifacts, constraints, random_action(random, result), result
        )
        named = [each for each in constraints if isinstance(each, Named)]
        assert all(
            not one.segment.overlap(other.segment) > 1e-9 or one.name == other.name
            for one in named
            for other in named
        )
        assert len(set(result.speakers)) == len(result.speakers)


SEGMENTS = st.lists(
    st.tuples(st.integers(0, 400), st.integers(1, 60)).map(
        lambda each: Segment(each[0] / 10, (each[0] + each[1]) / 10)
    ),
    max_size=6,
).map(sorted)


@given(SEGMENTS, SEGMENTS)
def test_what_is_cut_out_is_gone_and_the_rest_stays(
    segments: list[Segment], cuts: list[Segment]
) -> None:
    apart = without(segments[:1], [])
    left = without(apart, cuts)
    tenths = [n / 10 + 0.05 for n in range(500)]

    def covers(some: Sequence[Segment], time: float) -> bool:
        return any(each.start < time < each.end for each in some)

    for time in tenths:
        assert covers(left, time) == (covers(apart, time) and not covers(cuts, time))
    held = [Named(each, "Anna") for each in apart]
    assert cut(held, cuts) == [Named(each, "Anna") for each in left] or not cuts
    assert joined([*held, *held]) == held


def test_touching_stretches_of_one_name_are_joined() -> None:
    parts = [
        Named(Segment(2, 3), "Anna"),
        Nobody(Segment(5, 6)),
        Named(Segment(1, 2.01), "Anna"),
        Named(Segment(3, 4), "Bob"),
        Nobody(Segment(5.5, 7)),
    ]
    assert joined(parts) == [
        Named(Segment(1, 3), "Anna"),
        Named(Segment(3, 4), "Bob"),
        Nobody(Segment(5, 7)),
    ]
