"""Who said what: a recording is diarized, its speech recognized, each word given to a speaker."""

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import PurePath
from threading import Event
from typing import Any

import numpy as np

from hocket.arguments import check_callable, check_type, known_names_only
from hocket.attribution import attributed, note_misfits
from hocket.audio.reading import MIX, AudioSource, Selection, Source, name_of, select
from hocket.config import Config, Runtime
from hocket.notices import Notices
from hocket.offline.diarizer import Diarizer
from hocket.offline.progress import ProgressCallback
from hocket.recognition.engine import Recognizer, open_recognizer
from hocket.recognition.settings import AUTO, RATE, RecognitionConfig
from hocket.recognition.work import Work
from hocket.result import Result
from hocket.transcript import Segment, Transcript

SegmentCallback = Callable[[Segment], None]


class Transcriber:
    """Answers "who said what".

    Args:
        recognition: how speech is recognized.
        config: how it is diarized; as for `Diarizer`.
        runtime: how many threads both may use.
        preset: accurate, balanced or fast, in place of a config.
        recognizer: an engine of the caller's own, in place of one that hocket opens.

    Raises:
        ArgumentError: an argument is unknown or of the wrong type.
        ConfigError: there is no such engine or preset, or both a preset and a config are given.
        ExtraError: no speech recognizer is installed.
    """

    @known_names_only
    def __init__(
        self,
        recognition: RecognitionConfig | None = None,
        *,
        config: Config | None = None,
        runtime: Runtime | None = None,
        preset: str | None = None,
        recognizer: Recognizer | None = None,
    ) -> None:
        check_type("recognition", recognition, RecognitionConfig | None)
        self.recognition = recognition or RecognitionConfig()
        self.diarizer = Diarizer(config, runtime, preset=preset)
        self.recognizer = recognizer or open_recognizer(self.recognition, self.diarizer.runtime)

    @known_names_only
    def __call__(
        self,
        source: AudioSource,
        *,
        result: Result | None = None,
        num_speakers: int | None = None,
        track: int | None = None,
        channels: int | str = MIX,
        start: float | None = None,
        end: float | None = None,
        sample_rate: int | None = None,
        name: str | None = None,
        whole_sentences: bool = False,
        on_segment: SegmentCallback | None = None,
        progress: ProgressCallback | None = None,
        cancel: Event | None = None,
    ) -> Transcript:
        """Transcribe a recording.

        Args:
            source: as for `Diarizer.__call__`; it is read twice, and a file object kept as bytes.
            result: who speaks when, with names if they are known. Default: it is found.
            num_speakers: exact number of speakers, if known. Default: it is estimated.
            track: number of the audio track, from 1. Default: the one marked as default.
            channels: mix, each by itself (each), or the number of one, from 1. Default: mix.
            start: where to begin, in seconds. Default: 0.
            end: where to end, in seconds. Default: the end of the recording.
            sample_rate: Hz, of an array of samples; files carry their own.
            name: what the transcript calls the recording. Default: the file's name.
            whole_sentences: whether all words of a sentence get the speaker of most of it.
            on_segment: called with every segment as soon as it is complete.
            progress: as for `Diarizer.__call__`; the stage "recognition" is counted in seconds.
            cancel: an event that ends the work when it is set, from any thread.

        Raises:
            HocketError: as for `Diarizer.__call__`.
            RecognitionError: the model is not on this machine, or the engine failed. What was
                recognized until then is its `transcript`, with all turns.
        """
        check_type("result", result, Result | None)
        check_callable("on_segment", on_segment)
        self.recognizer.load()  # what is missing is reported before the slow half
        content = _rereadable(source)
        part: Any = {"track": track, "channels": channels, "start": start, "end": end}
        name = name_of(source) if name is None else name
        selection = select(content, name, track, channels, start, end, None)
        if result is None:
            about: Any = {"sample_rate": sample_rate, "name": name, "num_speakers": num_speakers}
            result = self.diarizer(content, **part, **about, progress=progress, cancel=cancel)
        speech_s = sum(turn.duration for turn in result.exclusive_turns)
        language, prompt = self.recognition.language, self.recognition.prompt
        work = Work(self.recognizer, language, prompt, speech_s, progress, cancel)
        recording = Source(content, sample_rate, RATE, name)
        return _transcribed(work, recording, selection, result, on_segment, whole_sentences)


