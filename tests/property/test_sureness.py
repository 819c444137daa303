"""How sure a stream is: frame by frame, and of turns however they are given out."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hocket.online import tracker as tracking
from hocket.online.confidence import frame_confidence
from hocket.online.tracker import FrameModel, State
from tests.conversations import GEOMETRY, RULES, follow_windows, met, voices, windows_of

MODEL = FrameModel(bias=-1.4, margin=1.8, speech=0.3, learnt=0.2, alone=-0.7)
SAID = [(0, 0, 700), (1, 720, 1500), (0, 1450, 1800)]


def knowing(votes: list[list[float]], silence: float = 0.1, seconds: float = 5.0) -> State:
    """A state in which one window said this of frames that are not final."""
    number = len(votes[0])
    people = np.tile(np.float32([silence, 1 - silence, 0, 1]), (len(votes), 1))
    state = met(*voices(number), seconds=seconds)
    return replace(state, votes=np.array(votes, np.float32), people=people)


def test_who_has_more_votes_than_all_others_is_surer() -> None:
    found = frame_confidence(knowing([[0.9, 0.05, 0.05], [0.9, 0.8, 0.0], [0.4, 0.4, 0.0]]), MODEL)
    assert found.shape == (3, 3)
    assert ((found > 0) & (found < 1)).all()
    assert found[0, 0] > found[1, 0] > found[1, 1] > found[1, 2]
    assert found[2, 0] == found[2, 1] > found[2, 2]
    assert frame_confidence(knowing([[0.9, 0.1]], silence=0.6), MODEL)[0, 0] < found[0, 0]
    assert frame_confidence(knowing([[0.9, 0.05, 0.05]], seconds=60.0), MODEL)[0, 0] > found[0, 0]


def test_without_frames_or_speakers_there_is_nothing_to_say() -> None:
    assert frame_confidence(State.start(16), MODEL).shape == (0, 0)
    alone = frame_confidence(knowing([[0.9]]), MODEL)
    assert alone[0, 0] == pytest.approx(
        frame_confidence(knowing([[0.9]]), MODEL._replace(alone=0))[0, 0], abs=0.2
    )
    assert alone[0, 0] < frame_confidence(knowing([[0.9]]), MODEL._replace(alone=0))[0, 0]


@given(st.sampled_from([200, 593, 2000]), st.integers(0, 9))
def test_a_turn_is_as_sure_as_its_frames_were_when_they_became_final(
    latest: int, seed: int
) -> None:
    """Whether it is given out whole or in parts."""
    sure = np.full((2000, 2), np.nan)
    usual = tracking.settle

    def noted(state, active, found, until, *rest):
        sure[state.done : until, : found.shape[1]] = found[: until - state.done]
        return usual(state, active, found, until, *rest)

    rules = replace(RULES, pace=replace(RULES.pace, latest=latest))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tracking, "settle", noted)
        updates, state = follow_windows(windows_of(SAID, 1900, voices(2), 0.1, seed), rules)
    assert state.names == ("SPEAKER_00", "SPEAKER_01")
    turns = [turn for update in updates for turn in update.final]
    assert len(turns) >= 3
    for turn in turns:
        first, last = (
            round((edge * 16_000 - GEOMETRY.frame_start(0)) / 270)
            for edge in (turn.start, turn.end)
        )
        expected = sure[first:last, state.names.index(turn.speaker)].mean()
        assert turn.confidence == pytest.approx(expected, abs=2e-3)
    shown = [turn for update in updates for turn in update.tentative]
    assert all(turn.confidence is not None and 0 < turn.confidence < 1 for turn in shown)
