"""The online engine on real graphs: whoever feeds it, and however, it says the same."""

import asyncio
import logging
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from bench.host_loops import Overheard
from hocket import Diarizer, SpeakerStore, Stream, models
from hocket.config import Config, GraphConfig, StreamConfig, Runtime
from hocket.errors import AudioContentError, ConfigError, OutputError
from hocket.graph import Tensors
from hocket.models.catalogue import read_catalogue
from hocket.online.state import KnownSpeaker
from hocket.online.stream import follow, updates_of
from hocket.online.tracker import Update
from hocket.result import Turn
from tests.places import CLIPS, CONVERSATION
from tests.sounds import noise, tone

RATE = 16_000
ONE = Runtime(threads=1)


@cache
def conversation() -> NDArray[np.float32]:
    samples, rate = soundfile.read(CONVERSATION, dtype="float32")
    assert rate == RATE
    return samples


def fed(
    samples: NDArray[Any], sizes: Sequence[int] = (), rate: int = RATE, **options: Any
) -> list[Update]:
    """All updates of a stream that is fed parts of these sizes, then the rest."""
    stream = Stream(rate, **{"runtime": ONE, "refinable": False, **options})
    updates, at = [], 0
    for size in sizes:
        updates += stream.feed(samples[at : at + size])
        at += size
    updates += stream.feed(samples[at:])
    return updates + stream.finish()


@cache
def expected() -> list[Update]:
    return fed(conversation())


def finals(updates: Sequence[Update]) -> list[Turn]:
    return [turn for update in updates for turn in update.final]


def test_two_people_are_told_apart_as_they_speak() -> None:
    names = {turn.speaker for turn in finals(expected())}
    assert names == {"SPEAKER_00", "SPEAKER_01"}
    offline = Diarizer(runtime=ONE)(conversation(), sample_rate=RATE)
    spoken = sum(turn.duration for turn in finals(expected()))
    assert spoken == pytest.approx(sum(t.duration for t in offline.turns), rel=0.1)


def test_what_was_heard_is_shown_within_two_seconds_and_final_within_ten() -> None:
    live = StreamConfig()
    for before, update in pairwise(expected()):
        assert update.time - before.time <= live.step_s + 0.02 < 2
    for update in expected():
        assert all(update.time - turn.start <= 10 for turn in update.final)


@settings(max_examples=4, deadline=None)
@given(st.lists(st.integers(1, 90_000), max_size=12), st.integers(1, 3))
def test_any_split_and_any_number_of_threads_say_the_same(sizes: list[int], threads: int) -> None:
    assert fed(conversation(), sizes, runtime=Runtime(threads=threads)) == expected()


def test_samples_one_by_one_say_the_same() -> None:
    few = conversation()[: 3 * RATE]
    assert fed(few, [1] * len(few)) == fed(few)


