"""Streams on the shipped networks: results do not depend on how sound is fed."""

import asyncio
import logging
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from hocket import SpeakerStore, Stream, models
from hocket.config import Config, GraphConfig, Runtime, StreamConfig
from hocket.errors import ArgumentError, AudioContentError, ConfigError, OutputError
from hocket.graph import Tensors
from hocket.models.catalogue import read_catalogue
from hocket.online.state import KnownSpeaker
from hocket.online.stream import follow, updates_of
from hocket.online.tracker import Update
from hocket.turns import Turn
from tests.helpers.audio import noise, tone
from tests.helpers.paths import CLIPS, CONVERSATION
from tests.helpers.recorder import Recorder
from tests.helpers.shared import ONE_THREAD, RATE, result_of, samples_of

WHOLE = samples_of(CONVERSATION)
PART = WHOLE[: 13 * RATE]


def fed(
    samples: NDArray[Any], sizes: Sequence[int] = (), rate: int = RATE, **options: Any
) -> list[Update]:
    """All updates of a stream that is fed parts of these sizes, then the rest."""
    stream = Stream(rate, **{"runtime": ONE_THREAD, "refinable": False, **options})
    updates, at = [], 0
    for size in sizes:
        updates += stream.feed(samples[at : at + size])
        at += size
    updates += stream.feed(samples[at:])
    return updates + stream.finish()


@cache
def whole_stream() -> tuple[list[Update], Stream]:
    """Updates of the whole conversation, and the stream after them."""
    stream = Stream(RATE, runtime=ONE_THREAD, refinable=False)
    updates = stream.feed(WHOLE)
    return updates + stream.finish(), stream


@cache
def expected() -> list[Update]:
    """Updates of PART."""
    return fed(PART)


def finals(updates: Sequence[Update]) -> list[Turn]:
    return [turn for update in updates for turn in update.final]


def test_two_speakers_are_separated_as_they_speak() -> None:
    updates, _ = whole_stream()
    offline, spoken = result_of(CONVERSATION), sum(turn.duration for turn in finals(updates))
    others = [turn for turn in finals(updates) if turn.speaker not in offline.speakers]
    assert sum(turn.duration for turn in others) < 2  # rounding differs between processors
    assert spoken == pytest.approx(sum(t.duration for t in offline.turns), rel=0.1)


def test_speech_is_shown_within_two_seconds_and_final_within_ten() -> None:
    updates, _ = whole_stream()
    for before, update in pairwise(updates):
        assert update.time - before.time <= StreamConfig().step_s + 0.02 < 2
    for update in updates:
        assert all(update.time - turn.start <= 10 for turn in update.final)


@pytest.mark.computes
@settings(max_examples=4)
@given(st.lists(st.integers(1, 90_000), max_size=12), st.integers(1, 3))
def test_any_division_into_parts_and_any_number_of_threads_give_the_same_updates(
    sizes: list[int], threads: int
) -> None:
    assert fed(PART, sizes, runtime=Runtime(threads=threads)) == expected()


def test_single_samples_give_the_same_updates() -> None:
    few = PART[: 3 * RATE]
    assert fed(few, [1] * len(few)) == fed(few)


