"""Settings that make no sense are refused at once, by name and value."""

import math
import os
from dataclasses import FrozenInstanceError, fields, is_dataclass
from typing import Any

import pytest

from hocket.backends.choice import Processor, choose
from hocket.clustering import DuplicateLimit
from hocket.config import (
    PRESETS,
    ClusteringConfig,
    Config,
    StreamConfig,
    RegionConfig,
    Runtime,
    SpeakerCount,
    TurnConfig,
    SubsegmentConfig,
    WindowConfig,
    _usable_cores,
)
from hocket.errors import ConfigError

ABOVE_ZERO = [
    (WindowConfig, "step_s"),
    (WindowConfig, "batch"),
    (RegionConfig, "takeover_s"),
    (RegionConfig, "longest_s"),
    (SubsegmentConfig, "length_s"),
    (SubsegmentConfig, "hop_s"),
    (SubsegmentConfig, "min_s"),
    (SubsegmentConfig, "grid_s"),
    (SubsegmentConfig, "crop_s"),
    (SubsegmentConfig, "pack_s"),
    (TurnConfig, "fade_s"),
    (StreamConfig, "step_s"),
    (StreamConfig, "window_s"),
    (StreamConfig, "max_speakers"),
    (Runtime, "threads"),
]
REAL_NUMBERS = [
    (part, one.name)
    for part in (
        WindowConfig,
        RegionConfig,
        SubsegmentConfig,
        ClusteringConfig,
        TurnConfig,
        StreamConfig,
    )
    for one in fields(part)
    if one.name not in {"method", "plda"}
]
Numbers = dict[str, int | None]


def message_of(numbers: Numbers) -> str:
    with pytest.raises(ConfigError) as caught:
        SpeakerCount.of(**numbers)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    return message


@pytest.mark.parametrize(("part", "name"), ABOVE_ZERO)
@pytest.mark.parametrize("value", [0, -1, -0.25, math.nan])
def test_what_must_be_above_zero_is_refused_by_name_and_value(
    part: type[Any], name: str, value: float
) -> None:
    with pytest.raises(ConfigError, match=rf"^{name} is {value}; give ") as caught:
        part(**{name: value})
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize(("part", "name"), ABOVE_ZERO)
def test_any_value_above_zero_is_taken(part: type[Any], name: str) -> None:
    assert getattr(part(**{name: 1}), name) == 1


@pytest.mark.parametrize(("part", "name"), REAL_NUMBERS)
def test_no_setting_is_not_a_number(part: type[Any], name: str) -> None:
    with pytest.raises(ConfigError, match=rf"^{name} is nan"):
        part(**{name: math.nan})


@pytest.mark.parametrize(
    ("part", "name"), [pair for pair in REAL_NUMBERS if pair[0] is not ClusteringConfig]
)
def test_no_length_is_infinite(part: type[Any], name: str) -> None:
    with pytest.raises(ConfigError, match=rf"^{name} is inf"):
        part(**{name: math.inf})


@pytest.mark.parametrize(("part", "name"), REAL_NUMBERS)
def test_no_setting_is_below_zero(part: type[Any], name: str) -> None:
    with pytest.raises(ConfigError, match=rf"^{name} is -0\.5; give "):
        part(**{name: -0.5})


@pytest.mark.parametrize(
    ("part", "name"),
    [pair for pair in REAL_NUMBERS if pair not in (*ABOVE_ZERO, (StreamConfig, "latest_s"))],
)
def test_other_settings_may_be_zero(part: type[Any], name: str) -> None:
    assert getattr(part(**{name: 0.0}), name) == 0


@pytest.mark.parametrize("longer", [{"hop_s": 0.6}, {"min_s": 0.7}, {"hop_s": 9.0, "min_s": 9.0}])
def test_no_unit_is_shorter_than_its_hop_or_the_shortest_run(longer: dict[str, float]) -> None:
    lengths = {"length_s": 0.5, "hop_s": 0.5, "min_s": 0.5}
    assert SubsegmentConfig(**lengths).length_s == 0.5
    with pytest.raises(ConfigError, match=r"^found length_s 0\.5, hop_s .*; give a length_s"):
        SubsegmentConfig(**(lengths | longer))


@pytest.mark.parametrize("name", [name for part, name in REAL_NUMBERS if part is ClusteringConfig])
def test_what_the_manifest_may_say_is_left_to_it(name: str) -> None:
    of_the_model = {"threshold", *(f"duplicate_{part}" for part in DuplicateLimit._fields)}
    assert (getattr(ClusteringConfig(), name) is None) == (name in of_the_model)


