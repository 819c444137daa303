"""Where a stream's sound comes from: a file, standard input, a microphone."""

import queue
import wave
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hocket.audio.decoding import decode
from hocket.errors import AudioFormatError, BackendError, ConfigError

RAW: Mapping[str, np.dtype[Any]] = {"s16le": np.dtype("<i2"), "f32le": np.dtype("<f4")}
"""Formats of samples without a header, by ffmpeg's and arecord's names for them."""

FORMATS = (*RAW, "wav")
"""What standard input may hold."""

FILE_S = 10.0  # of a file, at once
CHUNK_S = 0.1  # of raw sound that is waited for at once
WIDTHS: Mapping[int, np.dtype[Any]] = {1: np.dtype("u1"), 2: np.dtype("<i2"), 4: np.dtype("<i4")}
"""What WAV holds, by the bytes of a sample."""


class Source(NamedTuple):
    """Sound on its way in: its rate in Hz, and blocks (samples, channels)."""

    rate: int
    blocks: Iterator[NDArray[Any]]


@contextmanager
def open_file(path: str) -> Iterator[Source]:
    """A recording of any format; errors as for `hocket.read_audio`."""
    with decode(path, path) as decoded:
        yield Source(decoded.rate, _gathered(decoded.blocks, round(FILE_S * decoded.rate)))


def _gathered(blocks: Iterable[NDArray[np.float32]], least: int) -> Iterator[NDArray[np.float32]]:
    """Blocks of so many samples or more, but for the last: several windows, heard side by side."""
    waiting: list[NDArray[np.float32]] = []
    for block in blocks:
        waiting.append(block.copy())  # a decoder may use its memory again
        if sum(map(len, waiting)) >= least:
            yield np.concatenate(waiting)
            waiting = []
    if waiting:
        yield np.concatenate(waiting)


@contextmanager
def open_input(file: BinaryIO, form: str, rate: int, channels: int) -> Iterator[Source]:
    """Sound from a pipe.

    Args:
        file: what to read.
        form: one of FORMATS.
        rate: Hz; a WAV header's own rate is taken instead.
        channels: as `rate`.

    Raises:
        ConfigError: there is no such format, or a number makes no sense.
        AudioFormatError: no WAV header, or one of samples that cannot be read here.
    """
    if form not in FORMATS:
        raise ConfigError(f"format is '{form}'; give one of {', '.join(FORMATS)}")
    if rate < 1 or channels < 1:
        raise ConfigError(f"found rate {rate} and {channels} channels; give 1 or more of both")
    if form == "wav":
        yield _open_wav(file)
    else:
        yield Source(rate, _raw_blocks(file, RAW[form], round(CHUNK_S * rate) or 1, channels))


def _raw_blocks(
    file: BinaryIO, kind: np.dtype[Any], size: int, channels: int
) -> Iterator[NDArray[Any]]:
    """Blocks of whole samples; what is left of the last one is dropped."""
    width = kind.itemsize * channels
    left = b""
    read = getattr(file, "read1", file.read)  # gives what is there, and does not wait for more
    while content := read(size * width):
        content = left + content
        whole = len(content) // width * width
        left = content[whole:]
        yield np.frombuffer(content[:whole], kind).reshape(-1, channels)


def _open_wav(file: BinaryIO) -> Source:
    try:
        sound = wave.open(file, "rb")  # noqa: SIM115 - it lives as long as the pipe
    except (wave.Error, EOFError) as error:
        remedy = "give PCM of 8, 16 or 32 bits, or --format s16le"
        raise AudioFormatError("stdin", f"has no WAV header ({error})", remedy) from error
    kind = WIDTHS.get(sound.getsampwidth())
    if kind is None:
        found = f"has samples of {8 * sound.getsampwidth()} bits"
        raise AudioFormatError("stdin", found, "give 8, 16 or 32")
    size, channels = round(CHUNK_S * sound.getframerate()) or 1, sound.getnchannels()

    def blocks() -> Iterator[NDArray[Any]]:
        width = kind.itemsize * channels
        while content := sound.readframes(size):
            whole = len(content) // width * width
            yield np.frombuffer(content[:whole], kind).reshape(-1, channels)

    return Source(sound.getframerate(), blocks())


@contextmanager
def open_microphone(rate: int) -> Iterator[Source]:
    """What the default microphone hears, until the context ends.

    Raises:
        BackendError: the library for it is not installed, or there is no microphone.
    """
    try:
        import sounddevice
    except (ImportError, OSError) as error:  # OSError: the library is there, PortAudio is not
        raise BackendError(
            f"the microphone cannot be opened ({error}); run \"pip install 'hocket[mic]'\""
        ) from error
    heard: queue.SimpleQueue[NDArray[np.float32]] = queue.SimpleQueue()

    def keep(block: NDArray[np.float32], *_: object) -> None:
        heard.put(block.copy())

    try:
        microphone = sounddevice.InputStream(rate, channels=1, dtype="float32", callback=keep)
    except Exception as error:  # PortAudioError, or whatever a device says
        raise BackendError(
            f"the microphone cannot be opened ({error}); see 'python -m sounddevice'"
        ) from error
    with microphone:
        yield Source(rate, iter(heard.get, None))
