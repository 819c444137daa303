"""`bench online`: latency, errors and speed of streams."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import soundfile

from bench.accuracy.online import latencies
from bench.annotations import Turn, read_rttm
from bench.speed import host_loops, streams
from bench.tests.helpers import results_of, write_rttm
from tests.helpers.paths import CONVERSATION

SECONDS = 12.0


def test_latency_is_counted_in_audio() -> None:
    def update(time: float, *starts: float) -> Any:
        return SimpleNamespace(time=time, final=[SimpleNamespace(start=start) for start in starts])

    assert latencies([update(1.0), update(2.5, 0.5), update(3.0, 2.0, 1.25)]) == (1.5, 2.0)
    assert latencies([]) == (0.0, 0.0)


def test_the_command_streams_and_diarizes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sound, rate = soundfile.read(CONVERSATION, dtype="float32", frames=round(SECONDS * 16_000))
    corpus = tmp_path / "corpus"
    turns = [turn for turn in read_rttm(CONVERSATION.with_suffix(".rttm")) if turn.end < SECONDS]
    write_rttm(corpus / "one.rttm", [Turn(*turn) for turn in turns])
    soundfile.write(corpus / "one.wav", sound, rate)
    for module, name, value in (
        (streams, "ROUNDS", 1), (streams, "BLOCKS_S", (1.0,)), (streams, "SETTLED_S", 2.0),
        (host_loops, "ROUNDS", 1),
    ):  # fmt: skip
        monkeypatch.setattr(module, name, value)
    found = results_of("online", corpus, "--hours", "0.002", output=tmp_path / "out.json")
    assert 0 < found["longest_wait_s"]["tentative"] <= found["allowed_wait_s"]["tentative"]
    assert 0 < found["longest_wait_s"]["final"] <= found["allowed_wait_s"]["final"]
    assert set(found["engines"]) == {"online", "offline"}
    assert found["x_real_time"]["blocks"]["1"] > 0
    assert found["memory"]["after_ten_minutes_mb"] > 10
    assert found["post_embedding"]["windows"] > 0
