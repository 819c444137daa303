"""Settings: values out of range are refused by name, and thresholds of the model are filled in."""

import math
import os
from dataclasses import FrozenInstanceError, fields, is_dataclass
from typing import Any

import pytest

from hocket.backends.choice import Processor, choose
from hocket.concurrency import usable_cores
from hocket.config import (
    PRESETS,
    ClusteringConfig,
    Config,
    RegionConfig,
    ResolvedSubsegments,
    Runtime,
    SpeakerCount,
    StreamConfig,
    SubsegmentConfig,
    TurnConfig,
    WindowConfig,
)
from hocket.errors import ArgumentError, ConfigError
from hocket.models import read_catalogue

ABOVE_ZERO = [
    (WindowConfig, "step_s"),
    (WindowConfig, "batch"),
    (RegionConfig, "change_s"),
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
MAY_BE_INFINITE = [
    (ClusteringConfig, name) for name in ("threshold", "duplicate_at_1s", "duplicate_most")
]
PARTS = (
    WindowConfig,
    RegionConfig,
    SubsegmentConfig,
    ClusteringConfig,
    TurnConfig,
    StreamConfig,
)
Numbers = dict[str, int | None]


def message_of(numbers: Numbers) -> str:
    with pytest.raises(ConfigError) as caught:
        SpeakerCount.of(**numbers)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    return message


on_every_part = pytest.mark.parametrize("part", [*PARTS, Runtime])


def numbers_of(part: type[Any]) -> list[tuple[str, bool]]:
    """Names of the settings that are numbers, and whether they are whole."""
    types = {one.name: str(one.type) for one in fields(part)}
    return [(name, "int" in kind) for name, kind in types.items() if "str" not in kind]


@on_every_part
def test_numbers_out_of_range_are_refused_by_name_and_value(part: type[Any]) -> None:
    for name, whole in numbers_of(part):
        refused: list[float] = [-1] if whole else [-1, -0.25, math.nan]
        refused += [0] if (part, name) in ABOVE_ZERO else []
        refused += [math.inf] if (part, name) not in MAY_BE_INFINITE and not whole else []
        for value in refused:
            with pytest.raises(ConfigError, match=rf"^{name} is {value}; give ") as caught:
                part(**{name: value})
            assert isinstance(caught.value, ValueError)


@on_every_part
def test_numbers_in_range_are_accepted(part: type[Any]) -> None:
    """`latest_s` is left out, for it may not be below other settings."""
    others = {"length_s": 2.0, "hop_s": 0.1, "min_s": 0.1} if part is SubsegmentConfig else {}
    for name, whole in numbers_of(part):
        accepted: list[float] = [1] if whole else [1, 0.5]
        accepted += [0] if (part, name) not in ABOVE_ZERO else []
        accepted += [math.inf] if (part, name) in MAY_BE_INFINITE else []
        for value in accepted if name != "latest_s" else []:
            assert getattr(part(**others | {name: value}), name) == value


@on_every_part
def test_values_of_another_type_are_refused(part: type[Any]) -> None:
    for name, whole in numbers_of(part):
        for value in ("1", True, *([0.5] if whole else [])):
            with pytest.raises(ArgumentError, match=rf"^{name} is {value!r}, "):
                part(**{name: value})


@pytest.mark.parametrize("longer", [{"hop_s": 0.6}, {"min_s": 0.7}, {"hop_s": 9.0, "min_s": 9.0}])
def test_a_subsegment_may_not_be_shorter_than_its_hop_or_the_shortest_region(
    longer: dict[str, float],
) -> None:
    lengths = {"length_s": 0.5, "hop_s": 0.5, "min_s": 0.5}
    assert SubsegmentConfig(**lengths).length_s == 0.5
    with pytest.raises(ConfigError, match=r"^found length_s 0\.5, hop_s .*; give a length_s"):
        SubsegmentConfig(**(lengths | longer))


# --- thresholds of the embedding model


def test_settings_that_the_manifest_decides_are_none() -> None:
    open_ = {
        (part, one.name)
        for part in PARTS
        for one in fields(part)
        if getattr(part(), one.name) is None
    }
    stream = ("match", "create", "update", "merge", "name", "name_early", "crowd")
    duplicate = ("duplicate_at_1s", "duplicate_growth", "duplicate_most")
    assert open_ == {
        (SubsegmentConfig, "crop_s"),
        *((ClusteringConfig, name) for name in ("plda", "threshold", *duplicate)),
        *((StreamConfig, name) for name in stream),
    }


@pytest.mark.parametrize("name", list(read_catalogue().calibrations))
def test_a_resolved_config_has_the_calibrated_thresholds(name: str) -> None:
    calibration = read_catalogue().calibrations[name]
    found = Config().resolved(calibration)
    assert found.subsegments.crop_s == calibration["crop_s"]
    for own in ("threshold", "duplicate_at_1s", "duplicate_growth", "duplicate_most"):
        assert getattr(found.clustering, own) == calibration[own]
    for own in ("match", "create", "update", "merge", "crowd"):
        assert getattr(found.stream, own) == calibration[f"stream_{own}"]
    assert found.stream.name == calibration["name_distance"]
    assert found.stream.name_early == calibration["stream_name"]


def test_resolving_keeps_what_is_set_and_all_other_settings() -> None:
    config = Config(
        windows=WindowConfig(step_s=3.0),
        subsegments=SubsegmentConfig(crop_s=3.0, pack_s=5.0),
        clustering=ClusteringConfig(threshold=0.25, min_speaker_s=2.0),
        stream=StreamConfig(match=0.0, name=0.125, step_s=1.0),
    )
    found = config.resolved(read_catalogue().calibrations["campplus"])
    assert (found.windows, found.regions, found.turns) == (
        config.windows,
        config.regions,
        config.turns,
    )
    for part in ("subsegments", "clustering", "stream"):
        own, resolved = getattr(config, part), getattr(found, part)
        for one in fields(own):
            value = getattr(own, one.name)
            assert value is None or getattr(resolved, one.name) == value
    assert found.stream.match == 0.0


def test_a_resolved_part_leaves_nothing_open() -> None:
    found = Config().resolved(read_catalogue().calibrations["campplus"])
    for part in (found.subsegments, found.clustering, found.stream):
        empty = {one.name for one in fields(part) if getattr(part, one.name) is None}
        assert empty <= {"plda"}
    with pytest.raises(TypeError, match="crop_s"):
        ResolvedSubsegments()


def test_a_calibration_that_lacks_a_threshold_is_an_error() -> None:
    calibration = dict(read_catalogue().calibrations["campplus"])
    del calibration["stream_merge"]
    with pytest.raises(KeyError, match="stream_merge"):
        Config().resolved(calibration)


# --- other settings


def test_the_clusterer_that_needs_a_plda_is_refused_without_one() -> None:
    with pytest.raises(ConfigError, match=r"^method is 'vbx' but plda is not given; give "):
        ClusteringConfig(method="vbx")
    assert ClusteringConfig(method="vbx", plda="plda.npz").plda == "plda.npz"


def test_by_default_there_is_a_worker_for_every_usable_core(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert Runtime().threads is None
    assert Runtime().workers == usable_cores() >= 1
    assert Runtime(threads=7).workers == 7
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3, 5, 8}, raising=False)
    assert Runtime().workers == 3
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 12)
    assert Runtime().workers == 12
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert Runtime().workers == 1


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
def test_a_count_built_directly_is_checked_too(minimum: int, maximum: int | None) -> None:
    with pytest.raises(ConfigError, match="speakers is"):
        SpeakerCount(minimum, maximum)


def test_balanced_is_the_default() -> None:
    assert Config.preset("balanced") == Config()


def test_presets_use_increasing_steps() -> None:
    assert tuple(PRESETS) == ("accurate", "balanced", "fast")
    steps = [Config.preset(name).windows.step_s for name in PRESETS]
    assert steps == sorted(set(steps))


def test_accurate_rounds_nothing_on_any_processor() -> None:
    graphs = Config.preset("accurate").graphs
    for processor in (Processor(), Processor(bfloat16=True, vnni=True, avx512=True)):
        for graph in ("segmentation", "embedding"):
            published = frozenset({"float32", "int8"})
            installed = frozenset({"onnxruntime", "openvino"})
            chosen = choose(graph, graphs, published, processor, installed)
            assert chosen.precision == "float32"


def test_an_unknown_preset_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="preset is 'best'; give one of accurate, balanced, fast"):
        Config.preset("best")
