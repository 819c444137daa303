"""Recordings to transcripts, with Whisper tiny.en and with recognizers that follow rules."""

import io
from pathlib import Path
from threading import Event

import numpy as np
import pytest
import soundfile

from hocket import Diarizer, RecognitionConfig, Result, Transcriber, transcribe
from hocket.arrays import Waveform
from hocket.errors import ArgumentError, Cancelled, RecognitionError
from hocket.recognition.work import STAGE
from hocket.renaming import renamed
from hocket.transcript import Segment, Transcript, Word
from tests.helpers.paths import CONVERSATION
from tests.helpers.recognizers import TINY, Clock


@pytest.fixture(scope="module")
def conversation() -> Result:
    return Diarizer()(CONVERSATION)


def with_clock(clock: Clock) -> Transcriber:
    return Transcriber(recognizer=clock)


def test_a_conversation_of_two_named_speakers(conversation: Result) -> None:
    named = renamed(conversation, {"SPEAKER_00": "Diane", "SPEAKER_01": "Sheila"})
    seen: list[Segment] = []
    found = transcribe(CONVERSATION, model=TINY, result=named, on_segment=seen.append)
    assert tuple(seen) == found.segments
    assert found.language == "en"
    said = {
        name: " ".join(s.text for s in found.segments if s.turn.speaker == name)
        for name in found.speakers
    }
    assert set(said) == {"Diane", "Sheila"}
    for name, texts in {
        "Diane": ("Diane in New Jersey", "Chicago also"),
        "Sheila": ("originally from Chicago", "Yankee down here"),
    }.items():
        for text in texts:
            assert text in said[name]
    assert found.duration == named.duration
    assert found.result is named


def test_what_is_recognized_is_hardly_more_than_the_speech(conversation: Result) -> None:
    clock = Clock()
    found = with_clock(clock)(CONVERSATION, result=conversation)
    edges = np.zeros(round(conversation.duration * 1000) + 1, bool)
    for turn in conversation.turns:
        edges[round(turn.start * 1000) : round(turn.end * 1000)] = True
    assert clock.seconds <= 1.1 * edges.sum() / 1000
    assert clock.seconds >= edges.sum() / 1000
    assert max(map(len, clock.clips)) <= clock.longest_s * 16_000
    assert found.language == "tlh"
    assert all(0 <= s.turn.start < s.turn.end <= found.duration for s in found.segments)


@pytest.mark.parametrize("kind", ["bytes", "file", "array", "path"])
def test_every_kind_of_source_is_read_twice(conversation: Result, kind: str) -> None:
    samples, rate = soundfile.read(CONVERSATION, dtype="float32")
    source: object = {
        "bytes": Path(CONVERSATION).read_bytes(),
        "file": io.BytesIO(Path(CONVERSATION).read_bytes()),
        "array": samples,
        "path": CONVERSATION,
    }[kind]
    given = {"sample_rate": rate} if kind == "array" else {}
    found = with_clock(Clock())(source, name="talk.flac", **given)  # type: ignore[arg-type]
    assert found.uri == "talk"
    assert [s.turn for s in found.segments] == [
        s.turn for s in with_clock(Clock())(CONVERSATION, result=conversation).segments
    ]


def test_the_prompt_of_the_settings_goes_to_every_call(conversation: Result) -> None:
    clock = Clock()
    settings = RecognitionConfig(prompt="Diane, Sheila")
    Transcriber(settings, recognizer=clock)(CONVERSATION, result=conversation)
    assert clock.prompts == {"Diane, Sheila"}


def test_an_excerpt_has_the_times_of_the_whole() -> None:
    found = with_clock(Clock())(CONVERSATION, start=10.0, end=20.0)
    assert found.segments
    assert all(s.turn.start >= 9.9 and s.turn.end <= 20.0 for s in found.segments)


