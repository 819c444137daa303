"""Whisper by faster-whisper (CTranslate2), which needs no torch."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from hocket.arrays import Waveform
from hocket.config import Runtime
from hocket.errors import RecognitionError
from hocket.recognition.settings import AUTO, RATE, RecognitionConfig, model_of, problem_of
from hocket.transcript import Word

MODEL = "small"
PRECISION = {"cpu": "int8", "cuda": "float16"}
PARTS = ("model.bin", "tokenizer.json", "config.json")  # of a model's folder
REPEATS = 2.4  # text that compresses better repeats itself (Whisper's own limit)
UNLIKELY = -1.0  # mean log-probability below which a clip without speech is left out (Whisper's)
SILENT = 0.6  # probability of no speech, as there
# Whisper may stop at a pause before the end of a clip. With these, on 18 simulated recordings, WER
# is 20.2 % instead of 21.8, and 2 % of the speech is recognized twice instead of 7.
BEAM = {"length_penalty": 1.5, "patience": 1.5}


class _Segment(NamedTuple):
    """Words with the times of their clip, and how well the text compresses."""

    words: tuple[Word, ...]
    compression_ratio: float


class FasterWhisper:
    """A `Recognizer`.

    Args:
        config: what is recognized, and with which model.
        runtime: how many threads there are.
    """

    batch, longest_s = 4, 28.0

    def __init__(self, config: RecognitionConfig, runtime: Runtime) -> None:
        self._config, self._runtime = config, runtime
        self._model: Any = None
        self._pipeline: Any = None

    def load(self) -> None:
        """Open the model; RecognitionError if it is not on this machine, or is unusable."""
        if self._model is not None:
            return
        import faster_whisper

        logging.getLogger("faster_whisper").setLevel(logging.ERROR)  # its advice is not for users
        name, config = model_of(self._config, MODEL), self._config
        if Path(name).is_dir():
            _check_folder(Path(name))
        device = _device(config.device)
        try:
            self._model = faster_whisper.WhisperModel(
                name,
                device=device,
                compute_type=PRECISION[device],
                cpu_threads=self._runtime.workers,
                local_files_only=not config.download,
            )
        except Exception as error:  # of the hub, of the file system, or of CTranslate2
            raise RecognitionError(
                problem_of("faster-whisper", name, error, config.download)
            ) from error
        self._pipeline = faster_whisper.BatchedInferencePipeline(self._model)

    def language_of(self, samples: Waveform) -> str | None:
        """Code of the language of a clip."""
        if not self._model.model.is_multilingual:
            return "en"
        language: str = self._model.detect_language(samples)[0]
        return language

    def recognize(
        self, clips: Sequence[Waveform], language: str | None, prompt: str | None
    ) -> Sequence[Sequence[Word]]:
        """The words of each clip, in seconds from its start."""
        asked = {"language": language, "initial_prompt": prompt}
        found = self._transcribed(clips, **asked)
        for index, segments in enumerate(found):
            if any(each.compression_ratio > REPEATS for each in segments):
                # once more, and no three tokens twice
                (found[index],) = self._transcribed([clips[index]], **asked, no_repeat_ngram_size=3)
        return [[word for each in segments for word in each.words] for segments in found]

    def _transcribed(self, clips: Sequence[Waveform], **options: Any) -> list[list[_Segment]]:
        """Segments of each clip, with times of the clip."""
        ends = np.cumsum([len(clip) for clip in clips])
        starts = ends - [len(clip) for clip in clips]
        places = [{"start": s / RATE, "end": e / RATE} for s, e in zip(starts, ends, strict=True)]
        segments, _ = self._pipeline.transcribe(
            np.concatenate(clips),
            word_timestamps=True,
            clip_timestamps=places,
            vad_filter=False,
            batch_size=len(clips),
            **BEAM,
            **options,
        )
        found: list[list[_Segment]] = [[] for _ in clips]
        for segment in segments:
            middle = RATE * (segment.start + segment.end) / 2
            index = min(int(np.searchsorted(ends, middle, "right")), len(clips) - 1)
            found[index].append(_segment(segment, starts[index] / RATE))
        return found


def _segment(segment: Any, start: float) -> _Segment:
    """A segment of faster-whisper with the times of a clip that begins at `start`."""
    words = tuple(
        Word(
            max(0.0, word.start - start),
            max(0.0, word.end - start),
            word.word.strip(),
            confidence=word.probability,
        )
        for word in segment.words
        if word.word.strip()
    )
    is_silent = segment.no_speech_prob > SILENT and segment.avg_logprob < UNLIKELY
    return _Segment(() if is_silent else words, segment.compression_ratio)


def _device(wanted: str) -> str:
    import ctranslate2

    if wanted != AUTO:
        return wanted
    return "cuda" if ctranslate2.get_cuda_device_count() else "cpu"


def _check_folder(folder: Path) -> None:
    """Raise RecognitionError unless a folder holds a model; a part is never fetched."""
    missing = [name for name in PARTS if not (folder / name).is_file()]
    if missing:
        problem = f"{folder}: holds no model for faster-whisper ({missing[0]} is missing)"
        raise RecognitionError(f"{problem}; give the folder of a CTranslate2 Whisper model")
