"""Confidence of frames in a stream, and of turns however they are emitted."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hocket.online import tracker as tracking
from hocket.online.confidence import frame_confidence
from hocket.online.tracker import FrameModel, State
from tests.helpers.stream_windows import (
    RULES,
    SHIPPED,
    follow_windows,
    state_of,
    voices,
    windows_of,
)

MODEL = FrameModel(bias=-1.4, margin=1.8, speech=0.3, learnt=0.2, alone=-0.7)
SPEECH = [(0, 0, 700), (1, 720, 1500), (0, 1450, 1800)]


def knowing(votes: list[list[float]], silence: float = 0.1, seconds: float = 5.0) -> State:
    """A state with the votes of one window for frames that are not final."""
    number = len(votes[0])
    occupancy = np.tile(np.float32([silence, 1 - silence, 0, 1]), (len(votes), 1))
    state = state_of(*voices(number), seconds=seconds)
    return replace(state, votes=np.array(votes, np.float32), occupancy=occupancy)


def test_a_lead_in_votes_makes_a_frame_more_certain() -> None:
    found = frame_confidence(knowing([[0.9, 0.05, 0.05], [0.9, 0.8, 0.0], [0.4, 0.4, 0.0]]), MODEL)
    assert found.shape == (3, 3)
    assert ((found > 0) & (found < 1)).all()
    assert found[0, 0] > found[1, 0] > found[1, 1] > found[1, 2]
    assert found[2, 0] == found[2, 1] > found[2, 2]
    assert frame_confidence(knowing([[0.9, 0.1]], silence=0.6), MODEL)[0, 0] < found[0, 0]
    assert frame_confidence(knowing([[0.9, 0.05, 0.05]], seconds=60.0), MODEL)[0, 0] > found[0, 0]


def test_without_frames_or_speakers_confidence_is_empty_or_low() -> None:
    assert frame_confidence(State.start(16), MODEL).shape == (0, 0)
    alone = frame_confidence(knowing([[0.9]]), MODEL)
    assert alone[0, 0] == pytest.approx(
        frame_confidence(knowing([[0.9]]), MODEL._replace(alone=0))[0, 0], abs=0.2
    )
    assert alone[0, 0] < frame_confidence(knowing([[0.9]]), MODEL._replace(alone=0))[0, 0]


@settings(max_examples=12)
@given(st.sampled_from([200, 593, 2000]), st.integers(0, 9))
def test_a_turn_has_the_mean_confidence_its_frames_had_when_they_became_final(
    latest: int, seed: int
) -> None:
    """Whether it is emitted whole or in parts."""
    sure = np.full((2000, 2), np.nan)
    usual = tracking.settle

    def noted(state, active, found, until, *rest):
        sure[state.done : until, : found.shape[1]] = found[: until - state.done]
        return usual(state, active, found, until, *rest)

    rules = replace(RULES, pace=replace(RULES.pace, latest=latest))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tracking, "settle", noted)
        updates, state = follow_windows(windows_of(SPEECH, 1900, voices(2), 0.1, seed), rules)
    assert state.names == ("SPEAKER_00", "SPEAKER_01")
    turns = [turn for update in updates for turn in update.final]
    assert len(turns) >= 3
    for turn in turns:
        first, last = (
            round((edge * 16_000 - SHIPPED.frame_start(0)) / 270) for edge in (turn.start, turn.end)
        )
        expected = sure[first:last, state.names.index(turn.speaker)].mean()
        assert turn.confidence == pytest.approx(expected, abs=2e-3)
    shown = [turn for update in updates for turn in update.tentative]
    assert all(turn.confidence is not None and 0 < turn.confidence < 1 for turn in shown)
