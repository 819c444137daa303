"""What a client may ask of a job, checked before it is accepted."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from difflib import get_close_matches
from typing import Any, Self, get_args, get_type_hints

from hocket.arguments import check_type
from hocket.audio.reading import MIX, check_channels
from hocket.config import PRESETS, SpeakerCount
from hocket.errors import ConfigError

TRUTHS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
MOST_PROMPT = 4000  # characters; Whisper uses the last 224 tokens


@dataclass(frozen=True)
class JobOptions:
    """Options of a job, by the names and with the values of `Diarizer.__call__`.

    transcribe: whether words are recognized, too.
    language, prompt, whole_sentences: as for `Transcriber`.
    transient: whether the client waits for the result, so that the job is deleted with its end.
    """

    preset: str = "balanced"
    num_speakers: int | None = None
    min_speakers: int | None = None
    max_speakers: int | None = None
    track: int | None = None
    channels: int | str = MIX
    start: float | None = None
    end: float | None = None
    transcribe: bool = False
    language: str | None = None
    prompt: str | None = None
    whole_sentences: bool = False
    transient: bool = False

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Self:
        """The options of a request.

        Raises:
            ArgumentError: a value is of the wrong type.
            ConfigError: an option is unknown, or values contradict each other.
        """
        names = [field.name for field in fields(cls)]
        for name in given:
            if name not in names:
                near = get_close_matches(str(name), names, 1)
                hint = f"did you mean '{near[0]}'?" if near else f"give {', '.join(names)}"
                raise ConfigError(f"there is no option '{str(name)[:40]}'; {hint}")
        return cls(**given)

    @classmethod
    def of_texts(cls, given: Iterable[tuple[str, str]]) -> Self:
        """The options of a form, whose values are texts; an empty one counts as not given."""
        kinds = get_type_hints(cls)
        return cls.of({name: _parsed(name, text, kinds) for name, text in given if text.strip()})

    def __post_init__(self) -> None:
        check_type("preset", self.preset, str)
        if self.preset not in PRESETS:
            raise ConfigError(f"preset is '{self.preset[:40]}'; give one of {', '.join(PRESETS)}")
        SpeakerCount.of(self.num_speakers, self.min_speakers, self.max_speakers)
        check_type("track", self.track, int | None)
        check_channels(self.channels)
        for name in ("start", "end"):
            check_type(name, getattr(self, name), float | None)
        for name in ("transcribe", "whole_sentences", "transient"):
            check_type(name, getattr(self, name), bool)
        for name in ("language", "prompt"):
            check_type(name, getattr(self, name), str | None)
        if self.prompt and len(self.prompt) > MOST_PROMPT:
            raise ConfigError(f"the prompt has {len(self.prompt)} characters; give {MOST_PROMPT}")

    def as_values(self) -> dict[str, Any]:
        """The options that are not the usual ones, as plain values."""
        usual = {field.name: field.default for field in fields(self)}
        return {name: value for name, value in asdict(self).items() if value != usual[name]}


def _parsed(name: str, text: str, kinds: Mapping[str, Any]) -> Any:
    """A value from its text, as the option has it."""
    kind, text = kinds.get(name), text.strip()
    of = get_args(kind) or (kind,)
    if bool in of:
        if text.lower() not in TRUTHS:
            raise ConfigError(f"{name} is '{text[:40]}'; give true or false")
        return TRUTHS[text.lower()]
    for number in (int, float):
        if number in of:
            try:
                return number(text)
            except ValueError:
                if str not in of:
                    raise ConfigError(f"{name} is '{text[:40]}'; give a number") from None
    return text
