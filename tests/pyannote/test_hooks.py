"""Hooks are called as pyannote.audio calls them, and its own hooks are here."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyannote.core import SlidingWindowFeature

from hocket.errors import ConfigError
from hocket.pyannote import ArtifactHook, Hooks, Pipeline, ProgressHook, TimingHook
from hocket.pyannote.hooks import Steps
from tests.helpers.paths import CONVERSATION
from tests.helpers.shared import result_of

STEPS = ["segmentation", "speaker_counting", "embeddings", "discrete_diarization"]
Call = tuple[str, Any, int | None, int | None]


class Recorder:
    """A hook with the signature that pyannote documents."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.files: list[Any] = []

    def __call__(
        self,
        step_name: str,
        step_artifact: Any,
        file: Any = None,
        total: int | None = None,
        completed: int | None = None,
    ) -> None:
        self.calls.append((step_name, step_artifact, total, completed))
        self.files.append(file)

    def steps(self) -> list[str]:
        """Names of steps, each once for as long as it lasts."""
        names = [name for name, *_ in self.calls]
        return [name for place, name in enumerate(names) if names[place - 1 : place] != [name]]


@pytest.mark.parametrize("version", [3, 4])
def test_a_hook_gets_every_step_in_order(version: int) -> None:
    file, hook = {"audio": CONVERSATION}, Recorder()
    Pipeline(version)(file, hook=hook)
    assert hook.steps() == STEPS
    assert all(each is file for each in hook.files)
    assert file["uri"] == "conversation"
    for name in ("segmentation", "embeddings"):
        counts = [(done, total) for step, _, total, done in hook.calls if step == name]
        assert counts[0][0] == 0
        assert counts[-2][0] == counts[-2][1]
        assert counts[-1] == (None, None)


def test_the_last_artifact_is_the_diarization_in_frames() -> None:
    hook = Recorder()
    Pipeline(3)(CONVERSATION, hook=hook)
    artifact = hook.calls[-1][1]
    assert isinstance(artifact, SlidingWindowFeature)
    turns, step = result_of(CONVERSATION).turns, artifact.sliding_window.step
    seconds = sum(turn.duration for turn in turns)
    assert artifact.data.sum() * step == pytest.approx(seconds, abs=2 * step * len(turns))
    assert artifact.labels == ["SPEAKER_00", "SPEAKER_01"]


def test_where_nobody_speaks_the_steps_end_with_the_counting() -> None:
    hook = Recorder()
    Pipeline(3)({"waveform": np.zeros((1, 16_000), np.float32), "sample_rate": 16_000}, hook=hook)
    assert hook.steps() == STEPS[:2]


COUNTS = st.tuples(
    st.sampled_from(["segmentation", "embedding"]), st.integers(1, 9), st.integers(0, 40)
)


@given(st.lists(COUNTS, max_size=12))
def test_steps_follow_each_other_whatever_the_networks_do(advances: list[Any]) -> None:
    hook, done = Recorder(), {"segmentation": 0, "embedding": 0}
    steps = Steps(hook, {})
    for stage, number, expected in advances:
        done[stage] += number
        steps.advance(stage, done[stage], max(expected, done[stage]))
    steps.finish("turns" if done["embedding"] else None)
    embedded = ["embeddings", "discrete_diarization"] if done["embedding"] else []
    assert hook.steps() == ["segmentation", "speaker_counting", *embedded]
    for name in ("segmentation", "embeddings"):
        counts = [each for step, _, _, each in hook.calls if step == name and each is not None]
        assert counts == sorted(counts)
        assert counts[:1] in ([], [0])
    assert all(completed <= total for _, _, total, completed in hook.calls if total is not None)


def test_hooks_of_pyannote_are_here(capsys: pytest.CaptureFixture[str]) -> None:
    file: dict[str, Any] = {"audio": CONVERSATION}
    with Hooks(ProgressHook(), TimingHook(), ArtifactHook(), Recorder()) as hook:
        Pipeline(4)(file, hook=hook)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert [line.split()[0] for line in shown.err.splitlines() if line] == STEPS
    assert shown.err.count("100%") == len(STEPS)
    seconds = file["timing_hook"]
    assert set(seconds) == {"total", "segmentation", "embeddings"}
    assert 0 < seconds["segmentation"] + seconds["embeddings"] < seconds["total"]
    assert list(file["artifact"]) == ["discrete_diarization"]


def test_options_of_hooks(capsys: pytest.CaptureFixture[str]) -> None:
    file: dict[str, Any] = {"audio": CONVERSATION}
    hooks = (
        ProgressHook(hidden=True),
        TimingHook(file_key="seconds"),
        ArtifactHook("segmentation", file_key="kept"),
    )
    with Hooks(*hooks) as hook:
        Pipeline(4)(file, hook=hook)
    assert capsys.readouterr().err == ""
    assert set(file) == {"audio", "uri", "seconds"}


def test_a_progress_hook_shows_nothing_outside_its_block() -> None:
    hook = ProgressHook()
    with pytest.raises(ConfigError, match="with ProgressHook"):
        hook("segmentation", None, total=1, completed=0)


def test_an_error_of_a_hook_is_the_callers() -> None:
    def fail(*_given: Any, **_named: Any) -> None:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        Pipeline(4)(CONVERSATION, hook=fail)
