"""All errors that hocket raises deliberately.

    HocketError
    ├── AudioError (ValueError)          the recording cannot be used
    │   ├── AudioNotFoundError (FileNotFoundError)
    │   ├── AudioFormatError             not audio, or no installed decoder for the format
    │   ├── AudioContentError            decoded, but the samples or their rate are invalid
    │   └── AudioVoiceError              no speech, too little speech, or several speakers
    ├── ConfigError (ValueError)         settings that contradict each other or are out of range
    ├── ModelError (RuntimeError)        a model file is missing, altered or of the wrong kind
    ├── GraphInputError (ValueError)     an array does not fit a graph's input
    ├── BackendError (RuntimeError)      a runtime is not installed or failed
    ├── SpeakerError (ValueError)        an unknown speaker, a name in use, an invalid embedding
    ├── StoreError (RuntimeError)        a speaker store cannot be used, or not with this model
    ├── ExtraError (ImportError)         the library of an optional part is not installed
    ├── RecognitionError (RuntimeError)  a speech recognizer failed, or its model is missing
    ├── FormatError (ValueError)         a file of turns or words cannot be read
    ├── JobError (ValueError)            the status of a job does not allow a change
    │   └── UnknownJobError              there is no such job
    ├── CapacityError (RuntimeError)     the service has no room in its queue, disk or limits
    ├── EditError (ValueError)           a result cannot be edited, or not so
    │   └── OutdatedEditError            it was edited elsewhere in the meantime
    ├── OutputError (OSError)            a result cannot be written
    ├── ArgumentError (TypeError)        an argument is unknown or of the wrong type
    └── Cancelled                        the caller cancelled

Every message is one line: where the problem is, what was found, and what to do.
"""

from typing import Literal, Self


class HocketError(Exception):
    """Base of all errors that hocket raises deliberately; the message is one line."""

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message))


class AudioError(HocketError, ValueError):
    """A recording cannot be used.

    Args:
        source: name of the recording as the user gave it.
        problem: what is wrong with it.
        remedy: what the user can do.
    """

    def __init__(self, source: str, problem: str, remedy: str) -> None:
        self.source, self.problem, self.remedy = source, problem, remedy
        super().__init__(f"{source}: {problem}; {remedy}")

    def __reduce__(self) -> tuple[type[Self], tuple[str, str, str]]:  # for process pools
        return type(self), (self.source, self.problem, self.remedy)


class AudioNotFoundError(AudioError, FileNotFoundError):
    """The file does not exist, or may not be read."""


class AudioFormatError(AudioError):
    """The bytes are not audio, or no installed decoder reads their format."""


class AudioContentError(AudioError):
    """The audio was decoded, but its samples or its sample rate are invalid."""


class AudioVoiceError(AudioError):
    """A clip of one speaker is required; it has no speech, too little, or several speakers."""


class ConfigError(HocketError, ValueError):
    """Settings contradict each other or are out of range."""


class ModelError(HocketError, RuntimeError):
    """A model file is missing, altered or of the wrong kind."""


class GraphInputError(HocketError, ValueError):
    """An array does not fit a graph's input."""


class BackendError(HocketError, RuntimeError):
    """A runtime is not installed or failed."""


class SpeakerError(HocketError, ValueError):
    """A speaker is unknown, a name is in use, or an embedding is invalid."""


class StoreError(HocketError, RuntimeError):
    """A speaker store is locked, damaged, read-only, too new, or of another embedding model."""


class ExtraError(HocketError, ImportError):
    """The library of an optional part is not installed."""


class RecognitionError(HocketError, RuntimeError):
    """A speech recognizer failed, or its model is not on this machine.

    transcript: what was recognized before it failed, a `Transcript`; None if it failed to load.
    """

    transcript: object = None


class FormatError(HocketError, ValueError):
    """A file of turns or words is not in the format that it should have."""


class JobError(HocketError, ValueError):
    """The status of a job does not allow a change."""


class UnknownJobError(JobError):
    """There is no job of that id."""


class CapacityError(HocketError, RuntimeError):
    """The service has no room.

    Args:
        message: one line.
        lack: of what: a place in the queue, disk space, or the size that is left for an upload.
    """

    def __init__(self, message: str, lack: Literal["queue", "disk", "size"] = "queue") -> None:
        self.lack = lack
        super().__init__(message)

    def __reduce__(self) -> tuple[type[Self], tuple[str, str]]:  # for process pools
        return type(self), (str(self), self.lack)


class EditError(HocketError, ValueError):
    """The result of a job cannot be edited, or there is nothing to undo."""


class OutdatedEditError(EditError):
    """An edit is of a result that was edited elsewhere in the meantime."""


class OutputError(HocketError, OSError):
    """A result cannot be written."""


class ArgumentError(HocketError, TypeError):
    """An argument of a function is unknown or of the wrong type."""


class Cancelled(HocketError):  # noqa: N818 - the caller's wish, not an error
    """The caller set the `cancel` event before the result was complete."""


JOINERS = "\u200c\u200d"
"""Characters without width that belong to the spelling of words, as in Persian and Hindi."""


def is_shown(character: str) -> bool:
    """Whether a character may stand in a line of text as it is."""
    return character.isprintable() or character in JOINERS


def one_line(text: str) -> str:
    """`text` with control characters escaped, so that a message stays one line."""
    return "".join(c if is_shown(c) else c.encode("unicode_escape").decode() for c in text)
