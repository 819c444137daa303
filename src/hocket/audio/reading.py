"""Recordings of any format to mono samples at the graphs' rate.

    path, file object, bytes --decoding--> blocks (frames, channels)
    array --slices-----------------------> blocks (frames, channels)
    blocks --non-finite to 0, mean of channels, soxr--> mono blocks at the target rate

The pipeline takes the mono blocks one by one; `read_audio` joins them. This is the only module that
guesses what its input means.
"""

import logging
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, BinaryIO, TypeAlias

import numpy as np
from numpy.typing import NDArray

from hocket.arrays import Waveform
from hocket.audio.decoding import BLOCK_FRAMES, Block, Decoded, decode, to_float
from hocket.errors import AudioContentError, ConfigError
from hocket.errors import one_line as shown

LOWEST_RATE, HIGHEST_RATE = 1_000, 768_000
MOST_CHANNELS = 32
LOUDEST = 1.5  # codecs and resampling overshoot 1 slightly; a higher peak is a wrong scale

AudioSource: TypeAlias = (
    str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO | NDArray[Any]
)

logger = logging.getLogger("hocket")


@dataclass(frozen=True, eq=False)
class Recording:
    """A recording in memory: float32 mono samples, finite, C-contiguous and read-only."""

    samples: Waveform
    sample_rate: int
    name: str

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
    """

    name: str
    samples: int | None
    blocks: Iterator[Waveform]


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
) -> Recording:
    """Read a recording of any format, rate and channel count as mono at `target_rate`.

    Args:
        source: a path, the bytes of an audio file, a binary file object (anything with `read`), or
            an array (samples,), (samples, channels) or (channels, samples): the shorter axis holds
            the channels, at most 32. Integers use the full range of their type, floats -1..1.
        sample_rate: Hz, of an array; files carry their own.
        target_rate: Hz, of the result.
        name: the recording's name in errors and outputs. Default: its path, or "audio".

    Returns:
        A recording. Its samples are a view of the array if that is float32 mono at `target_rate`.

    Raises:
        AudioNotFoundError: the file does not exist, or may not be read.
        AudioFormatError: not audio, damaged from the start, or a format that needs `hocket[av]`.
        AudioContentError: no sample is finite, or the rate, shape or type is invalid.
        ConfigError: an array without `sample_rate`, or another source with it.
    """
    name = _name_of(source) if name is None else name
    if isinstance(source, np.ndarray):
        samples = _read_array(source, name, sample_rate, target_rate)
    else:
        with open_audio(source, sample_rate=sample_rate, target_rate=target_rate, name=name) as it:
            samples = _level(_join(it.blocks), name)
    if not len(samples):
        logger.warning("%s: holds no samples", shown(name))
    return Recording(samples, target_rate, name)


@contextmanager
def open_audio(
    source: AudioSource,
    *,
    sample_rate: int | None = None,
    target_rate: int,
    name: str | None = None,
) -> Iterator[AudioStream]:
    """As `read_audio`, but block by block, so memory does not grow with the recording.

    Errors in the audio are raised while the blocks are read. Files coded as floats are decoded
    twice: if their scale is wrong, all samples must be divided by the same peak.
    """
    name = _name_of(source) if name is None else name
    if isinstance(source, np.ndarray):
        samples = _read_array(source, name, sample_rate, target_rate)
        yield stream_of(Recording(samples, target_rate, name))
        return
    if sample_rate is not None:
        raise ConfigError(f"{shown(name)}: sample_rate={sample_rate} is for arrays; leave it out")
    with decode(source, name) as decoded:
        announced = None
        if decoded.frames is not None:
            announced = decoded.frames * target_rate // decoded.rate
        yield AudioStream(name, announced, _scaled(decoded, name, target_rate))


def _scaled(decoded: Decoded, name: str, target_rate: int) -> Iterator[Waveform]:
    gain = np.float32(1 / decoded.peak if decoded.peak > LOUDEST else 1)
    for block in mono_blocks(decoded.blocks, name, decoded.rate, target_rate):
        yield block if gain == 1 else block * gain


def stream_of(recording: Recording) -> AudioStream:
    """A recording in memory, as views of it."""
    samples = recording.samples
    starts = range(0, len(samples), BLOCK_FRAMES)
    blocks = (samples[start : start + BLOCK_FRAMES] for start in starts)
    return AudioStream(recording.name, len(samples), blocks)


def _name_of(source: Any) -> str:
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


def _read_array(array: NDArray[Any], name: str, rate: int | None, target_rate: int) -> Waveform:
    if rate is None:
        raise ConfigError(f"{shown(name)}: an array has no rate of its own; pass sample_rate=")
    array = np.asarray(array if array.size else array.reshape(0))
    check_sample_type(array, name, "is")
    columns = _samples_first(array, name)
    mono = columns[:, 0]
    ready = rate == target_rate and columns.shape[1] == 1 and mono.dtype == np.float32
    if ready and mono.flags.c_contiguous and _peak(mono) <= LOUDEST:  # false for NaN
        return _level(mono, name)
    blocks = (
        to_float(columns[start : start + BLOCK_FRAMES])
        for start in range(0, len(columns), BLOCK_FRAMES)
    )
    return _level(_join(mono_blocks(blocks, name, rate, target_rate)), name)


def _samples_first(array: NDArray[Any], name: str) -> NDArray[Any]:
    """View (samples, channels) of (samples,), (samples, channels) or (channels, samples)."""
    if array.ndim == 1:
        return array[:, None]
    fewer, more = sorted(array.shape) if array.ndim == 2 else (0, 0)
    if not 1 <= fewer <= MOST_CHANNELS or 1 < fewer == more:
        remedy = f"give (samples, channels), more samples than channels, at most {MOST_CHANNELS}"
        raise AudioContentError(name, f"is an array of shape {array.shape}", remedy)
    return array if array.shape[1] == fewer else array.T


def mono_blocks(
    blocks: Iterable[Block], name: str, rate: int, target_rate: int
) -> Iterator[Waveform]:
    """Blocks (frames, channels) to mono blocks at the target rate; these are never overwritten."""
    if not LOWEST_RATE <= rate <= HIGHEST_RATE:
        remedy = f"give audio of {LOWEST_RATE} to {HIGHEST_RATE} Hz"
        raise AudioContentError(name, f"has a sample rate of {rate} Hz", remedy)
    resampler = None
    if rate != target_rate:
        import soxr

        resampler = soxr.ResampleStream(rate, target_rate, 1, quality="HQ")
    values = bad = 0
    for block in blocks:
        finite, replaced = _finite(block)
        values, bad = values + block.size, bad + replaced
        mono = _mean_of_channels(finite)
        yield resampler.resample_chunk(mono) if resampler else mono
    if resampler:
        yield resampler.resample_chunk(np.empty(0, np.float32), last=True)
    if values and bad == values:
        remedy = "check the program that wrote it"
        raise AudioContentError(name, "all its samples are NaN or infinite", remedy)
    if bad:
        text = "%s: %d samples (%.3g %%) are NaN or infinite, taken as 0"
        logger.warning(text, shown(name), bad, 100 * bad / values)


def _finite(block: Block) -> tuple[Block, int]:
    """The block with zeros for NaN and infinity, and how many there were."""
    with np.errstate(invalid="ignore"):
        if np.isfinite(block.sum(dtype=np.float64)):  # a sum is not finite if one term is not
            return block, 0
    finite = np.isfinite(block)
    return np.where(finite, block, np.float32(0)), block.size - int(np.count_nonzero(finite))


def _mean_of_channels(block: Block) -> Waveform:
    if block.shape[1] == 1:
        return np.ascontiguousarray(block[:, 0])  # a copy only if it is strided
    # float64, because a sum of large float32 numbers could overflow
    mean: Waveform = block.mean(axis=1, dtype=np.float64).astype(np.float32)
    return mean


def _join(blocks: Iterable[Waveform]) -> Waveform:
    mono = bytearray()  # grows in place; concatenating blocks would need twice the memory
    for block in blocks:
        mono += block.data
    return np.ndarray(len(mono) // 4, np.float32, mono)


def _level(samples: Waveform, name: str) -> Waveform:
    """`samples`, read-only, divided in place by their peak if that exceeds LOUDEST.

    The networks were trained on -1..1. Division keeps the waveform's shape: int16 values stored as
    floats come out right except for their level.
    """
    peak = _peak(samples)
    if not np.isfinite(peak):
        raise AudioContentError(name, "is too loud for float32", "scale it to -1..1")
    if peak > LOUDEST:
        samples /= np.float32(peak)
    samples.flags.writeable = False
    return samples


def _peak(samples: Waveform) -> float:
    """Largest magnitude; NaN if any sample is NaN."""
    return float(max(samples.max(), -samples.min())) if samples.size else 0.0