@pytest.mark.parametrize("rate", [8_000, 44_100])
def test_divisions_give_the_same_updates_at_another_rate(rate: int) -> None:
    sound = np.repeat(PART[4 * RATE :], 3)[:: round(48_000 / rate)]
    sizes = [1, 7, rate // 10, rate // 10 - 1, 3 * rate, 12_345]
    assert fed(sound, sizes, rate) == fed(sound, (), rate)


def test_integers_and_channels_give_the_same_updates() -> None:
    whole = (PART[4 * RATE :] * 32_767).round().astype(np.int16)
    exact = whole.astype(np.float32) / 32_768
    assert fed(whole) == fed(exact) == fed(np.stack([exact, exact], axis=1))


def test_the_caller_may_use_its_array_again() -> None:
    stream = Stream(RATE, runtime=ONE_THREAD, refinable=False)
    array, updates = np.empty(RATE, np.float32), []
    for start in range(0, len(PART), RATE):
        piece = PART[start : start + RATE]
        array[: len(piece)] = piece
        updates += stream.feed(array[: len(piece)])
        array[:] = np.nan
    assert updates + stream.finish() == expected()


def test_a_final_turn_never_changes_and_is_emitted_once() -> None:
    emitted: list[Turn] = []
    for update in whole_stream()[0]:
        for turn in update.final:
            assert all(
                turn.start >= other.end or turn.end <= other.start
                for other in emitted
                if other.speaker == turn.speaker
            )
        emitted += update.final
        assert all(0 <= turn.start < turn.end <= update.time for turn in update.tentative)


def test_every_sample_is_filtered_once_and_windows_are_segmented_as_if_alone() -> None:
    sound, exact = PART[:200_011], GraphConfig(precision="float32")
    stream = Stream(RATE, config=Config(graphs=exact), runtime=ONE_THREAD, refinable=False)
    networks, cache = stream._channels.one.networks, stream._channels.one.sinc_cache
    segmentation, filters = Recorder(networks.segmentation), Recorder(cache._graph)
    stream._channels.one.networks, cache._graph = (
        replace(networks, segmentation=segmentation),
        filters,
    )
    for part in np.array_split(sound, 7):
        stream.feed(part)
    stream.finish()
    whole = models.load("segmentation", exact, ONE_THREAD)
    for inputs in segmentation.given:
        found = segmentation.graph.run(inputs)["log_probs"]
        alone = whole.run({"waveform": inputs["waveform"]})["log_probs"]
        np.testing.assert_allclose(found, alone, 1e-6, 1e-3)
    filtered, windows = (sum(i["waveform"].size for i in g.given) for g in (filters, segmentation))
    assert filtered < 1.02 * len(sound) < windows / 2.5


@dataclass(eq=False)
class ThreadRecorder(Recorder):
    """A graph, and the threads that called it."""

    threads: set[int] = field(default_factory=set)

    def run(self, inputs: Tensors) -> dict[str, NDArray[np.float32]]:
        self.threads.add(threading.get_ident())
        return super().run(inputs)


@pytest.mark.parametrize("threads", [1, 2])
def test_a_single_window_runs_both_networks_at_once(threads: int) -> None:
    stream = Stream(RATE, runtime=Runtime(threads=threads), refinable=False)
    networks = stream._channels.one.networks
    segmentation = ThreadRecorder(networks.segmentation)
    embedding = ThreadRecorder(networks.embedder._graph)
    networks.embedder._graph = embedding
    stream._channels.one.networks = replace(networks, segmentation=segmentation)
    for part in np.split(PART[: 10 * RATE], 10):
        stream.feed(part)
    assert segmentation.threads == {threading.get_ident()}
    assert (embedding.threads == segmentation.threads) == (threads == 1)


def test_the_first_window_imports_nothing() -> None:
    program = (
        "import sys, soundfile; from hocket import Stream;"
        "sound = soundfile.read(sys.argv[1], frames=160_000)[0]; stream = Stream(16_000);"
        "before = set(sys.modules); stream.feed(sound);"
        "print(stream.state.names, sorted(set(sys.modules) - before))"
    )
    command = [sys.executable, "-c", program, str(CONVERSATION)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "('SPEAKER_00',) []\n"


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_three_speakers_are_separated_in_any_precision(precision: str) -> None:
    config = Config(graphs=GraphConfig(precision=precision))
    panel = samples_of(CLIPS / "panel03.flac")
    assert len({turn.speaker for turn in finals(fed(panel, config=config))}) == 3


def test_a_stream_that_was_not_kept_cannot_be_refined() -> None:
    stream = Stream(RATE, runtime=ONE_THREAD, refinable=False)
    with pytest.raises(ConfigError, match=r"not kept; make the stream with refinable=True$"):
        stream.finish(refine=True)


def test_a_full_disk_prevents_only_refining(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Stream(RATE, runtime=ONE_THREAD)
    assert stream._tape is not None
    stream._tape.close()

    class Full:
        def write(self, _: object) -> int:
            raise OSError(28, "No space left on device")

        def close(self) -> None:
            pass

    monkeypatch.setattr(stream._tape, "_file", Full())
    updates = stream.feed(PART)
    assert updates == expected()[: len(updates)]
    with pytest.raises(OutputError, match=r"No space left.*make room, or name another folder"):
        stream.finish(refine=True)


@pytest.mark.parametrize(
    "sound",
    [np.zeros(0, np.float32), np.zeros(400, np.float32), np.zeros(5 * RATE, np.float32), tone(6)],
)
def test_silence_and_tones_have_no_speaker(sound: NDArray[np.float32]) -> None:
    updates = fed(sound)
    assert not finals(updates)
    assert not any(update.tentative for update in updates)


def test_noise_and_non_finite_samples_are_harmless(caplog: pytest.LogCaptureFixture) -> None:
    fed(noise(12 * RATE))
    odd = PART.copy()
    odd[1000:1100], odd[5000] = np.nan, np.inf
    with caplog.at_level(logging.WARNING, logger="hocket"):
        updates = fed(odd)
    assert finals(updates)
    assert "101 samples" in caplog.text


def test_a_skipped_gap_counts_as_silence() -> None:
    half = len(PART) // 2
    stream = Stream(RATE, runtime=ONE_THREAD, refinable=False)
    updates = stream.feed(PART[:half])
    updates += stream.skip(2.5)
    updates += stream.feed(PART[half:])
    updates += stream.finish()
    quiet = np.zeros(round(2.5 * RATE), np.float32)
    whole = np.concatenate([PART[:half], quiet, PART[half:]])
    assert updates == fed(whole)


@pytest.mark.parametrize("seconds", [-1.0, np.nan, np.inf])
def test_a_gap_out_of_range_is_refused(seconds: float) -> None:
    with pytest.raises(ConfigError, match="give 0 or more"):
        Stream(RATE, runtime=ONE_THREAD, refinable=False).skip(seconds)


@pytest.mark.parametrize("rate", [-16_000, 0, 1, 10_000_000, 16_000.5])
def test_a_rate_out_of_range_is_refused(rate: int) -> None:
    with pytest.raises(AudioContentError, match=r"give a whole number of 1000 to 768000 Hz$"):
        Stream(rate, runtime=ONE_THREAD)


@pytest.mark.parametrize(
    "array", [np.zeros(3, complex), np.array(["a"]), np.zeros((2, 2, 2)), np.zeros((5, 40))]
)
def test_an_array_that_is_no_sound_is_refused(array: NDArray[Any]) -> None:
    with pytest.raises(AudioContentError, match=r"^stream: was fed an array of .*; give "):
        Stream(RATE, runtime=ONE_THREAD, refinable=False).feed(array)


def test_the_number_of_channels_stays() -> None:
    stream = Stream(RATE, runtime=ONE_THREAD, refinable=False)
    stream.feed(np.zeros((10, 2), np.float32))
    with pytest.raises(AudioContentError, match=r"with 2 channels$"):
        stream.feed(np.zeros(10, np.float32))


def test_nothing_can_be_fed_to_a_finished_stream() -> None:
    with Stream(RATE, runtime=ONE_THREAD) as stream:
        stream.finish()
        for late in (lambda: stream.feed(tone(1)), stream.finish, lambda: stream.skip(1)):
            with pytest.raises(ConfigError, match=r"^stream: is finished; make a new stream$"):
                late()


def test_delays_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"give a latest_s of at least 11\.8, not 10\.0$"):
        StreamConfig(delay_s=10.0)


def test_thresholds_are_those_of_the_embedding_model() -> None:
    stream = Stream(RATE, runtime=ONE_THREAD, refinable=False)
    theirs = read_catalogue().calibrations[stream.config.graphs.embedding]
    names = {
        **{name: f"stream_{name}" for name in ("match", "create", "update", "merge", "crowd")},
        "name": "name_distance",
        "name_early": "stream_name",
    }
    for own, listed in names.items():
        assert getattr(stream.rules.config, own) == theirs[listed], own


def test_a_first_window_that_is_longer_than_a_step_is_processed() -> None:
    """Without earlier sound, a step fits into three gates of the network, the window does not."""
    step, window = 70 * 270 / RATE, (4 + 6 * 70) * 270 / RATE
    config = Config(stream=StreamConfig(back_s=0.0, step_s=step, window_s=window))
    updates = fed(PART, config=config)
    assert updates[0].time == pytest.approx((4 + 70) * 270 / RATE)
    assert finals(updates)


def test_a_known_speaker_gets_the_name() -> None:
    offline = result_of(CONVERSATION)
    known = [
        KnownSpeaker("Ada", offline.embeddings[:1]),
        KnownSpeaker("Bo", offline.embeddings[1:]),
    ]
    updates = fed(WHOLE, known=known)
    assert {turn.speaker for turn in finals(updates)} == {"Ada", "Bo"}
    here = [turn for turn in finals(updates) if turn.speaker == "Ada"]
    there = [turn for turn in offline.turns if turn.speaker == offline.speakers[0]]
    assert sum(t.duration for t in here) == pytest.approx(sum(t.duration for t in there), rel=0.15)


def test_a_speaker_of_a_store_gets_the_name_there(tmp_path: Path) -> None:
    offline = result_of(CONVERSATION)
    with SpeakerStore(tmp_path / "voices.db") as store:
        store.enroll_cluster("Ada", offline, offline.speakers[0])
        config = Config(stream=StreamConfig(max_speakers=1))
        updates = fed(WHOLE, store=store, config=config)
    assert {turn.speaker for turn in finals(updates)} == {"Ada", "SPEAKER_01"}


def test_no_more_speakers_than_allowed() -> None:
    config = Config(stream=StreamConfig(max_speakers=1))
    assert {turn.speaker for turn in finals(fed(WHOLE, config=config))} == {"SPEAKER_00"}


def test_updates_come_by_callback_and_asynchronously() -> None:
    blocks = np.array_split(PART, 20)
    called: list[Update] = []
    follow(Stream(RATE, runtime=ONE_THREAD, refinable=False), blocks, called.append)
    assert called == expected()

    async def source() -> AsyncIterator[NDArray[np.float32]]:
        for block in blocks:
            yield block

    async def collect() -> list[Update]:
        stream = Stream(RATE, runtime=ONE_THREAD, refinable=False)
        return [update async for update in updates_of(stream, source())]

    assert asyncio.run(collect()) == expected()


def test_a_stream_continues_in_another_process(tmp_path: Any) -> None:
    """The state is a value; the next stream knows its speakers."""
    _, first = whole_stream()
    (tmp_path / "state").write_bytes(first.state.to_bytes())
    speakers = type(first.state).from_bytes((tmp_path / "state").read_bytes()).speakers()
    updates = fed(WHOLE, known=speakers)
    assert {turn.speaker for turn in finals(updates)} == {"SPEAKER_00", "SPEAKER_01"}


def test_a_burst_does_not_stay_in_memory() -> None:
    """Samples of a few windows are kept, not the half minute that was fed at once."""
    _, stream = whole_stream()
    held = sum(len(block) for block in stream._channels.one.buffer._blocks)
    assert held <= 13 * RATE


def test_a_preset_stands_for_its_config() -> None:
    assert Stream(RATE, preset="fast", refinable=False).config == Config.preset("fast")
    with pytest.raises(ConfigError, match="preset excludes config"):
        Stream(RATE, config=Config(), preset="fast")


def test_arguments_are_checked() -> None:
    with pytest.raises(ArgumentError, match=r"Stream\(\) has no argument 'refine'.*'refinable'"):
        Stream(RATE, refine=False)
    for arguments in ({"store": "team.db"}, {"name": 3}, {"runtime": 2}, {"preset": 1}):
        with pytest.raises(ArgumentError, match=f"{next(iter(arguments))} is "):
            Stream(RATE, **arguments)