def _transcribed(
    work: Work,
    recording: Source,
    selection: Selection,
    result: Result,
    on_segment: SegmentCallback | None,
    whole_sentences: bool,
) -> Transcript:
    """The transcript of a recording; each channel by itself, if it was diarized so."""
    segments: list[Segment] = []
    notices = Notices(result.uri, result.notices)
    for channel in dict.fromkeys(turn.channel for turn in result.turns):
        own = _of_channel(result, channel)
        used = replace(selection, channel=channel or selection.channel, each=False)
        with recording.opened(used, Notices(recording.name, result.notices)) as stream:
            clips = work.clips(stream.blocks, own.turns, stream.start_s)
            words = work.words(clips)
            for segment in attributed(words, own, whole_sentences=whole_sentences):
                segments.append(segment)
                if on_segment:
                    on_segment(segment)
    if work.failure:
        transcript = _transcript(segments, result, work.language, notices, failed=True)
        work.failure.transcript = transcript
        raise work.failure
    note_misfits(segments, result, notices)
    if segments and work.wordless_s:
        notices.add("words", f"no words were recognized in {work.wordless_s:.1f} s of speech")
    return _transcript(segments, result, work.language, notices)


def _of_channel(result: Result, channel: int | None) -> Result:
    turns, exclusive = (
        tuple(turn for turn in kind if turn.channel == channel)
        for kind in (result.turns, result.exclusive_turns)
    )
    return replace(result, turns=turns, exclusive_turns=exclusive)


def _transcript(
    segments: Sequence[Segment],
    result: Result,
    language: str | None,
    notices: Notices,
    *,
    failed: bool = False,
) -> Transcript:
    """All segments; if recognition failed, or found nothing, the other turns too."""
    found = list(segments)
    if failed or not segments:
        last = max((segment.turn.end for segment in segments), default=0.0)
        found += [Segment(turn) for turn in result.turns if turn.start >= last]
    ordered = tuple(sorted(found, key=lambda segment: segment.turn))
    return Transcript(result.uri, result.duration, ordered, language, tuple(notices), result)


def _rereadable(source: AudioSource) -> AudioSource:
    """The source, or its bytes if it is a file object, which can be read only once."""
    if isinstance(source, str | PurePath | bytes | bytearray | memoryview | np.ndarray):
        return source
    if isinstance(source, os.PathLike) or not hasattr(source, "read"):
        return source  # what is nothing of all this is reported when it is opened
    content: bytes = source.read()
    return content


@known_names_only
def transcribe(
    source: AudioSource,
    *,
    engine: str = AUTO,
    model: str | None = None,
    language: str | None = None,
    prompt: str | None = None,
    device: str = AUTO,
    download: bool = False,
    result: Result | None = None,
    preset: str = "balanced",
    num_speakers: int | None = None,
    sample_rate: int | None = None,
    name: str | None = None,
    whole_sentences: bool = False,
    on_segment: SegmentCallback | None = None,
    progress: ProgressCallback | None = None,
    cancel: Event | None = None,
) -> Transcript:
    """Transcribe one recording. For several, or a part of one, there is `Transcriber`.

    Args:
        source: a path, encoded bytes, a binary file object, or an array of samples.
        engine: faster-whisper or onnx-asr. Default: the first of them that is installed.
        model: a name that the engine knows, or the folder of a model. Default: the engine's.
        language: code of the language, such as "en". Default: found by the engine.
        prompt: text that shows how names and terms are spelled; for Whisper.
        device: cpu or cuda. Default: cuda where there is one.
        download: whether the engine may fetch a model that is not on this machine. Default: no.
        result: who speaks when, with names if they are known. Default: it is found.
        preset: accurate, balanced or fast. Default: balanced.
        num_speakers: exact number of speakers, if known. Default: it is estimated.
        sample_rate: Hz, of an array of samples; files carry their own.
        name: what the transcript calls the recording. Default: the file's name.
        whole_sentences: whether all words of a sentence get the speaker of most of it.
        on_segment: called with every segment as soon as it is complete.
        progress: called with a stage, what is done of it and how much there is in all.
        cancel: an event that ends the work when it is set, from any thread.

    Raises:
        ExtraError: no speech recognizer is installed.
        HocketError: as for `Transcriber.__call__`.
    """
    recognition = RecognitionConfig(engine, model, language, prompt, device, download)
    return Transcriber(recognition, preset=preset)(
        source,
        result=result,
        num_speakers=num_speakers,
        sample_rate=sample_rate,
        name=name,
        whole_sentences=whole_sentences,
        on_segment=on_segment,
        progress=progress,
        cancel=cancel,
    )
