"""Streams to segments: every word once, near the time it was spoken, whatever the blocks."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import soundfile

from hocket import RecognitionConfig, Stream
from hocket.errors import ConfigError
from hocket.online.tracker import Update
from hocket.recognition.live import LiveTranscriber
from hocket.transcript import Segment
from tests.helpers.paths import CONVERSATION
from tests.helpers.recognizers import TINY, Clock


@pytest.fixture(scope="module")
def speech() -> np.ndarray:
    samples, _ = soundfile.read(CONVERSATION, dtype="float32")
    return np.asarray(samples, np.float32)


def transcribed(
    samples: np.ndarray, live: LiveTranscriber, size: int = 1_600
) -> list[tuple[float, Segment]]:
    """Segments, and how many seconds were fed when they came."""
    found = [
        (min(first + size, len(samples)) / 16_000, segment)
        for first in range(0, len(samples), size)
        for segment in live.feed(samples[first : first + size])
    ]
    return [*found, *((len(samples) / 16_000, segment) for segment in live.finish())]


def test_final_words_under_final_speakers(speech: np.ndarray) -> None:
    live = LiveTranscriber(16_000, RecognitionConfig(model=TINY))
    found = [segment for _, segment in transcribed(speech, live)]
    assert live.failure is None
    assert [s.turn.start for s in found] == sorted(s.turn.start for s in found)
    said = " ".join(segment.text for segment in found)
    for text in ("Diane in New Jersey", "Yankee down here"):
        assert said.count(text) == 1
    speakers = {word.text: segment.turn.speaker for segment in found for word in segment.words}
    assert speakers["Diane"] != speakers["Yankee"]


@pytest.mark.parametrize("size", [1_600, 7_777, 480_000])
def test_blocks_of_any_size_make_the_same_segments(speech: np.ndarray, size: int) -> None:
    found = [s for _, s in transcribed(speech, LiveTranscriber(16_000, recognizer=Clock()), size)]
    usual = [s for _, s in transcribed(speech, LiveTranscriber(16_000, recognizer=Clock()))]
    assert [segment.turn for segment in found] == [segment.turn for segment in usual]


def test_updates_and_segments_of_two_threads_are_those_of_one(speech: np.ndarray) -> None:
    usual = [s for _, s in transcribed(speech, LiveTranscriber(16_000, recognizer=Clock()))]
    live, stream = LiveTranscriber(16_000, recognizer=Clock()), Stream(16_000, refinable=False)
    updates, expected, found = list[Update](), list[Update](), list[Segment]()
    with ThreadPoolExecutor(1) as other:
        for first in range(0, len(speech), 7_777):
            block = speech[first : first + 7_777]
            updates += live.advance(block)
            found += other.submit(list, live.recognize()).result()
            expected += stream.feed(block)
        updates += live.end()
    assert live.waiting_s > 0
    found += live.recognize()
    assert live.waiting_s == 0
    assert updates == expected + stream.finish()
    assert [segment.turn for segment in found] == [segment.turn for segment in usual]


def test_segments_come_soon_and_all_speech_is_recognized_once(speech: np.ndarray) -> None:
    clock = Clock()
    live = LiveTranscriber(16_000, RecognitionConfig(prompt="Diane"), recognizer=clock)
    twice = np.concatenate([speech, np.zeros(16_000 * 60, np.float32), speech])
    found = transcribed(twice, live)
    assert clock.prompts == {"Diane"}
    assert max(time - segment.turn.end for time, segment in found) < 20
    words = [word for _, segment in found for word in segment.words]
    assert len({(word.start, word.end) for word in words}) == len(words)
    starts = [word.start for word in words]
    assert starts == sorted(starts)
    assert sum(27 < start < 92 for start in starts) <= 6  # of the end of the first conversation
    assert live._sound.end == len(twice)
    assert sum(map(len, live._sound._blocks)) < 16_000 * 25  # what is not needed is released


def test_a_recognizer_that_fails_leaves_the_turns(speech: np.ndarray) -> None:
    live = LiveTranscriber(16_000, recognizer=Clock(fails_at=2))
    found = [segment for _, segment in transcribed(speech, live)]
    assert "the recognizer failed (no memory left)" in str(live.failure)
    assert found[0].text
    assert not found[-1].text
    assert found[-1].turn.end > 27


def test_stereo_at_another_rate_and_one_channel(speech: np.ndarray) -> None:
    voice = np.repeat(speech[: 16_000 * 20], 3)  # 48 kHz, crudely
    stereo = np.stack([np.zeros_like(voice), voice], axis=1)
    for channels in ("mix", 2):
        clock = Clock()
        live = LiveTranscriber(48_000, recognizer=clock, channels=channels)
        found = [s for _, s in transcribed(stereo, live, 4_800)]
        assert found
        assert 10 < clock.seconds < 16


def test_channels_each_is_an_error_that_teaches() -> None:
    with pytest.raises(ConfigError, match="channels is each; give mix, or the number of one"):
        LiveTranscriber(16_000, recognizer=Clock(), channels="each")


def test_long_speech_is_cut_and_its_rest_is_kept(speech: np.ndarray) -> None:
    spoken = speech[round(21.9 * 16_000) : round(27.4 * 16_000)]
    live = LiveTranscriber(16_000, recognizer=Clock())
    found = [segment for _, segment in transcribed(np.concatenate([spoken] * 7), live)]
    covered = np.zeros(40, bool)
    for segment in found:
        for word in segment.words:
            covered[int(word.start)] = True
    assert covered[:38].mean() > 0.9
