"""Audio sources of a stream: a file, standard input or a microphone."""

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
"""Sample formats without a header, by their names in ffmpeg."""

FORMATS = (*RAW, "wav")
"""Formats of standard input."""

FILE_S = 10.0  # length of blocks from a file
CHUNK_S = 0.1  # length of blocks from a pipe
WIDTHS: Mapping[int, np.dtype[Any]] = {1: np.dtype("u1"), 2: np.dtype("<i2"), 4: np.dtype("<i4")}
"""Sample types of a WAV, by bytes per sample."""


class Source(NamedTuple):
    """Audio input: its rate in Hz, and blocks (samples, channels)."""

    rate: int
    blocks: Iterator[NDArray[Any]]


@contextmanager
def open_file(path: str) -> Iterator[Source]:
    """Open a recording of any format; errors as in `hocket.audio.reading.read_audio`."""
    with decode(path, path) as decoded:
        yield Source(decoded.rate, _gathered(decoded.blocks, round(FILE_S * decoded.rate)))


def _gathered(blocks: Iterable[NDArray[np.float32]], least: int) -> Iterator[NDArray[np.float32]]:
    """Blocks of at least `least` samples, except the last, so that several windows run at once."""
    waiting: list[NDArray[np.float32]] = []
    for block in blocks:
        waiting.append(block.copy())  # a decoder may reuse its memory
        if sum(map(len, waiting)) >= least:
            yield np.concatenate(waiting)
            waiting = []
    if waiting:
        yield np.concatenate(waiting)


@contextmanager
def open_input(file: BinaryIO, form: str, rate: int, channels: int) -> Iterator[Source]:
    """Audio from a pipe.

    Args:
        file: the pipe.
        form: one of FORMATS.
        rate: Hz; ignored for WAV, whose header has it.
        channels: number of channels; also ignored for WAV.

    Raises:
        ConfigError: there is no such format, or a number is invalid.
        AudioFormatError: there is no WAV header, or the WAV has unsupported samples.
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
    """Blocks of complete samples; an incomplete one at the end is dropped."""
    width = kind.itemsize * channels
    rest = b""
    read = getattr(file, "read1", file.read)  # returns what is there, without waiting for more
    while content := read(size * width):
        content = rest + content
        whole = len(content) // width * width
        rest = content[whole:]
        yield np.frombuffer(content[:whole], kind).reshape(-1, channels)


def _open_wav(file: BinaryIO) -> Source:
    try:
        sound = wave.open(file, "rb")  # noqa: SIM115 - it stays open as long as the pipe
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
    """Audio from the default microphone, until the context ends.

    Raises:
        BackendError: its library is not installed, or there is no microphone.
    """
    try:
        import sounddevice
    except (ImportError, OSError) as error:  # OSError: PortAudio is missing
        raise BackendError(
            f"the microphone cannot be opened ({error}); run \"pip install 'hocket[mic]'\""
        ) from error
    recorded: queue.SimpleQueue[NDArray[np.float32]] = queue.SimpleQueue()

    def keep(block: NDArray[np.float32], *_: object) -> None:
        recorded.put(block.copy())

    try:
        microphone = sounddevice.InputStream(rate, channels=1, dtype="float32", callback=keep)
    except Exception as error:  # PortAudioError, or any error of a device driver
        raise BackendError(
            f"the microphone cannot be opened ({error}); see 'python -m sounddevice'"
        ) from error
    with microphone:
        yield Source(rate, iter(recorded.get, None))
