"""Inference: progress, cancelling, errors, back-pressure and memory."""

import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator

import pytest

from hocket.arrays import Waveform
from hocket.audio.reading import AudioStream
from hocket.errors import AudioContentError, BackendError, Cancelled
from hocket.offline.inference import BLOCKS_AHEAD, CALLS_PER_WORKER
from hocket.offline.progress import Progress
from tests.helpers.geometry import SMALL
from tests.helpers.inference import CONFIG, LONG_SOUND, assert_same
from tests.helpers.rule_networks import (
    RuleInference,
    nothing,
    rule_inference,
    sound_of,
    stream_in,
)

BLOCKS = [50] * 100


def inference(threads: int = 2, before: Callable[[], None] = nothing) -> RuleInference:
    return rule_inference(SMALL, config=CONFIG, threads=threads, before=before)


def threads_left() -> list[str]:
    return [each.name for each in threading.enumerate() if each.name.startswith("hocket")]


# --- progress


@pytest.mark.parametrize("announced", [None, 0, 1000, 6000, 9000])
def test_progress_reaches_the_total_of_every_stage(announced: int | None) -> None:
    calls: dict[str, list[tuple[int, int]]] = {}
    called_on: set[threading.Thread] = set()

    def progress(stage: str, done: int, total: int) -> None:
        calls.setdefault(stage, []).append((done, total))
        called_on.add(threading.current_thread())

    found = inference().infer(stream_in(LONG_SOUND, BLOCKS, announced), progress=progress)
    assert called_on == {threading.current_thread()}
    windows = len(found.segmentation.first_frames)
    assert calls["segmentation"][-1][0] == windows
    assert calls["embedding"][-1] == (len(found.embeddings), len(found.embeddings))
    for steps in calls.values():
        done = [step[0] for step in steps]
        assert done == sorted(set(done))
        assert all(step[0] <= step[1] for step in steps)
    if announced == 6000:
        assert {total for _, total in calls["segmentation"]} == {windows}


def test_progress_never_exceeds_its_total() -> None:
    calls: list[tuple[str, int, int]] = []
    progress = Progress(None, lambda *call: calls.append(call))
    for stage, number, total in (("a", 3, 5), ("b", 1, 1), ("a", 4, 5)):
        progress.advance(stage, number, total)
    assert calls == [("a", 3, 5), ("b", 1, 1), ("a", 7, 7)]
    Progress(None, None).advance("a", 1, 1)


# --- cancelling


def test_an_event_that_is_never_set_changes_nothing() -> None:
    found = inference().infer(stream_in(LONG_SOUND, BLOCKS), cancel=threading.Event())
    assert_same(found, inference().infer(stream_in(LONG_SOUND, BLOCKS)))


def test_a_recording_cancelled_from_the_start_runs_no_network() -> None:
    cancel = threading.Event()
    cancel.set()
    rules = inference()
    with pytest.raises(Cancelled, match="cancelled before the result was complete"):
        rules.infer(stream_in(LONG_SOUND, BLOCKS), cancel=cancel)
    assert rules.segmentation.calls == rules.embedding.lengths == []
    assert threads_left() == []


@pytest.mark.parametrize("stage", ["segmentation", "embedding"])
def test_cancelling_midway_stops_soon_and_leaves_no_thread(stage: str) -> None:
    cancel, rules = threading.Event(), inference()

    def progress(name: str, done: int, _: int) -> None:
        if name == stage and done >= 40:
            cancel.set()

    with pytest.raises(Cancelled):
        rules.infer(stream_in(LONG_SOUND, BLOCKS), progress=progress, cancel=cancel)
    assert 40 <= sum(rules.segmentation.calls) < 300  # of 600
    assert threads_left() == []


def test_a_recording_may_be_cancelled_from_another_thread() -> None:
    cancel, begun = threading.Event(), threading.Event()

    def slowly() -> None:
        begun.set()
        time.sleep(0.01)

    def set_once_begun() -> None:
        assert begun.wait(20)
        cancel.set()

    thread = threading.Thread(target=set_once_begun)
    thread.start()
    with pytest.raises(Cancelled):
        inference(before=slowly).infer(stream_in(LONG_SOUND, BLOCKS), cancel=cancel)
    thread.join()
    assert threads_left() == []


# --- errors


@pytest.mark.parametrize(
    ("error", "call", "threads"),
    [
        (BackendError("ONNX Runtime failed"), 1, 3),
        (MemoryError(), 5, 1),
        (BackendError("ONNX Runtime failed"), 40, 3),
    ],
)
def test_an_error_of_a_network_ends_inference(error: Exception, call: int, threads: int) -> None:
    calls: list[int] = []

    def fail_from_call() -> None:
        calls.append(len(calls))
        if len(calls) >= call:
            raise error

    with pytest.raises(type(error)) as caught:
        inference(threads, fail_from_call).infer(stream_in(LONG_SOUND, BLOCKS))
    assert caught.value is error
    assert threads_left() == []
    assert len(calls) <= call + 20  # calls that wait are not begun any more


@pytest.mark.parametrize("after", [0, 3, 100])
def test_an_error_of_the_decoder_ends_inference(after: int) -> None:
    error = AudioContentError("a", "is odd", "none") if after else MemoryError()

    def blocks() -> Iterator[Waveform]:
        for _ in range(after):
            yield LONG_SOUND[:50]
        raise error

    with pytest.raises(type(error)) as caught:
        inference().infer(AudioStream("sound", None, blocks()))
    assert caught.value is error
    assert threads_left() == []


def test_an_error_of_the_progress_callback_ends_inference() -> None:
    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        inference().infer(stream_in(LONG_SOUND, BLOCKS), progress=fail)
    assert threads_left() == []


def test_no_thread_is_left_after_success() -> None:
    inference(3).infer(stream_in(LONG_SOUND, BLOCKS))
    assert threads_left() == []


# --- back-pressure and memory


def test_decoding_waits_for_slow_networks() -> None:
    """Otherwise the recording would be in memory after all."""
    opened, made = threading.Event(), list[int]()

    def blocks() -> Iterator[Waveform]:
        for number in range(500):
            made.append(number)
            yield LONG_SOUND[:40]

    def wait() -> None:
        assert opened.wait(30)

    rules = inference(1, wait)
    stream = AudioStream("sound", None, blocks())
    thread = threading.Thread(target=rules.infer, args=(stream,))
    thread.start()
    time.sleep(0.4)
    early = len(made)
    opened.set()
    thread.join(30)
    assert len(made) == 500
    samples = (1 + CALLS_PER_WORKER) * rules.config.windows.batch * 8  # 8 samples a step
    assert early <= samples // 40 + BLOCKS_AHEAD + 5


MINUTE = 60 * 16_000


def peak_of(minutes: int) -> int:
    """Most bytes held at once during inference over a conversation of this length."""
    block = sound_of([(1, 20_000), (2, 20_000), (0, 5_000), (4, 5_000), (1, 14_000)])
    blocks = (block.copy() for _ in range(minutes * MINUTE // len(block)))
    tracemalloc.start()
    try:
        found = rule_inference().infer(AudioStream("sound", None, blocks))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(found.subsegments.region) > 40 * minutes
    return peak


def test_memory_does_not_grow_with_the_samples() -> None:
    """It grows by the networks' output only; the samples of six minutes more are 23 MB."""
    short, long = peak_of(2), peak_of(8)
    assert long - short < 7e6
