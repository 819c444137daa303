"""Parakeet, GigaAM and other models by onnx-asr, which runs on ONNX Runtime."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from hocket.arrays import Waveform
from hocket.config import Runtime
from hocket.errors import RecognitionError
from hocket.recognition.settings import AUTO, RATE, RecognitionConfig, model_of, problem_of
from hocket.transcript import Segment, Word, words_of
from hocket.turns import Turn

MODEL = "nemo-parakeet-tdt-0.6b-v3"
LONGEST_TOKEN_S = 0.4  # the engine states when a token begins, not when it ends
BLANKS = ("\u2581", " ")  # begin a token that begins a word


class OnnxAsr:
    """A `Recognizer`.

    Args:
        config: what is recognized, and with which model.
        runtime: how many threads there are.
    """

    batch = 1  # the engine pads a batch to its longest clip
    longest_s = 28.0  # models are trained on up to half a minute

    def __init__(self, config: RecognitionConfig, runtime: Runtime) -> None:
        self._config, self._runtime = config, runtime
        self._model: Any = None

    def load(self) -> None:
        """Open the model; RecognitionError if it is not on this machine, or is unusable."""
        if self._model is not None:
            return
        import onnxruntime
        from onnx_asr.loader import Manager

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self._runtime.workers
        device = self._config.device
        providers = None if device == AUTO else [f"{device.upper()}ExecutionProvider"]
        name, download = model_of(self._config, MODEL), self._config.download
        try:
            manager = Manager(options, providers)
            if Path(name).is_dir():
                model = manager.create_asr(None, name, offline=True)
            else:
                model = manager.create_asr(name, offline=not download)
        except Exception as error:  # of the hub, of the file system, or of the runtime
            raise RecognitionError(problem_of("onnx-asr", name, error, download)) from error
        self._model = model.with_timestamps()

    def language_of(self, samples: Waveform) -> str | None:  # noqa: ARG002
        """None: the models recognize the languages that they know, and do not tell which."""
        return None

    def recognize(
        self,
        clips: Sequence[Waveform],
        language: str | None,
        prompt: str | None,  # noqa: ARG002
    ) -> Sequence[Sequence[Word]]:
        """The words of each clip, in seconds from its start; the models take no prompt."""
        options = {"language": language} if language else {}
        results = self._model.recognize(list(clips), sample_rate=RATE, **options)
        return [
            [*_words(result, len(clip) / RATE)] for result, clip in zip(results, clips, strict=True)
        ]


def _words(result: Any, seconds: float) -> Iterator[Word]:
    """The words of a result of onnx-asr for a clip of so many seconds."""
    if not result.timestamps:
        yield from words_of(Segment(Turn(0.0, seconds, ""), result.text))
        return
    likely = result.logprobs or [None] * len(result.tokens)
    starts = [*result.timestamps, seconds]
    text, start, end, scores = "", 0.0, 0.0, list[float]()
    for token, (first, later), score in zip(result.tokens, pairwise(starts), likely, strict=True):
        if token.startswith(BLANKS) and text:
            yield Word(start, end, text, confidence=_probability(scores))
            text, scores = "", []
        start = start if text else first
        text += token.strip("".join(BLANKS))
        end = min(later, first + LONGEST_TOKEN_S)
        scores += [] if score is None else [score]
    if text:
        yield Word(start, end, text, confidence=_probability(scores))


def _probability(scores: Sequence[float]) -> float | None:
    """Geometric mean of the probabilities of a word's tokens, whose logarithms are given."""
    return min(1.0, float(np.exp(np.mean(scores)))) if scores else None
