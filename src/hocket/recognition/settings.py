"""Settings of speech recognition."""

import os
from dataclasses import dataclass
from pathlib import Path

from hocket.arguments import check_type
from hocket.errors import ConfigError

AUTO = "auto"
RATE = 16_000  # Hz, of what every recognizer gets
DEVICES = (AUTO, "cpu", "cuda")


@dataclass(frozen=True)
class RecognitionConfig:
    """How speech is recognized.

    engine: faster-whisper or onnx-asr; auto: the first of them that is installed.
    model: a name that the engine knows, or the folder of a model; None: that of the environment
        variable HOCKET_ASR_MODEL, else the engine's default.
    language: code of the language, such as "en"; None: found by the engine.
    prompt: text that shows how names and terms are spelled; for Whisper.
    device: cpu or cuda; auto: cuda where there is one.
    download: whether the engine may fetch a model that is not on this machine.
    """

    engine: str = AUTO
    model: str | None = None
    language: str | None = None
    prompt: str | None = None
    device: str = AUTO
    download: bool = False

    def __post_init__(self) -> None:
        for name in ("engine", "device"):
            check_type(name, getattr(self, name), str)
        for name in ("model", "language", "prompt"):
            check_type(name, getattr(self, name), str | None)
        check_type("download", self.download, bool)
        if self.device not in DEVICES:
            raise ConfigError(f"device is '{self.device}'; give one of {', '.join(DEVICES)}")


def model_of(config: RecognitionConfig, usual: str) -> str:
    """Name or folder of the model to use; the usual one if no other is set."""
    return config.model or os.environ.get("HOCKET_ASR_MODEL") or usual


def problem_of(engine: str, model: str, error: Exception, download: bool) -> str:
    """Why an engine cannot open a model, and what to do."""
    reason = " ".join(str(error).split())[:200] or type(error).__name__
    if Path(model).is_dir():
        return f"{model}: {engine} cannot open it ({reason}); give the folder of another model"
    if download:
        return f"model '{model}' cannot be fetched ({reason}); check the name and the connection"
    remedy = "give the folder of one, or allow the download (--download)"
    return f"model '{model}' of {engine} is not on this machine; {remedy}"
