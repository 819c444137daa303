"""Recognizers: what hocket needs of one, and which is used."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Protocol

from hocket.arrays import Waveform
from hocket.config import Runtime
from hocket.errors import ConfigError, ExtraError
from hocket.recognition import faster_whisper, onnx_asr
from hocket.recognition.settings import AUTO, RecognitionConfig
from hocket.transcript import Word


class Recognizer(Protocol):
    """Speech to words. A new one is a file with a class like this, and a line in ENGINES."""

    batch: int
    """Clips that are best recognized at once."""
    longest_s: float
    """Longest clip, in seconds."""

    def load(self) -> None:
        """Open the model; RecognitionError if that cannot be done."""

    def language_of(self, samples: Waveform) -> str | None:
        """Code of the language of a clip, such as "en"; None if the engine does not tell."""

    def recognize(
        self, clips: Sequence[Waveform], language: str | None, prompt: str | None
    ) -> Sequence[Sequence[Word]]:
        """The words of each clip, in seconds from its start.

        Args:
            clips: (samples,) each, at 16 kHz.
            language: code of the language; None if it is not known.
            prompt: text that shows how names and terms are spelled, for engines that use it.
        """


@dataclass(frozen=True)
class Engine:
    """A library for speech recognition.

    module: that it is imported as.
    open: makes a recognizer from settings.
    """

    module: str
    open: Callable[[RecognitionConfig, Runtime], Recognizer]


ENGINES: Mapping[str, Engine] = {
    "faster-whisper": Engine("faster_whisper", faster_whisper.FasterWhisper),
    "onnx-asr": Engine("onnx_asr", onnx_asr.OnnxAsr),
}
"""Engines by name, the preferred first."""

INSTALL = {name: f'run "pip install {name}"' for name in ENGINES}
INSTALL |= dict.fromkeys((AUTO, "faster-whisper"), "run \"pip install 'hocket[asr]'\"")


def open_recognizer(config: RecognitionConfig, runtime: Runtime) -> Recognizer:
    """The recognizer that settings name, not loaded yet.

    Raises:
        ConfigError: there is no such engine.
        ExtraError: it is not installed.
    """
    if config.engine != AUTO and config.engine not in ENGINES:
        known = ", ".join((AUTO, *ENGINES))
        raise ConfigError(f"engine is '{config.engine}'; give one of {known}")
    wanted = list(ENGINES) if config.engine == AUTO else [config.engine]
    for name in wanted:
        if find_spec(ENGINES[name].module):
            return ENGINES[name].open(config, runtime)
    missing = "no speech recognizer is" if config.engine == AUTO else f"{config.engine} is not"
    raise ExtraError(f"{missing} installed; {INSTALL[config.engine]}")