def test_the_clusterer_that_needs_a_plda_is_refused_without_one() -> None:
    with pytest.raises(ConfigError, match=r"^method is 'vbx' but plda is not given; give "):
        ClusteringConfig(method="vbx")
    assert ClusteringConfig(method="vbx", plda="plda.npz").plda == "plda.npz"


def test_without_a_number_of_threads_there_are_as_many_workers_as_usable_cores(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert Runtime().threads is None
    assert Runtime().workers == _usable_cores() >= 1
    assert Runtime(threads=7).workers == 7
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3, 5, 8}, raising=False)
    assert Runtime().workers == 3
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 12)
    assert Runtime().workers == 12
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert Runtime().workers == 1


def test_the_longest_span_is_left_to_the_manifest() -> None:
    assert SubsegmentConfig().crop_s is None
    assert SubsegmentConfig(crop_s=3.0).crop_s == 3.0


def test_settings_are_equal_by_value_and_cannot_be_changed() -> None:
    assert Config() == Config(windows=WindowConfig(WindowConfig().step_s))
    assert Config() != Config(turns=TurnConfig(min_pause_s=0.0))
    assert hash(Config()) == hash(Config(subsegments=SubsegmentConfig()))
    for part in (Config(), Config().clustering, Runtime(), SpeakerCount()):
        assert is_dataclass(part)
        with pytest.raises(FrozenInstanceError):
            setattr(part, fields(part)[0].name, None)


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        ({}, (1, None)),
        ({"num_speakers": 3}, (3, 3)),
        ({"min_speakers": 2}, (2, None)),
        ({"max_speakers": 4}, (1, 4)),
        ({"min_speakers": 2, "max_speakers": 4}, (2, 4)),
        ({"min_speakers": 4, "max_speakers": 4}, (4, 4)),
        ({"num_speakers": None, "min_speakers": None, "max_speakers": 1}, (1, 1)),
    ],
)
def test_numbers_of_speakers_become_a_range(
    numbers: Numbers, expected: tuple[int, int | None]
) -> None:
    count = SpeakerCount.of(**numbers)
    assert (count.minimum, count.maximum) == expected


@pytest.mark.parametrize("name", ["num_speakers", "min_speakers", "max_speakers"])
@pytest.mark.parametrize("value", [0, -3])
def test_less_than_one_speaker_is_refused_by_name_and_value(name: str, value: int) -> None:
    assert message_of({name: value}).startswith(f"{name} is {value}; give ")


def test_a_minimum_above_the_maximum_is_refused_with_both() -> None:
    message = message_of({"min_speakers": 5, "max_speakers": 2})
    assert "min_speakers is 5" in message
    assert "max_speakers is 2" in message


@pytest.mark.parametrize("other", ["min_speakers", "max_speakers"])
def test_an_exact_number_excludes_a_range(other: str) -> None:
    message = message_of({"num_speakers": 7, other: 8})
    assert "num_speakers" in message
    assert other in message


@pytest.mark.parametrize(("minimum", "maximum"), [(0, None), (-1, 2), (3, 2), (1, 0)])
def test_a_count_made_by_hand_is_checked_too(minimum: int, maximum: int | None) -> None:
    with pytest.raises(ConfigError, match="speakers is"):
        SpeakerCount(minimum, maximum)


def test_balanced_is_what_one_gets_without_a_word() -> None:
    assert Config.preset("balanced") == Config()


def test_presets_spend_less_one_after_the_other() -> None:
    assert tuple(PRESETS) == ("accurate", "balanced", "fast")
    steps = [Config.preset(name).windows.step_s for name in PRESETS]
    assert steps == sorted(set(steps))


def test_accurate_rounds_nothing_on_any_machine() -> None:
    graphs = Config.preset("accurate").graphs
    for processor in (Processor(), Processor(bfloat16=True, vnni=True, avx512=True)):
        for graph in ("segmentation", "embedding"):
            published = frozenset({"float32", "int8"})
            installed = frozenset({"onnxruntime", "openvino"})
            chosen = choose(graph, graphs, published, processor, installed)
            assert chosen.precision == "float32"


def test_an_unknown_preset_names_those_there_are() -> None:
    with pytest.raises(ConfigError, match="preset is 'best'; give one of accurate, balanced, fast"):
        Config.preset("best")
