"""Everything hocket raises on purpose.

    HocketError
    ├── AudioError (ValueError)          the recording cannot be used
    │   ├── AudioNotFoundError (FileNotFoundError)
    │   ├── AudioFormatError             not audio, or a format nothing installed decodes
    │   ├── AudioContentError            decoded, but its samples or its rate make no sense
    │   └── AudioVoiceError              nobody, too little speech, or several people to be heard
    ├── ConfigError (ValueError)         settings that contradict each other or are out of range
    ├── ModelError (RuntimeError)        a model file is missing, altered or of the wrong kind
    ├── GraphInputError (ValueError)     an array does not fit a graph's input
    ├── BackendError (RuntimeError)      a runtime is not installed or failed
    ├── SpeakerError (ValueError)        no such speaker, a name that is taken, an odd embedding
    ├── StoreError (RuntimeError)        a file of speakers cannot be used, or not with this model
    ├── OutputError (OSError)            a result cannot be written
    ├── ArgumentError (TypeError)        an argument is unknown or of the wrong type
    └── Cancelled                        the caller cancelled

Every message is one line: what was found, where, and what to do.
"""

from typing import Self


class HocketError(Exception):
    """Base of all errors hocket raises on purpose; its message is one line."""

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message))


class AudioError(HocketError, ValueError):
    """A recording cannot be used.

    Args:
        source: name of the recording as the user gave it.
        problem: what is wrong with it.
        remedy: what the user can do about it.
    """

    def __init__(self, source: str, problem: str, remedy: str) -> None:
        self.source, self.problem, self.remedy = source, problem, remedy
        super().__init__(f"{source}: {problem}; {remedy}")

    def __reduce__(self) -> tuple[type[Self], tuple[str, str, str]]:  # for process pools
        return type(self), (self.source, self.problem, self.remedy)


class AudioNotFoundError(AudioError, FileNotFoundError):
    """There is no file of that name, or it may not be read."""


class AudioFormatError(AudioError):
    """The bytes are not audio, or a format that nothing installed decodes."""


class AudioContentError(AudioError):
    """The audio was decoded, but its samples or its rate make no sense."""


class AudioVoiceError(AudioError):
    """One person's voice is wanted: nobody, too little speech, or several people are heard."""


class ConfigError(HocketError, ValueError):
    """Settings contradict each other or are out of range."""


class ModelError(HocketError, RuntimeError):
    """A model file is missing, altered or of the wrong kind."""


class GraphInputError(HocketError, ValueError):
    """An array does not fit a graph's input."""


class BackendError(HocketError, RuntimeError):
    """A runtime is not installed or failed."""


class SpeakerError(HocketError, ValueError):
    """There is no such speaker, the name is taken, or an embedding is no voice."""


class StoreError(HocketError, RuntimeError):
    """A file of speakers is locked, damaged, unwritable, newer, or holds another model's voices."""


class OutputError(HocketError, OSError):
    """A result cannot be written."""


class ArgumentError(HocketError, TypeError):
    """An argument of a function is unknown or of the wrong type."""


class Cancelled(HocketError):
    """The caller set the `cancel` event before the result was complete."""


def one_line(text: str) -> str:
    """`text` with control characters escaped, so that a message stays one line."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
