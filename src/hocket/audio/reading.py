"""Recordings of any format to mono samples at the graphs' rate.

    path, file object, bytes --decoding--> blocks (frames, channels)
    array --slices-----------------------> blocks (frames, channels)
    blocks --conversion-------------------> mono blocks at the target rate

The pipeline takes the mono blocks one by one; `read_audio` joins them.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from itertools import repeat
from pathlib import PurePath
from typing import Any, BinaryIO, TypeAlias

import numpy as np
from numpy.typing import NDArray

from hocket.arguments import check_type
from hocket.arrays import Waveform
from hocket.audio.conversion import Conversion
from hocket.audio.decoding import Decoded, check_track, decode
from hocket.audio.excerpts import Excerpt, Regions
from hocket.audio.samples import BLOCK_FRAMES, Block, to_float
from hocket.errors import AudioContentError, ConfigError
from hocket.errors import one_line as shown
from hocket.notices import Notice, Notices

MOST_CHANNELS = 32
MIX = "mix"
"""All channels, mixed."""
EACH = "each"
"""Every channel by itself."""

AudioSource: TypeAlias = (
    str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO | NDArray[Any]
)


@dataclass(frozen=True)
class Selection:
    """What is used of a source.

    track: number of the audio track, from 1; None: the one that the file marks as default.
    channel: number of the channel, from 1; None: all of them.
    excerpt: a part of the recording; None: all of it.
    each: whether channels are used one by one, not mixed.
    """

    track: int | None = None
    channel: int | None = None
    excerpt: Excerpt | None = None
    each: bool = False

    @property
    def start_s(self) -> float:
        """Where it begins, in seconds."""
        return self.excerpt.start if self.excerpt else 0.0


WHOLE = Selection()


def select(
    source: AudioSource,
    name: str | None,
    track: int | None,
    channels: int | str,
    start: float | None,
    end: float | None,
    regions: Regions | None,
    is_constrained: bool = False,
) -> Selection:
    """A selection from what a user may give; `name` and `source` are those of the recording.

    Raises:
        ArgumentError: a value is of the wrong type.
        ConfigError: a value is out of range, a UEM file cannot be read, or there are constraints,
            which do not say which of several channels they are about.
    """
    check_type("name", name, str | None)
    check_type("track", track, int | None)
    check_channels(channels)
    if channels == EACH and is_constrained:
        raise ConfigError("constraints exclude channels=each; give the number of a channel")
    channel = None if isinstance(channels, str) else channels
    excerpt = None
    if not (start is None and end is None and regions is None):
        excerpt = Excerpt.of(start, end, regions, stem_of(name or name_of(source)))
    return Selection(track, channel, excerpt, each=channels == EACH)


def check_channels(channels: int | str) -> None:
    """Raise ArgumentError or ConfigError unless it is mix, each or a number."""
    check_type("channels", channels, int | str)
    if isinstance(channels, str) and channels not in (MIX, EACH):
        raise ConfigError(f"channels is '{channels}'; give {MIX}, {EACH} or a channel's number")


@dataclass(frozen=True, eq=False)
class Recording:
    """A recording in memory.

    samples: float32 mono, finite, C-contiguous and read-only.
    sample_rate: Hz.
    name: the recording's name in errors and outputs.
    notices: what was lost, altered or guessed.
    audible_s: length of what is not silent, in seconds.
    start_s: where the samples begin in the recording, in seconds.
    """

    samples: Waveform
    sample_rate: int
    name: str
    notices: tuple[Notice, ...] = ()
    audible_s: float = 0.0
    start_s: float = 0.0

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return len(self.samples) / self.sample_rate

    @property
    def stem(self) -> str:
        """File name without folder and suffix; blanks and unprintable characters become "_"."""
        return stem_of(self.name)


@dataclass(frozen=True, eq=False)
class AudioStream:
    """A recording that is being read.

    name: the recording's name in errors and outputs.
    samples: number of samples that the header announces, which may be wrong; None if it does not.
    blocks: float32 mono samples at the target rate, finite and in order.
    notices: what was lost, altered or guessed in the blocks so far.
    audible_s: length of what is not silent in the blocks so far, in seconds.
    start_s: where the blocks begin in the recording, in seconds.
    """

    name: str
    samples: int | None
    blocks: Iterator[Waveform]
    notices: Notices = field(default_factory=lambda: Notices("audio"))
    audible_s: Callable[[], float] = float
    start_s: float = 0.0


def stem_of(name: str) -> str:
    """File name without folder and suffix; blanks and unprintable characters become "_"."""
    stem = PurePath(name).stem or "audio"
    return "".join(c if c.isprintable() and not c.isspace() else "_" for c in stem)


def read_audio(
    source: AudioSource,
    *,
    sample_rate: int | None = None,
    target_rate: int,
    name: str | None = None,
    selection: Selection = WHOLE,
) -> Recording:
    """Read a recording of any format, rate and channel count as mono at `target_rate`.

    Args:
        source: a path, the bytes of an audio file, a binary file object (anything with `read`), or
            an array (samples,), (samples, channels) or (channels, samples): the shorter axis holds
            the channels, at most 32. Integers use the full range of their type, floats -1..1.
        sample_rate: Hz, of an array; files carry their own.
        target_rate: Hz, of the result.
        name: the recording's name in errors and outputs. Default: its path, or "audio".
        selection: what to use of it. Default: all, its channels mixed.

    Returns:
        A recording. Its samples are a view of the array if that is float32 mono at `target_rate`.

    Raises:
        AudioNotFoundError: the file does not exist, or may not be read.
        AudioFormatError: not audio, damaged from the start, or a format that needs PyAV.
        AudioContentError: no sample is finite, or the rate, shape or type is invalid.
        ConfigError: an array without `sample_rate`, another source with it, or a selection of what
            is not there.
    """
    name = name_of(source) if name is None else name
    if isinstance(source, np.ndarray):
        return _read_array(source, name, sample_rate, target_rate, selection, Notices(name))
    with open_audio(
        source, sample_rate=sample_rate, target_rate=target_rate, name=name, selection=selection
    ) as stream:
        return _recording(_join(stream.blocks), target_rate, stream)


def _recording(samples: Waveform, rate: int, stream: AudioStream) -> Recording:
    """The samples of a stream that was read to its end."""
    if not len(samples):
        stream.notices.add("empty", "holds no samples")
    samples.flags.writeable = False
    notices, audible_s = tuple(stream.notices), stream.audible_s()
    return Recording(samples, rate, stream.name, notices, audible_s, stream.start_s)


@dataclass(frozen=True, eq=False)
class Source:
    """A recording that may be opened again and again, if what holds it can be read again.

    content: as `source` of `read_audio`.
    sample_rate: Hz, of an array.
    target_rate: Hz, of what is read.
    name: the recording's name in errors and outputs.
    """

    content: AudioSource
    sample_rate: int | None
    target_rate: int
    name: str

    def opened(
        self, selection: Selection, notices: Notices | None = None
    ) -> AbstractContextManager[AudioStream]:
        """The recording, as `open_audio` reads it."""
        return open_audio(
            self.content,
            sample_rate=self.sample_rate,
            target_rate=self.target_rate,
            name=self.name,
            selection=selection,
            notices=notices,
        )


@contextmanager
def open_audio(
    source: AudioSource,
    *,
    sample_rate: int | None = None,
    target_rate: int,
    name: str | None = None,
    selection: Selection = WHOLE,
    notices: Notices | None = None,
) -> Iterator[AudioStream]:
    """As `read_audio`, but block by block, so memory does not grow with the recording.

    Errors in the audio are raised while the blocks are read. `notices` get what is lost, altered or
    guessed; by default, new ones do.
    """
    name = name_of(source) if name is None else name
    notices = Notices(name) if notices is None else notices
    if isinstance(source, np.ndarray):
        yield stream_of(_read_array(source, name, sample_rate, target_rate, selection, notices))
        return
    with open_blocks(source, sample_rate, name, selection, notices) as decoded:
        conversion = _conversion(decoded.rate, target_rate, name, notices, selection)
        frames = decoded.frames
        announced = None if frames is None else frames * target_rate // decoded.rate
        yield AudioStream(
            name,
            announced,
            conversion.blocks(decoded.blocks),
            notices,
            lambda: conversion.audible_s,
            selection.start_s,
        )


@contextmanager
def open_blocks(
    source: AudioSource,
    sample_rate: int | None,
    name: str,
    selection: Selection,
    notices: Notices,
) -> Iterator[Decoded]:
    """What is selected of a source, all its channels, at its own rate; errors as `read_audio`."""
    if isinstance(source, np.ndarray):
        yield _blocks_of(source, name, sample_rate, selection)
        return
    if sample_rate is not None:
        raise ConfigError(f"{shown(name)}: sample_rate={sample_rate} is for arrays; leave it out")
    with decode(source, name, notices, track=selection.track) as decoded:
        excerpt = selection.excerpt
        if excerpt is None:
            yield decoded
            return
        frames = excerpt.frames(decoded.frames, decoded.rate)
        yield Decoded(decoded.rate, frames, excerpt.blocks(decoded.blocks, decoded.rate))


def stream_of(recording: Recording) -> AudioStream:
    """A recording in memory, as views of it."""
    samples = recording.samples
    starts = range(0, len(samples), BLOCK_FRAMES)
    blocks = (samples[start : start + BLOCK_FRAMES] for start in starts)
    notices = Notices(recording.name, recording.notices)
    start_s = recording.start_s
    return AudioStream(
        recording.name, len(samples), blocks, notices, lambda: recording.audible_s, start_s
    )


def name_of(source: Any) -> str:
    """What a source is called unless the caller names it: its path, or "audio"."""
    path = source if isinstance(source, str | os.PathLike) else getattr(source, "name", None)
    if not isinstance(path, str | bytes | os.PathLike):
        return "audio"
    return "stdin" if path == "<stdin>" else os.fsdecode(path)


def check_sample_type(array: NDArray[Any], name: str, verb: str) -> None:
    """Raise AudioContentError unless the array's type is one of samples.

    Args:
        array: of any shape.
        name: the recording's name in the error.
        verb: "is" or "was fed", which begins the error.
    """
    # 64-bit integers were converted from a narrower type, whose range is unknown
    if array.dtype.kind not in "iuf" or array.dtype.str[1:] in ("i8", "u8"):
        remedy = "give floats in -1..1, or integers of 8 to 32 bits"
        raise AudioContentError(name, f"{verb} an array of {array.dtype}", remedy)


def _read_array(
    array: NDArray[Any],
    name: str,
    rate: int | None,
    target_rate: int,
    selection: Selection,
    notices: Notices,
) -> Recording:
    decoded = _blocks_of(array, name, rate, selection)
    columns = _columns(array, name)
    conversion = _conversion(decoded.rate, target_rate, name, notices, selection)
    parts = list(conversion.blocks(decoded.blocks))
    mono = columns[:, 0]
    is_ready = mono.dtype == np.float32 and mono.flags.c_contiguous
    is_whole = columns.shape[1] == 1 and selection.excerpt is None
    is_same = is_ready and is_whole and all(map(np.shares_memory, parts, repeat(mono)))
    samples = mono if is_same else _join(iter(parts))
    stream = AudioStream(
        name, None, iter(parts), notices, lambda: conversion.audible_s, selection.start_s
    )
    return _recording(samples, target_rate, stream)


def _conversion(
    rate: int, target_rate: int, name: str, notices: Notices, selection: Selection
) -> Conversion:
    channel, start_s = selection.channel, selection.start_s
    if selection.each:
        notices = notices.about(f"channel {channel}")
    return Conversion(rate, target_rate, name, notices, channel=channel, start_s=start_s)


def _blocks_of(array: NDArray[Any], name: str, rate: int | None, selection: Selection) -> Decoded:
    """What is selected of an array, all its channels."""
    if rate is None:
        raise ConfigError(f"{shown(name)}: an array has no rate of its own; pass sample_rate=")
    columns = _columns(array, name)
    check_track(selection.track, 1)
    starts = range(0, len(columns), BLOCK_FRAMES)
    blocks: Iterator[Block] = (to_float(columns[first : first + BLOCK_FRAMES]) for first in starts)
    frames: int | None = len(columns)
    if selection.excerpt is not None:
        blocks = selection.excerpt.blocks(blocks, rate)
        frames = selection.excerpt.frames(frames, rate)
    return Decoded(rate, frames, blocks)


def _columns(array: NDArray[Any], name: str) -> NDArray[Any]:
    """View (samples, channels) of an array that holds audio."""
    array = np.asarray(array if array.size else array.reshape(0))
    check_sample_type(array, name, "is")
    return _samples_first(array, name)


def _samples_first(array: NDArray[Any], name: str) -> NDArray[Any]:
    """View (samples, channels) of (samples,), (samples, channels) or (channels, samples)."""
    if array.ndim == 1:
        return array[:, None]
    fewer, more = sorted(array.shape) if array.ndim == 2 else (0, 0)
    if not 1 <= fewer <= MOST_CHANNELS or 1 < fewer == more:
        remedy = f"give (samples, channels), more samples than channels, at most {MOST_CHANNELS}"
        raise AudioContentError(name, f"is an array of shape {array.shape}", remedy)
    return array if array.shape[1] == fewer else array.T


def _join(blocks: Iterable[Waveform]) -> Waveform:
    mono = bytearray()  # grows in place; concatenating blocks would need twice the memory
    for block in blocks:
        mono += block.data
    return np.ndarray(len(mono) // 4, np.float32, mono)