@pytest.mark.parametrize("rate", [8_000, 44_100])
def test_a_split_is_the_same_at_another_rate(rate: int) -> None:
    sound = np.repeat(conversation(), 3)[:: round(48_000 / rate)]
    sizes = [1, 7, rate // 10, rate // 10 - 1, 3 * rate, 12_345]
    assert fed(sound, sizes, rate) == fed(sound, (), rate)


def test_integers_and_channels_say_the_same() -> None:
    whole = (conversation() * 32_767).round().astype(np.int16)
    exact = whole.astype(np.float32) / 32_768
    assert fed(whole) == fed(exact) == fed(np.stack([exact, exact], axis=1))


def test_the_caller_may_use_its_array_again() -> None:
    stream = Stream(RATE, runtime=ONE, refinable=False)
    array, updates = np.empty(RATE, np.float32), []
    for start in range(0, len(conversation()), RATE):
        piece = conversation()[start : start + RATE]
        array[: len(piece)] = piece
        updates += stream.feed(array[: len(piece)])
        array[:] = np.nan
    assert updates + stream.finish() == expected()


def test_a_final_turn_never_changes_and_none_is_said_twice() -> None:
    said: list[Turn] = []
    for update in expected():
        for turn in update.final:
            assert all(
                turn.start >= other.end or turn.end <= other.start
                for other in said
                if other.speaker == turn.speaker
            )
        said += update.final
        assert all(0 <= turn.start < turn.end <= update.time for turn in update.tentative)


def test_filters_hear_all_sound_once_and_every_window_says_what_it_says_alone() -> None:
    sound, exact = conversation()[:200_011], GraphConfig(precision="float32")
    stream = Stream(RATE, config=Config(graphs=exact), runtime=ONE, refinable=False)
    segmentation, filters = Overheard(stream._ears.segmentation), Overheard(stream._peaks._graph)
    stream._ears = replace(stream._ears, segmentation=segmentation)
    stream._peaks._graph = filters
    for part in np.array_split(sound, 7):
        stream.feed(part)
    stream.finish()
    whole = models.load("segmentation", exact, ONE)
    for inputs in segmentation.given:
        said = segmentation.graph.run(inputs)["log_probs"]
        alone = whole.run({"waveform": inputs["waveform"]})["log_probs"]
        assert said == pytest.approx(alone, abs=1e-3)
    heard, windows = (sum(i["waveform"].size for i in g.given) for g in (filters, segmentation))
    assert heard < 1.02 * len(sound) < windows / 2.5


@dataclass(eq=False)
class Watched(Overheard):
    """A graph, and the threads that called it."""

    threads: set[int] = field(default_factory=set)

    def run(self, inputs: Tensors) -> dict[str, NDArray[np.float32]]:
        self.threads.add(threading.get_ident())
        return super().run(inputs)


@pytest.mark.parametrize("threads", [1, 2])
def test_a_window_that_comes_alone_has_both_graphs_at_once(threads: int) -> None:
    stream = Stream(RATE, runtime=Runtime(threads=threads), refinable=False)
    segmentation, embedding = Watched(stream._ears.segmentation), Watched(stream._ears.embedding)
    stream._ears = replace(stream._ears, segmentation=segmentation, embedding=embedding)
    for part in np.split(conversation()[: 10 * RATE], 10):
        stream.feed(part)
    assert segmentation.threads == {threading.get_ident()}
    assert (embedding.threads == segmentation.threads) == (threads == 1)


def test_the_first_window_waits_for_no_library() -> None:
    told = (
        "import sys, soundfile; from hocket import Stream;"
        "sound = soundfile.read(sys.argv[1], frames=160_000)[0]; stream = Stream(16_000);"
        "before = set(sys.modules); stream.feed(sound);"
        "print(stream.state.names, sorted(set(sys.modules) - before))"
    )
    command = [sys.executable, "-c", told, str(CONVERSATION)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "('SPEAKER_00',) []\n"


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_three_people_are_told_apart_in_any_precision(precision: str) -> None:
    config = Config(graphs=GraphConfig(precision=precision))
    panel = soundfile.read(CLIPS / "panel03.flac", dtype="float32")[0]
    assert len({turn.speaker for turn in finals(fed(panel, config=config))}) == 3


def test_refined_is_the_offline_result() -> None:
    for rate in (RATE, 22_050):
        stream = Stream(rate, runtime=ONE)
        for start in range(0, len(conversation()), 50_000):
            stream.feed(conversation()[start : start + 50_000])
        refined = stream.finish(refine=True)
        offline = Diarizer(runtime=ONE)(conversation(), sample_rate=rate, name="stream")
        assert refined.turns == offline.turns
        assert refined.uri == "stream"
        np.testing.assert_array_equal(refined.embeddings, offline.embeddings)


def test_what_was_not_kept_cannot_be_refined() -> None:
    stream = Stream(RATE, runtime=ONE, refinable=False)
    with pytest.raises(ConfigError, match=r"not kept; make the stream with refinable=True$"):
        stream.finish(refine=True)


def test_a_full_disk_loses_nothing_but_refining(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Stream(RATE, runtime=ONE)
    assert stream._tape is not None
    stream._tape.close()

    class Full:
        def write(self, _: object) -> int:
            raise OSError(28, "No space left on device")

        def close(self) -> None:
            pass

    monkeypatch.setattr(stream._tape, "_file", Full())
    updates = stream.feed(conversation())
    assert updates == expected()[: len(updates)]
    with pytest.raises(OutputError, match=r"No space left.*make room, or name another folder"):
        stream.finish(refine=True)


@pytest.mark.parametrize(
    "sound",
    [np.zeros(0, np.float32), np.zeros(400, np.float32), np.zeros(5 * RATE, np.float32), tone(6)],
)
def test_nobody_speaks_in_silence_or_in_a_tone(sound: NDArray[np.float32]) -> None:
    updates = fed(sound)
    assert not finals(updates)
    assert not any(update.tentative for update in updates)


def test_noise_and_odd_numbers_break_nothing(caplog: pytest.LogCaptureFixture) -> None:
    fed(noise(12 * RATE))
    odd = conversation().copy()
    odd[1000:1100], odd[5000] = np.nan, np.inf
    with caplog.at_level(logging.WARNING, logger="hocket"):
        updates = fed(odd)
    assert {turn.speaker for turn in finals(updates)} == {"SPEAKER_00", "SPEAKER_01"}
    assert "101 samples" in caplog.text


def test_silence_stands_for_what_was_lost() -> None:
    half = len(conversation()) // 2
    stream = Stream(RATE, runtime=ONE, refinable=False)
    updates = stream.feed(conversation()[:half])
    updates += stream.skip(2.5)
    updates += stream.feed(conversation()[half:])
    updates += stream.finish()
    quiet = np.zeros(round(2.5 * RATE), np.float32)
    whole = np.concatenate([conversation()[:half], quiet, conversation()[half:]])
    assert updates == fed(whole)


@pytest.mark.parametrize("seconds", [-1.0, np.nan, np.inf])
def test_a_gap_that_makes_no_sense_is_refused(seconds: float) -> None:
    with pytest.raises(ConfigError, match="give 0 or more"):
        Stream(RATE, runtime=ONE, refinable=False).skip(seconds)


@pytest.mark.parametrize("rate", [-16_000, 0, 1, 10_000_000, 16_000.5])
def test_a_rate_that_makes_no_sense_is_refused(rate: int) -> None:
    with pytest.raises(AudioContentError, match=r"give a whole number of 1000 to 768000 Hz$"):
        Stream(rate, runtime=ONE)


@pytest.mark.parametrize(
    "array", [np.zeros(3, complex), np.array(["a"]), np.zeros((2, 2, 2)), np.zeros((5, 40))]
)
def test_an_array_of_no_sound_is_refused(array: NDArray[Any]) -> None:
    with pytest.raises(AudioContentError, match=r"^stream: was fed an array of .*; give "):
        Stream(RATE, runtime=ONE, refinable=False).feed(array)


def test_the_number_of_channels_stays() -> None:
    stream = Stream(RATE, runtime=ONE, refinable=False)
    stream.feed(np.zeros((10, 2), np.float32))
    with pytest.raises(AudioContentError, match=r"with 2 channels$"):
        stream.feed(np.zeros(10, np.float32))


def test_nothing_can_be_fed_to_a_finished_stream() -> None:
    with Stream(RATE, runtime=ONE) as stream:
        stream.finish()
        for late in (lambda: stream.feed(tone(1)), stream.finish, lambda: stream.skip(1)):
            with pytest.raises(ConfigError, match=r"^stream: is finished; make a new stream$"):
                late()


def test_settings_that_cannot_keep_their_promise_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"give a latest_s of at least 11\.8, not 10\.0$"):
        StreamConfig(delay_s=10.0)


def test_thresholds_are_those_of_the_embedding_model() -> None:
    stream = Stream(RATE, runtime=ONE, refinable=False)
    theirs = read_catalogue().calibrations[stream.config.graphs.embedding]
    names = {
        **{name: f"stream_{name}" for name in ("match", "create", "update", "merge", "crowd")},
        "name": "name_distance",
        "name_early": "stream_name",
    }
    for own, listed in names.items():
        assert getattr(stream.rules.limits, own) == theirs[listed], own


def test_a_first_window_that_is_longer_than_a_step_is_heard() -> None:
    """Without sound from before: a step fits into three of the network's gates, the window not."""
    step, window = 70 * 270 / RATE, (4 + 6 * 70) * 270 / RATE
    config = Config(stream=StreamConfig(back_s=0.0, step_s=step, window_s=window))
    updates = fed(conversation(), config=config)
    assert updates[0].time == pytest.approx((4 + 70) * 270 / RATE)
    assert finals(updates)


def test_a_known_voice_is_called_by_its_name() -> None:
    offline = Diarizer(runtime=ONE)(conversation(), sample_rate=RATE)
    known = [
        KnownSpeaker("Ada", offline.embeddings[:1]),
        KnownSpeaker("Bo", offline.embeddings[1:]),
    ]
    updates = fed(conversation(), known=known)
    assert {turn.speaker for turn in finals(updates)} == {"Ada", "Bo"}
    here = [turn for turn in finals(updates) if turn.speaker == "Ada"]
    there = [turn for turn in offline.turns if turn.speaker == offline.speakers[0]]
    assert sum(t.duration for t in here) == pytest.approx(sum(t.duration for t in there), rel=0.15)


def test_who_is_in_a_store_is_called_by_the_name_there(tmp_path: Path) -> None:
    offline = Diarizer(runtime=ONE)(conversation(), sample_rate=RATE)
    with SpeakerStore(tmp_path / "voices.db") as store:
        store.enroll_cluster("Ada", offline, offline.speakers[0])
        updates = fed(conversation(), store=store, config=Config(stream=StreamConfig(max_speakers=1)))
    assert {turn.speaker for turn in finals(updates)} == {"Ada", "SPEAKER_01"}


def test_no_more_speakers_than_allowed() -> None:
    config = Config(stream=StreamConfig(max_speakers=1))
    assert {turn.speaker for turn in finals(fed(conversation(), config=config))} == {"SPEAKER_00"}


def test_updates_come_by_callback_and_asynchronously() -> None:
    blocks = np.array_split(conversation(), 40)
    called: list[Update] = []
    follow(Stream(RATE, runtime=ONE, refinable=False), blocks, called.append)
    assert called == expected()

    async def source() -> AsyncIterator[NDArray[np.float32]]:
        for block in blocks:
            yield block

    async def collect() -> list[Update]:
        stream = Stream(RATE, runtime=ONE, refinable=False)
        return [update async for update in updates_of(stream, source())]

    assert asyncio.run(collect()) == expected()


def test_a_stream_goes_on_in_another_process(tmp_path: Any) -> None:
    """The state is a value; what it is fed to goes on with the speakers it knows."""
    first = Stream(RATE, runtime=ONE, refinable=False)
    first.feed(conversation())
    first.finish()
    (tmp_path / "state").write_bytes(first.state.to_bytes())
    speakers = type(first.state).from_bytes((tmp_path / "state").read_bytes()).speakers()
    updates = fed(conversation(), known=speakers)
    assert {turn.speaker for turn in finals(updates)} == {"SPEAKER_00", "SPEAKER_01"}


def hour_of(minutes: int) -> Iterator[NDArray[np.float32]]:
    for _ in range(minutes * 2):
        yield conversation()


def test_a_burst_is_heard_in_little_memory() -> None:
    """What waits of a burst is a few windows, not the burst."""
    stream = Stream(RATE, runtime=ONE, refinable=False)
    stream.feed(np.concatenate(list(hour_of(2))))
    held = sum(len(block) for block in stream._buffer._blocks)
    assert held <= 13 * RATE
