"""A stream is heard as the whole recording would be, however it comes in and whoever hears it."""

import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hocket import concurrency as questions
from hocket.arrays import Bands, Waveform
from hocket.audio.reading import AudioStream
from hocket.concurrency import WAITING
from hocket.config import Config, RegionConfig, SubsegmentConfig, WindowConfig
from hocket.embedding.bands import band_levels
from hocket.embedding.subsegments import (
    Crop,
    padded_length,
    plan_crops,
    plan_subsegments,
    crop_inputs,
)
from hocket.errors import AudioContentError, BackendError
from hocket.geometry import Geometry
from hocket.offline.inference import BLOCKS_AHEAD, Ears, Heard, hear
from hocket.segmentation.aggregation import SegmentationSums
from hocket.segmentation.regions import RegionFinder, count_people
from hocket.segmentation.windows import WindowGrid, covered_frames
from hocket.timing import Stopwatch
from tests.ears import dawdling, ears_of, sound_of, stream_in

RATE = 100
SETTINGS = Config(
    windows=WindowConfig(step_s=0.1),
    regions=RegionConfig(change_s=0.08, longest_s=0.9),
    subsegments=SubsegmentConfig(length_s=0.3, hop_s=0.16, min_s=0.08, grid_s=0.05),
)


class Case(NamedTuple):
    """A recording, how it comes in, and what it is heard with."""

    sound: Waveform
    lengths: list[int]
    geometry: Geometry
    config: Config
    crop_s: float

    def ears(self, threads: int = 1, seed: int | None = None) -> Ears:
        return ears_of(
            self.geometry,
            config=self.config,
            threads=threads,
            crop_s=self.crop_s,
            **({} if seed is None else {"before": dawdling(seed)}),
        )

    def hear(self, threads: int = 1, seed: int | None = None) -> Heard:
        stream = stream_in(self.sound, self.lengths)
        return hear(stream, self.ears(threads, seed), Stopwatch())


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Recordings of no sample to several windows, in blocks of no sample to many."""
    frame_step = draw(st.integers(1, 5))
    window = draw(st.integers(4 * frame_step, 40))
    field = draw(st.integers(frame_step, window))
    geometry = Geometry(RATE, window, frame_step, field, 1 + (window - field) // frame_step, 3)
    most = window // frame_step
    step_s = draw(st.integers(1, most)) * frame_step / RATE
    parts = st.tuples(st.sampled_from([0, 1, 1, 2, 2, 3, 4, 6]), st.integers(1, 60))
    sound = sound_of(draw(st.lists(parts, max_size=12)), draw(st.integers(0, 99)))
    batch = draw(st.integers(1, 4))
    subsegments = replace(
        SETTINGS.subsegments, grid_s=draw(st.sampled_from([0.05, 0.05, 0.4, 2.0]))
    )
    config = replace(
        SETTINGS, windows=WindowConfig(step_s=step_s, batch=batch), subsegments=subsegments
    )
    pattern = draw(st.lists(st.sampled_from([0, 1, 2, 3, 9, 17, 50]), min_size=1, max_size=6))
    lengths = pattern * (len(sound) // max(1, sum(pattern)))
    return Case(sound, lengths, geometry, config, draw(st.sampled_from([0.3, 0.5, 2.0])))


def heard_at_once(case: Case) -> Heard:
    """What comes of the whole recording in memory, stage after stage."""
    sound, geometry, config = case.sound, case.geometry, case.config
    ears = case.ears()
    starts = WindowGrid.of(geometry, config.windows.step_s).starts(len(sound))
    sums = SegmentationSums(
        geometry,
        geometry.frames_of(config.regions.change_s),
        geometry.frames_of(config.windows.ramp_s),
    )
    padded = np.concatenate([sound, np.zeros(geometry.window_samples, np.float32)])
    for start in starts.tolist():
        window = padded[start : start + geometry.window_samples]
        said = ears.segmentation.run({"waveform": window[None, None]})["log_probs"]
        sums.add(start // geometry.frame_step, said, covered_frames(len(sound), start, geometry))
    frames = int(starts[-1]) // geometry.frame_step + geometry.window_frames if len(starts) else 0
    occupancy, change = sums.settle(frames)
    finder = RegionFinder(config.regions, max(1, geometry.frames_of(config.regions.longest_s)))
    found = finder.feed(count_people(occupancy, config.regions), change)
    regions = np.concatenate([found, finder.close()])
    subsegments = plan_subsegments(regions, geometry, config.subsegments)
    embeddings = [np.zeros((0, 4), np.float32)]
    crops = plan_crops(subsegments, geometry, case.crop_s, config.subsegments)
    for crop in crops:
        start, end = geometry.frame_start(crop.first), geometry.frame_start(crop.last)
        length = padded_length(end - start, 1, round(config.subsegments.grid_s * RATE))
        known = min(len(sound), end + geometry.window_samples - geometry.frame_start(0))
        stop = start + length if start + length <= known else min(end, len(sound))
        inputs = crop_inputs(sound[start:stop], length, crop, geometry)
        embeddings.append(ears.embedding.run(inputs)["embeddings"][0])
    bands = bands_of(crops, sound, geometry)
    return Heard(len(sound), sums.result(), regions, subsegments, np.concatenate(embeddings), bands)


def bands_of(crops: list[Crop], sound: Waveform, geometry: Geometry) -> Bands:
    """Bands of crops that are these spans."""
    crop = np.repeat(np.arange(len(crops)), [len(crop.subsegments) for crop in crops])
    bounds = [tuple(map(geometry.frame_start, (crop.first, crop.last))) for crop in crops]
    levels = [band_levels(sound[start:end], geometry.sample_rate) for start, end in bounds]
    seconds = np.array([len(sound[start:end]) for start, end in bounds]) / geometry.sample_rate
    return Bands(crop, np.array(levels, np.float32).reshape(-1, 3), seconds)


def assert_same(one: Heard, other: Heard) -> None:
    assert one.samples == other.samples
    pairs = [
        *zip(one.segmentation, other.segmentation, strict=True),
        (one.regions, other.regions),
        *zip(one.subsegments, other.subsegments, strict=True),
        (one.embeddings, other.embeddings),
        *zip(one.bands[:3], other.bands[:3], strict=True),
    ]
    assert one.bands.usual is other.bands.usual is None
    for left, right in pairs:
        assert left.dtype == right.dtype
        np.testing.assert_array_equal(left, right)


class Late(Future[Any]):
    """Its work is done when the answer is asked for, and no earlier."""

    def __init__(self, work: Callable[[], Any]) -> None:
        super().__init__()
        self.work = work

    def result(self, timeout: float | None = None) -> Any:
        return self.work()


class Hasty(Late):
    """Its work is done at once."""

    def __init__(self, work: Callable[[], Any]) -> None:
        super().__init__(work)
        self.set_result(work())

    def result(self, timeout: float | None = None) -> Any:
        return Future.result(self, timeout)


def hear_as(kind: type[Late], case: Case, workers: int = 1) -> Heard:
    """Hear it with workers who are as late, or as hasty, as can be."""
    pool = SimpleNamespace(submit=kind, shutdown=lambda **_: None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(questions, "ThreadPoolExecutor", lambda *_, **__: pool)
        return case.hear(workers)


@pytest.mark.parametrize("kind", [Late, Hasty])
@settings(max_examples=150)
@given(case=cases(), workers=st.sampled_from([1, 4]))
def test_a_stream_is_heard_as_the_whole_recording_is(
    kind: type[Late], case: Case, workers: int
) -> None:
    assert_same(hear_as(kind, case, workers), heard_at_once(case))


@pytest.mark.parametrize("over", range(1, 12))
@pytest.mark.parametrize("kind", [Late, Hasty])
def test_what_the_tail_hears_is_still_there(kind: type[Late], over: int) -> None:
    """It begins before the first frame behind the last whole window."""
    geometry = Geometry(RATE, 40, 4, 30, 3, 3)
    config = replace(SETTINGS, windows=WindowConfig(step_s=0.12, batch=1))
    case = Case(sound_of([(0, 76 + over)]), [76, 0], geometry, config, 2.0)
    assert_same(hear_as(kind, case), heard_at_once(case))


@given(cases(), st.integers(2, 3), st.integers(0, 99))
def test_neither_workers_nor_their_haste_change_anything(
    case: Case, threads: int, seed: int
) -> None:
    assert_same(case.hear(threads, seed), heard_at_once(case))


def long_sound(seconds: int = 60) -> Waveform:
    """Two people taking turns, at times at once."""
    parts = [(1, 130), (2, 170), (0, 60), (4, 40), (1, 300), (0, 30), (3, 90), (2, 45)]
    sound = sound_of(parts * (1 + seconds * RATE // 865))
    return sound[: seconds * RATE]


GEOMETRY = Geometry(RATE, 40, 4, 10, 8, 3)
LONG = Case(long_sound(), [], GEOMETRY, SETTINGS, 0.5)


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("block", [7, 100, 100_000])
def test_a_long_stream_is_heard_the_same(threads: int, block: int) -> None:
    case = LONG._replace(lengths=[block] * (len(LONG.sound) // block))
    found = case.hear(threads, seed=threads if block == 100 else None)
    assert len(found.regions) > 50
    assert len(found.subsegments.run) > len(found.regions)
    assert found.embeddings.any(axis=1).all()
    assert_same(found, heard_at_once(LONG))


def test_windows_are_asked_about_in_batches_but_for_the_last() -> None:
    case = LONG._replace(lengths=[33] * 100)
    ears = case.ears()
    hear(stream_in(case.sound, case.lengths), ears, Stopwatch())
    number = WindowGrid.of(GEOMETRY, 0.1).count(len(case.sound))
    full, rest = divmod(number, ears.batch)
    assert ears.segmentation.calls == [ears.batch] * full + [rest] * (rest > 0)


def test_where_everybody_speaks_at_once_all_speech_is_heard() -> None:
    case = LONG._replace(sound=sound_of([(4, 200), (0, 100), (5, 300)]), lengths=[10] * 50)
    found = case.hear(2)
    assert len(found.regions) >= 2
    assert len(found.embeddings) == len(found.subsegments.run) > 0
    assert_same(found, heard_at_once(case))


def test_who_speaks_alone_late_leaves_nothing_of_the_speech_before() -> None:
    sound = sound_of([(4, 400), (0, 50), (6, 300), (1, 70), (0, 40), (4, 100)])
    case = LONG._replace(sound=sound, lengths=[10] * 96)
    found = case.hear(2, seed=5)
    assert len(found.regions)
    assert (found.regions * GEOMETRY.frame_step > 700).all()
    assert len(found.embeddings) == len(found.subsegments.run)
    assert_same(found, heard_at_once(case))


def test_every_stage_is_timed_and_its_copies_are_counted() -> None:
    watch = Stopwatch()
    case = LONG._replace(lengths=[50] * 120)
    ears = case.ears()
    hear(stream_in(case.sound, case.lengths), ears, watch)
    assert set(watch.seconds) == {"decode", "segmentation", "embedding"}
    assert set(watch.copied) == {"segmentation", "embedding"}
    windows = sum(ears.segmentation.calls)
    assert 4 * 40 * (windows - 1) < watch.copied["segmentation"] <= 4 * 40 * windows
    # most spans lie within more than one of these short blocks
    assert 0 < watch.copied["embedding"] <= 4 * sum(ears.embedding.lengths)


def test_what_lies_within_a_block_is_not_copied_for_the_embedding() -> None:
    watch = Stopwatch()
    case = LONG._replace(lengths=[len(LONG.sound)])
    hear(stream_in(case.sound, case.lengths), case.ears(), watch)
    assert watch.copied["embedding"] == 0


def test_sound_whose_length_fits_is_not_copied_for_the_embedding() -> None:
    watch = Stopwatch()
    config = replace(SETTINGS, subsegments=replace(SETTINGS.subsegments, grid_s=0.01))
    hear(stream_in(LONG.sound, []), LONG._replace(config=config).ears(), watch)
    assert watch.copied["embedding"] == 0


@pytest.mark.parametrize("announced", [None, 0, 1000, 6000, 9000])
def test_a_listener_is_told_of_all_that_is_done(announced: int | None) -> None:
    told: dict[str, list[tuple[int, int]]] = {}
    threads: set[threading.Thread] = set()

    def listen(stage: str, done: int, total: int) -> None:
        told.setdefault(stage, []).append((done, total))
        threads.add(threading.current_thread())

    stream = stream_in(LONG.sound, [100] * 50, announced)
    found = hear(stream, LONG.ears(2), Stopwatch(), listen)
    assert threads == {threading.current_thread()}
    windows = len(found.segmentation.first_frames)
    assert told["segmentation"][-1][0] == windows
    assert told["embedding"][-1] == (len(found.embeddings), len(found.embeddings))
    for steps in told.values():
        done = [step[0] for step in steps]
        assert done == sorted(set(done))
        assert all(step[0] <= step[1] for step in steps)
    if announced == 6000:
        assert {total for _, total in told["segmentation"]} == {windows}


def nobody_left() -> bool:
    return not any(each.name.startswith("hocket") for each in threading.enumerate())


@pytest.mark.parametrize("error", [BackendError("ONNX Runtime failed"), MemoryError()])
@pytest.mark.parametrize("call", [1, 5, 40])
@pytest.mark.parametrize("threads", [1, 3])
def test_a_graph_that_fails_ends_it_all(error: Exception, call: int, threads: int) -> None:
    calls: list[int] = []

    def fail_at_last() -> None:
        calls.append(len(calls))
        if len(calls) >= call:
            raise error

    ears = ears_of(GEOMETRY, config=SETTINGS, threads=threads, before=fail_at_last)
    with pytest.raises(type(error)) as caught:
        hear(stream_in(LONG.sound, [50] * 100), ears, Stopwatch())
    assert caught.value is error
    assert nobody_left()
    assert len(calls) <= call + 20  # what was asked meanwhile is not begun any more


@pytest.mark.parametrize("error", [AudioContentError("a", "is odd", "none"), MemoryError()])
@pytest.mark.parametrize("after", [0, 3, 100])
def test_a_decoder_that_fails_ends_it_all(error: Exception, after: int) -> None:
    def blocks() -> Iterator[Waveform]:
        for _ in range(after):
            yield LONG.sound[:50]
        raise error

    with pytest.raises(type(error)) as caught:
        hear(AudioStream("sound", None, blocks()), LONG.ears(2), Stopwatch())
    assert caught.value is error
    assert nobody_left()


def test_a_listener_that_fails_ends_it_all() -> None:
    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        hear(stream_in(LONG.sound, [50] * 100), LONG.ears(2), Stopwatch(), fail)
    assert nobody_left()


def test_nobody_is_left_after_all_went_well() -> None:
    LONG.hear(3)
    assert nobody_left()


def test_decoding_waits_for_slow_graphs() -> None:
    """Or a recording would be in memory after all."""
    open_, made = threading.Event(), list[int]()

    def blocks() -> Iterator[Waveform]:
        for number in range(500):
            made.append(number)
            yield LONG.sound[:40]

    def wait() -> None:
        assert open_.wait(30)

    ears = ears_of(GEOMETRY, config=SETTINGS, threads=1, before=wait)
    stream = AudioStream("sound", None, blocks())
    thread = threading.Thread(target=hear, args=(stream, ears, Stopwatch()))
    thread.start()
    time.sleep(1)
    early = len(made)
    open_.set()
    thread.join(30)
    assert len(made) == 500
    windows = (2 + WAITING) * ears.batch * 8 * RATE // 100  # a step is 8 samples; 40 are a block
    assert early <= windows // 40 + BLOCKS_AHEAD + 5


MINUTE = 60 * 16_000


def peak_of(minutes: int) -> int:
    """Most bytes held at once while so much two people's talk is heard."""
    block = sound_of([(1, 20_000), (2, 20_000), (0, 5_000), (4, 5_000), (1, 14_000)])
    blocks = (block.copy() for _ in range(minutes * MINUTE // len(block)))
    ears = ears_of()
    tracemalloc.start()
    try:
        found = hear(AudioStream("sound", None, blocks), ears, Stopwatch())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(found.subsegments.run) > 40 * minutes
    return peak


def test_memory_does_not_grow_with_the_recording() -> None:
    """But by what the graphs said of it; the samples of ten minutes more are 38 MB."""
    short, long = peak_of(2), peak_of(12)
    assert long - short < 6e6
