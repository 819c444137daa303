"""`bench tune`: which settings need a pass over the audio, and which value is kept."""

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest

from bench.accuracy import tune as tuning
from bench.accuracy.tune import Trial, configured, parse_setting, search_best, sweep
from bench.annotations import Region, Turn
from bench.errors import BenchError
from hocket import Config
from hocket import Turn as Found


class FakeRecording:
    """Ten seconds of one speaker."""

    uri = "fake"
    audio = Path("fake.wav")

    def turns(self) -> list[Turn]:
        return [Turn(0.0, 10.0, "a")]

    def regions(self) -> list[Region]:
        return [Region(0.0, 10.0)]

    def duration_s(self) -> float:
        return 10.0


class FakeDiarizer:
    """Misses a second per 0.1 of threshold from 0.7, or with another length than 1.5."""

    inferred: Sequence[object] = ()

    def __init__(self, config: Config, runtime: object) -> None:
        self.config = config
        self.geometry = SimpleNamespace(sample_rate=16_000)

    def load(self) -> "FakeDiarizer":
        return self

    def infer(self, recording: object) -> object:
        FakeDiarizer.inferred = [*FakeDiarizer.inferred, self.config.subsegments.length_s]
        return self.config.subsegments.length_s

    def finish(self, length: object) -> SimpleNamespace:
        threshold = self.config.clustering.threshold
        missed = 5.0 if threshold is None else 10 * abs(threshold - 0.7)
        missed += {1.5: 0.0, 2.0: 2.0}.get(length, 1.0)  # type: ignore[call-overload]
        return SimpleNamespace(turns=[Found(0.0, 10.0 - missed, "SPEAKER_00")])


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> type[FakeDiarizer]:
    monkeypatch.setattr(tuning, "Diarizer", FakeDiarizer)
    monkeypatch.setattr("hocket.audio.reading.read_audio", lambda *_, **__: "samples")
    monkeypatch.setattr(FakeDiarizer, "inferred", ())
    return FakeDiarizer


RECORDINGS = [FakeRecording()]
THRESHOLDS = {"clustering.threshold": (0.5, 0.7, 0.9)}


def test_tuning_finds_the_best_value_and_lists_every_trial(engine: type[FakeDiarizer]) -> None:
    found = search_best(RECORDINGS, THRESHOLDS, lambda _: None)  # type: ignore[arg-type]
    assert found["best"]["settings"] == {"clustering.threshold": 0.7}
    assert found["best"]["der_percent"] == pytest.approx(10)
    tried = [trial["settings"].get("clustering.threshold") for trial in found["trials"]]
    assert tried[:4] == [None, 0.5, 0.7, 0.9]
    assert len(engine.inferred) == 1  # the networks ran once


def test_settings_are_tuned_together(engine: type[FakeDiarizer]) -> None:
    search = {"subsegments.length_s": (2.0, 1.5), **THRESHOLDS}
    found = search_best(RECORDINGS, search, lambda _: None)  # type: ignore[arg-type]
    assert found["best"]["settings"] == {"subsegments.length_s": 1.5, "clustering.threshold": 0.7}


def test_a_sweep_changes_one_setting_at_a_time(engine: type[FakeDiarizer]) -> None:
    search = {"subsegments.length_s": (2.0, 1.5), **THRESHOLDS}
    found = sweep(RECORDINGS, search, lambda _: None)  # type: ignore[arg-type]
    assert [len(trial["settings"]) for trial in found["trials"]] == [0, 1, 1, 1, 1, 1]
    assert found["trials"][1]["der_percent"] == pytest.approx(70)
    assert list(engine.inferred) == [1.2, 2.0, 1.5, 1.2]


def test_wrong_counts_have_a_penalty() -> None:
    right = Trial({}, {"der_percent": 10.0, "files": 10, "files_right_count": 10})
    wrong = Trial({}, {"der_percent": 10.0, "files": 10, "files_right_count": 8})
    assert wrong.cost == pytest.approx(right.cost + 1.0)


def test_an_error_of_hocket_is_one_of_the_benchmark(engine: type[FakeDiarizer]) -> None:
    with pytest.raises(BenchError, match=r"threshold is -1\.0"):
        sweep(RECORDINGS, {"clustering.threshold": (-1.0,)}, lambda _: None)  # type: ignore[arg-type]


def test_settings_are_parsed_with_their_values() -> None:
    assert parse_setting("clustering.threshold=0.5,0.6") == ("clustering.threshold", (0.5, 0.6))
    assert parse_setting("clustering.method=agglomerative") == (
        "clustering.method",
        ("agglomerative",),
    )


@pytest.mark.parametrize(
    "text", ["clustering.threshold", "clustering.threshold=", "clustering=1", "x.y=1", "preset.x=1"]
)
def test_unknown_settings_are_refused(text: str) -> None:
    with pytest.raises(BenchError, match="setting"):
        configured({parse_setting(text)[0]: 1.0})


def test_settings_change_nothing_else() -> None:
    config = configured({"clustering.threshold": 0.5, "subsegments.hop_s": 0.4})
    assert (config.clustering.threshold, config.subsegments.hop_s) == (0.5, 0.4)
    assert config.turns == Config().turns
