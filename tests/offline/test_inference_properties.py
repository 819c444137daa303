"""Inference: a stream of blocks gives what the whole recording gives, on any number of threads."""

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hocket import concurrency
from hocket.arrays import Bands, Waveform
from hocket.audio.buffer import SampleBuffer
from hocket.config import Config, WindowConfig
from hocket.embedding.embedder import Embedded
from hocket.embedding.subsegments import plan_crops, plan_subsegments
from hocket.geometry import Geometry
from hocket.offline.inference import InferenceOutput
from hocket.segmentation.aggregation import SegmentationSums
from hocket.segmentation.regions import RegionFinder, count_speakers
from hocket.segmentation.windows import WindowGrid, covered_frames
from hocket.timing import Stopwatch
from tests.helpers.geometry import RATE, SMALL, grid_of
from tests.helpers.inference import CONFIG, LONG_SOUND, assert_same
from tests.helpers.rule_networks import (
    RuleInference,
    delays,
    rule_inference,
    sound_of,
    stream_in,
)


class Case(NamedTuple):
    """A recording, the blocks it arrives in, and what it is processed with."""

    sound: Waveform
    lengths: list[int]
    geometry: Geometry
    config: Config

    def inference(self, threads: int = 1, seed: int | None = None) -> RuleInference:
        before = {} if seed is None else {"before": delays(seed)}
        return rule_inference(self.geometry, config=self.config, threads=threads, **before)

    def infer(self, threads: int = 1, seed: int | None = None) -> InferenceOutput:
        return self.inference(threads, seed).infer(stream_in(self.sound, self.lengths))


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Recordings from no sample to several windows, in blocks from no sample to many."""
    frame_step = draw(st.integers(1, 5))
    window = draw(st.integers(4 * frame_step, 40))
    geometry = grid_of(window, frame_step, draw(st.integers(frame_step, window)))
    step_s = draw(st.integers(1, window // frame_step)) * frame_step / RATE
    parts = st.tuples(st.sampled_from([0, 1, 1, 2, 2, 3, 4, 6]), st.integers(1, 60))
    sound = sound_of(draw(st.lists(parts, max_size=12)), draw(st.integers(0, 99)))
    subsegments = replace(
        CONFIG.subsegments,
        grid_s=draw(st.sampled_from([0.05, 0.05, 0.4, 2.0])),
        crop_s=draw(st.sampled_from([0.3, 0.5, 2.0])),
    )
    windows = WindowConfig(step_s=step_s, batch=draw(st.integers(1, 4)))
    config = replace(CONFIG, windows=windows, subsegments=subsegments)
    pattern = draw(st.lists(st.sampled_from([0, 1, 2, 3, 9, 17, 50]), min_size=1, max_size=6))
    lengths = pattern * (len(sound) // max(1, sum(pattern)))
    return Case(sound, lengths, geometry, config)


def inferred_at_once(case: Case) -> InferenceOutput:
    """The output for a recording that is in memory, stage after stage."""
    sound, geometry = case.sound, case.geometry
    inference = case.inference()
    config, embedder = inference.config, inference.networks.embedder
    starts = WindowGrid.of(geometry, config.windows.step_s).starts(len(sound))
    sums = SegmentationSums(
        geometry,
        geometry.frames_of(config.regions.change_s),
        geometry.frames_of(config.windows.ramp_s),
    )
    padded = np.concatenate([sound, np.zeros(geometry.window_samples, np.float32)])
    for start in starts.tolist():
        window = padded[start : start + geometry.window_samples]
        found = inference.segmentation.run({"waveform": window[None, None]})["log_probs"]
        sums.add(start // geometry.frame_step, found, covered_frames(len(sound), start, geometry))
    frames = int(starts[-1]) // geometry.frame_step + geometry.window_frames if len(starts) else 0
    occupancy, change = sums.settle(frames)
    finder = RegionFinder(config.regions, max(1, geometry.frames_of(config.regions.longest_s)))
    found_regions = finder.feed(count_speakers(occupancy, config.regions), change)
    regions = np.concatenate([found_regions, finder.close()])
    subsegments = plan_subsegments(regions, geometry, config.subsegments)
    buffer = SampleBuffer()
    buffer.append(sound)
    crops = plan_crops(subsegments, geometry, config.subsegments)
    parts = [embedder.embed_pack(embedder.single(crop, buffer)) for crop in crops]
    joined = Embedded.joined(parts, 4)
    crop = np.repeat(np.arange(len(crops)), [len(crop.subsegments) for crop in crops])
    bands = Bands(crop.astype(np.int64), joined.levels, joined.samples / geometry.sample_rate)
    return InferenceOutput(
        len(sound), sums.result(), regions, subsegments, joined.embeddings, bands
    )


class Late(Future[Any]):
    """A call that runs when its result is needed, and no earlier."""

    def __init__(self, function: Callable[[Any], Any], item: Any) -> None:
        super().__init__()
        self.call = lambda: function(item)

    def result(self, timeout: float | None = None) -> Any:
        return self.call()


class Immediate(Late):
    """A call that runs at once."""

    def __init__(self, function: Callable[[Any], Any], item: Any) -> None:
        super().__init__(function, item)
        self.set_result(self.call())

    def result(self, timeout: float | None = None) -> Any:
        return Future.result(self, timeout)


def infer_as(kind: type[Late], case: Case, workers: int = 1) -> InferenceOutput:
    """Infer on a pool whose calls run as late or as early as possible."""
    pool = SimpleNamespace(submit=kind, shutdown=lambda **_: None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(concurrency, "ThreadPoolExecutor", lambda *_, **__: pool)
        return case.infer(workers)


@pytest.mark.parametrize("kind", [Late, Immediate])
@settings(max_examples=60)
@given(case=cases(), workers=st.sampled_from([1, 4]))
def test_a_stream_gives_what_the_whole_recording_gives(
    kind: type[Late], case: Case, workers: int
) -> None:
    assert_same(infer_as(kind, case, workers), inferred_at_once(case))


@pytest.mark.parametrize("kind", [Late, Immediate])
def test_samples_of_the_tail_are_not_released(kind: type[Late]) -> None:
    """The tail begins before the first frame behind the last whole window."""
    config = replace(CONFIG, windows=WindowConfig(step_s=0.12, batch=1))
    for over in range(1, 12):
        case = Case(sound_of([(0, 76 + over)]), [76, 0], grid_of(40, 4, 30), config)
        assert_same(infer_as(kind, case), inferred_at_once(case))


@settings(max_examples=30)
@given(cases(), st.integers(2, 3), st.integers(0, 99))
def test_neither_threads_nor_their_speed_change_anything(
    case: Case, threads: int, seed: int
) -> None:
    assert_same(case.infer(threads, seed), inferred_at_once(case))


LONG = Case(LONG_SOUND, [], SMALL, CONFIG)


@pytest.fixture(scope="module")
def expected() -> InferenceOutput:
    return inferred_at_once(LONG)


@pytest.mark.parametrize(("threads", "block"), [(1, 7), (2, 100), (3, 100_000)])
def test_a_long_stream_gives_the_same(threads: int, block: int, expected: InferenceOutput) -> None:
    case = LONG._replace(lengths=[block] * (len(LONG.sound) // block))
    found = case.infer(threads, seed=threads if block == 100 else None)
    assert len(found.regions) > 50
    assert len(found.subsegments.region) > len(found.regions)
    assert found.embeddings.any(axis=1).all()
    assert_same(found, expected)


def test_windows_come_in_full_batches_but_for_the_last() -> None:
    inference = LONG.inference()
    inference.infer(stream_in(LONG.sound, [33] * 100))
    number = WindowGrid.of(SMALL, 0.1).count(len(LONG.sound))
    batch = inference.config.windows.batch
    full, rest = divmod(number, batch)
    assert inference.segmentation.calls == [batch] * full + [rest] * (rest > 0)


def test_if_nobody_ever_speaks_alone_all_speech_is_embedded() -> None:
    case = LONG._replace(sound=sound_of([(4, 200), (0, 100), (5, 300)]), lengths=[10] * 50)
    found = case.infer(2)
    assert len(found.regions) >= 2
    assert len(found.embeddings) == len(found.subsegments.region) > 0
    assert_same(found, inferred_at_once(case))


def test_regions_before_the_first_single_speaker_are_void() -> None:
    sound = sound_of([(4, 400), (0, 50), (6, 300), (1, 70), (0, 40), (4, 100)])
    case = LONG._replace(sound=sound, lengths=[10] * 96)
    found = case.infer(2, seed=5)
    assert len(found.regions)
    assert (found.regions * SMALL.frame_step > 700).all()
    assert len(found.embeddings) == len(found.subsegments.region)
    assert_same(found, inferred_at_once(case))


def test_seconds_and_copied_bytes_are_counted_per_stage() -> None:
    watch, inference = Stopwatch(), LONG.inference()
    inference.infer(stream_in(LONG.sound, [50] * 120), watch)
    assert set(watch.seconds) == {"decode", "segmentation", "embedding"}
    assert set(watch.copied) == {"segmentation", "embedding"}
    windows = sum(inference.segmentation.calls)
    assert 4 * 40 * (windows - 1) < watch.copied["segmentation"] <= 4 * 40 * windows
    # most crops lie in more than one of these short blocks
    assert 0 < watch.copied["embedding"] <= 4 * sum(inference.embedding.lengths)


@pytest.mark.parametrize("grid_s", [0.01, 0.05], ids=["exact length", "followed by more sound"])
def test_crops_within_one_block_are_not_copied(grid_s: float) -> None:
    watch = Stopwatch()
    subsegments = replace(CONFIG.subsegments, grid_s=grid_s)
    case = LONG._replace(config=replace(CONFIG, subsegments=subsegments))
    case.inference().infer(stream_in(case.sound, [len(case.sound)]), watch)
    assert watch.copied["embedding"] == 0
