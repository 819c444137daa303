"""Backends, precisions and presets on the command line."""

import platform
from dataclasses import replace
from pathlib import Path

import pytest

from hocket.backends import BACKENDS, Processor
from hocket.cli.outcome import UNUSABLE, USAGE
from hocket.config import PRESETS, Config, GraphConfig
from hocket.models import choice_of
from hocket.offline.diarizer import Diarizer
from tests.helpers.command_line import hocket


@pytest.mark.parametrize("precision", ["auto", "float32", "int8"])
def test_backends_are_listed_with_the_choice_of_auto(
    precision: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert hocket("backends", "--precision", precision) == 0
    out, err = capsys.readouterr()
    rows = dict(line.split(maxsplit=1) for line in out.splitlines())
    assert list(rows) == [*BACKENDS[1:], "processor"]
    assert err == ""
    assert rows["processor"].startswith("float32")
    shown = {"segmentation_from_peaks": "segmentation of streams"}
    for graph in ("segmentation", "segmentation_from_peaks", "embedding"):
        choice = choice_of(graph, GraphConfig(precision=precision))
        entry = f"{shown.get(graph, graph)} in {choice.precision}"
        takers = [name for name, row in rows.items() if entry in row]
        assert takers == [choice.backend]
    for name in ("cuda", "tensorrt", "coreml"):
        assert rows[name].startswith("installed") or "; " in rows[name]


def test_backends_are_listed_even_if_a_precision_is_unavailable(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hocket.models.loading.this_processor", Processor)
    assert hocket("backends", "--precision", "bfloat16") == USAGE
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == len(BACKENDS)
    assert err.startswith(
        "hocket: --precision is 'bfloat16'; this processor does not compute in it"
    )


def test_a_backend_of_another_system_is_one_line(
    clip: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    assert hocket("diarize", clip, "--backend", "coreml") == UNUSABLE
    expected = "hocket: Core ML runs on macOS only, this is Linux; use the backend onnxruntime\n"
    assert capsys.readouterr() == ("", expected)


@pytest.mark.parametrize("preset", list(PRESETS))
def test_a_preset_gives_the_turns_of_its_settings(
    preset: str, clip: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert hocket("diarize", clip, "--preset", preset) == 0
    expected = Diarizer(Config.preset(preset))(clip).to_rttm()
    assert capsys.readouterr().out == expected


def test_other_options_override_the_preset(clip: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--precision", "float32", "--embedding", "campplus")
    assert hocket("diarize", clip, "--preset", "fast", *options) == 0
    fast = Config.preset("fast")
    config = replace(fast, graphs=GraphConfig("campplus", "float32"))
    expected = Diarizer(config)(clip).to_rttm()
    assert capsys.readouterr().out == expected
    assert hocket("diarize", clip, "--preset", "best") == USAGE