def test_channels_are_recognized_one_by_one(tmp_path: Path) -> None:
    samples, rate = soundfile.read(CONVERSATION, dtype="float32")
    silence = np.zeros_like(samples)
    place = tmp_path / "call.wav"
    soundfile.write(place, np.stack([samples, silence], axis=1), rate)
    clock = Clock()
    found = with_clock(clock)(place, channels="each")
    assert {s.turn.channel for s in found.segments} == {1}
    assert all(np.abs(clip).max() > 0.01 for clip in clock.clips)
    assert [s.turn.start for s in found.segments] == sorted(s.turn.start for s in found.segments)


def test_a_failure_half_way_keeps_what_was_recognized_and_all_turns(conversation: Result) -> None:
    transcriber = with_clock(Clock(fails_at=2))
    with pytest.raises(RecognitionError) as caught:
        transcriber(CONVERSATION, result=conversation)
    assert "the recognizer failed (no memory left); the turns are kept" in str(caught.value)
    kept = caught.value.transcript
    assert isinstance(kept, Transcript)
    texts = [segment.text for segment in kept.segments]
    assert any(texts)
    assert not texts[-1]  # the last turns have no words
    assert kept.segments[-1].turn == conversation.turns[-1]


def test_a_recognizer_without_words_leaves_the_turns(conversation: Result) -> None:
    found = with_clock(Clock(silent=True))(CONVERSATION, result=conversation)
    assert [segment.turn for segment in found.segments] == list(conversation.turns)
    assert not found.has_text
    assert found.notices[-1].text == "no words were recognized; the turns are kept"


def test_progress_is_told_in_seconds_and_can_be_cancelled(conversation: Result) -> None:
    told: list[tuple[str, int, int]] = []
    with_clock(Clock())(CONVERSATION, result=conversation, progress=lambda *each: told.append(each))
    assert {stage for stage, _, _ in told} == {STAGE}
    assert told[-1][1] == told[-1][2] > 10
    cancel = Event()
    cancel.set()
    with pytest.raises(Cancelled):
        with_clock(Clock())(CONVERSATION, result=conversation, cancel=cancel)


def test_nobody_speaks() -> None:
    clock = Clock()
    found = with_clock(clock)(np.zeros(16_000 * 4, np.float32), sample_rate=16_000)
    assert (found.segments, clock.calls) == ((), 0)


def test_unknown_arguments_are_errors_that_teach() -> None:
    with pytest.raises(ArgumentError, match="did you mean 'language'"):
        transcribe(CONVERSATION, lang="en")  # type: ignore[call-arg]
    with pytest.raises(ArgumentError, match="recognition is"):
        Transcriber("small")  # type: ignore[arg-type]
    assert RecognitionConfig().download is False


class Forgetful(Clock):
    """Finds words in the first three seconds of its only clip, and none in what comes again."""

    longest_s = 28.0

    def _words(self, clip: Waveform) -> list[Word]:
        return [word for word in super()._words(clip) if word.end < 3] if self.calls == 1 else []


def test_speech_without_words_is_recognized_again_and_then_told(conversation: Result) -> None:
    clock = Forgetful()
    found = with_clock(clock)(CONVERSATION, result=conversation)
    first, again = clock.clips
    assert len(first) - len(again) == pytest.approx(3 * 16_000, abs=8_000)
    [notice] = [notice for notice in found.notices if notice.kind == "words"]
    told = float(notice.text.removeprefix("no words were recognized in ").split()[0])
    assert told == pytest.approx(len(again) / 16_000, abs=0.5)  # but for silence between pieces


class Late(Forgetful):
    """Finds the rest, too, once it gets it by itself."""

    def _words(self, clip: Waveform) -> list[Word]:
        return super()._words(clip) if self.calls == 1 else Clock._words(self, clip)


def test_what_is_recognized_again_is_kept_in_its_place(conversation: Result) -> None:
    found = with_clock(Late())(CONVERSATION, result=conversation)
    words = [word for segment in found.segments for word in segment.words]
    assert {word.text for word in words} == {"w1", "w2"}
    assert max(word.end for word in words) > 28
    assert [word.start for word in words] == sorted(word.start for word in words)
    assert not [notice for notice in found.notices if notice.kind == "words"]
