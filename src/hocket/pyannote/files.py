"""Files as pyannote.audio takes them, to what a Diarizer takes.

The forms, the keys and the default of `uri` are those of `pyannote.audio.core.io.Audio`.
"""

import os
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from pathlib import PurePath
from typing import Any, BinaryIO, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from hocket.arguments import check_type
from hocket.audio.reading import MIX, AudioSource
from hocket.errors import ArgumentError, AudioContentError, ConfigError

AudioFile: TypeAlias = str | os.PathLike[str] | BinaryIO | Mapping[str, Any]

FORMS = (
    "give a path, a binary file object, {'audio': either of them} or "
    "{'waveform': (channels, samples), 'sample_rate': Hz}"
)


class Given(NamedTuple):
    """A file for the Diarizer.

    entries: the keys of the file, for hooks, which may add to them.
    source: where the sound is.
    sample_rate: Hz, of samples; None: the source has its own.
    channels: number of the channel, from 1, or mix.
    """

    entries: MutableMapping[str, Any]
    source: AudioSource
    sample_rate: int | None
    channels: int | str

    @property
    def uri(self) -> str:
        """The name of the recording in annotations."""
        return str(self.entries["uri"])

    @contextmanager
    def rewound(self) -> Iterator[None]:
        """Leave a file object at its start, as pyannote.audio does, to be used again."""
        try:
            yield
        finally:
            seekable = getattr(self.source, "seekable", None)
            if callable(seekable) and seekable():
                self.source.seek(0)  # type: ignore[union-attr] # it is a file object


def given(file: AudioFile) -> Given:
    """The parts of a file.

    Args:
        file: a path, a binary file object, or a mapping: `audio` with either of them, or `waveform`
            (channels, samples) with `sample_rate`; `channel`, from 0, selects one; `uri` names it.
            It gets a `uri` if it has none, as in pyannote.audio.

    Raises:
        ArgumentError: it is something else, or a key is of the wrong type.
        AudioContentError: the waveform is not of that shape.
        ConfigError: a key is missing or out of range.
    """
    entries = _entries(file)
    if entries.get("waveform") is not None:
        entries.setdefault("uri", "waveform")
        rate = entries.get("sample_rate")
        if rate is None:
            raise ConfigError("the file has a waveform, but no sample_rate; add its rate in Hz")
        check_type("sample_rate", rate, int)
        waveform = _samples(entries["waveform"], str(entries["uri"]))
        return Given(entries, waveform, int(rate), _channels(entries))
    source = entries.get("audio")
    if source is None:
        raise ConfigError(f"the file has neither audio nor a waveform; {FORMS}")
    if not _is_source(source):
        raise ArgumentError(f"audio is of type {type(source).__name__}; {FORMS}")
    entries.setdefault("uri", _uri(source))
    return Given(entries, source, None, _channels(entries))


def _entries(file: object) -> MutableMapping[str, Any]:
    """The caller's own mapping if hooks can add to it."""
    if isinstance(file, MutableMapping):
        return file
    if isinstance(file, Mapping):
        return dict(file)
    if not _is_source(file):
        raise ArgumentError(f"file is of type {type(file).__name__}; {FORMS}")
    return {"audio": file}


def _is_source(value: object) -> bool:
    return isinstance(value, str | os.PathLike) or hasattr(value, "read")


def _uri(source: object) -> str:
    return PurePath(source).stem if isinstance(source, str | os.PathLike) else "stream"


def _channels(entries: Mapping[str, Any]) -> int | str:
    """The number from 1 of the channel, which pyannote.audio counts from 0."""
    channel = entries.get("channel")
    if channel is None:
        return MIX
    check_type("channel", channel, int)
    if channel < 0:
        raise ConfigError(f"channel is {channel}; give 0 for the first channel")
    return int(channel) + 1


def _samples(waveform: Any, uri: str) -> NDArray[Any]:
    """An array (channels, samples) of an array or of a tensor of any library."""
    for step in ("detach", "cpu", "numpy"):  # of torch, which need not be installed
        if callable(getattr(waveform, step, None)):
            waveform = getattr(waveform, step)()
    samples = np.asarray(waveform)
    if samples.ndim != 2 or samples.shape[0] > samples.shape[1]:
        problem = f"is a waveform of shape {samples.shape}"
        raise AudioContentError(uri, problem, "give (channels, samples)")
    return samples
