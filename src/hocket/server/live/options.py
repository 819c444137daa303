"""What a client may ask of a live session, and what a service allows, checked before it begins."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Self

from hocket.audio.conversion import HIGHEST_RATE, LOWEST_RATE
from hocket.audio.reading import MOST_CHANNELS
from hocket.audio.sources import FORMATS
from hocket.concurrency import usable_cores
from hocket.config import PRESETS
from hocket.errors import ConfigError
from hocket.recognition.settings import RecognitionConfig

LONGEST_CODE = 16  # characters of a language


@dataclass(frozen=True)
class LiveOptions:
    """Options of a session.

    format: of the sound, one of `hocket.audio.sources.FORMATS`.
    rate: Hz, of samples without a header.
    channels: number of channels of samples without a header; they are mixed.
    words: whether words are recognized.
    language: of the words; None: found by the recognizer.
    preset: accurate, balanced or fast.

    Raises:
        ConfigError: a value is out of range.
    """

    format: str = "auto"
    rate: int = 16_000
    channels: int = 1
    words: bool = False
    language: str | None = None
    preset: str = "balanced"

    @classmethod
    def of(cls, given: Mapping[str, str]) -> Self:
        """The options of a query; ConfigError if a name is unknown or a value is wrong."""
        names = [each.name for each in fields(cls)]
        values: dict[str, Any] = {}
        for name, text in given.items():
            if name not in names:
                near = get_close_matches(name, names, 1)
                hint = f"did you mean '{near[0]}'?" if near else f"give {', '.join(names)}"
                raise ConfigError(f"there is no option '{name[:40]}'; {hint}")
            values[name] = _PARSED.get(name, _as_is)(name, text)
        return cls(**values)

    def __post_init__(self) -> None:
        _check_one("format", self.format, FORMATS)
        _check_one("preset", self.preset, PRESETS)
        if not LOWEST_RATE <= self.rate <= HIGHEST_RATE:
            raise ConfigError(f"rate is {self.rate}; give {LOWEST_RATE} to {HIGHEST_RATE} Hz")
        if not 1 <= self.channels <= MOST_CHANNELS:
            raise ConfigError(f"channels is {self.channels}; give 1 to {MOST_CHANNELS}")
        if self.language is not None and not 1 < len(self.language) <= LONGEST_CODE:
            raise ConfigError(f"language is '{self.language[:40]}'; give a code, such as en")


@dataclass(frozen=True)
class LiveSettings:
    """What a service allows, and how its sessions are computed.

    most_sessions: at once.
    most_s: length of the sound of a session, and how long one may last, in seconds.
    idle_s: how long a client may send no sound, in seconds.
    threads: windows that are computed at once, in all sessions together.
    store: of known speakers; None: there is none.
    recognition: how speech is recognized.
    """

    most_sessions: int = 16
    most_s: float = 4 * 3600.0
    idle_s: float = 60.0
    threads: int = field(default_factory=usable_cores)
    store: Path | None = None
    recognition: RecognitionConfig = field(default_factory=RecognitionConfig)


def _check_one(name: str, value: str, known: "tuple[str, ...] | Mapping[str, Any]") -> None:
    if value not in known:
        raise ConfigError(f"{name} is '{value[:40]}'; give one of {', '.join(known)}")


def _as_is(_name: str, text: str) -> str | None:
    return text or None


def _number(name: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise ConfigError(f"{name} is '{text[:40]}'; give a whole number")
    return int(text)


def _truth(name: str, text: str) -> bool:
    if text not in ("true", "false", "1", "0"):
        raise ConfigError(f"{name} is '{text[:40]}'; give true or false")
    return text in ("true", "1")


def _given(name: str, text: str) -> str:
    if not text:
        raise ConfigError(f"{name} is empty; leave it out, or give a value")
    return text


_PARSED: Mapping[str, Callable[[str, str], Any]] = {
    "rate": _number,
    "channels": _number,
    "words": _truth,
    "format": _given,
    "preset": _given,
}
