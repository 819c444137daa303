"""Audio sources of a stream: a file, standard input or a microphone."""

import queue
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hocket.audio import containers
from hocket.audio.conversion import HIGHEST_RATE, LOWEST_RATE
from hocket.audio.decoding import UNCOMPRESSED, decode, undecodable
from hocket.audio.headers import Header, raw_blocks, read_header
from hocket.audio.opening import format_of
from hocket.audio.reading import MOST_CHANNELS
from hocket.errors import AudioContentError, AudioFormatError, BackendError, ConfigError
from hocket.notices import Notices

RAW: Mapping[str, str] = {"s16le": "PCM_16", "f32le": "FLOAT"}
"""Formats of samples without a header, by their names in ffmpeg; and libsndfile's names."""

FORMATS = ("auto", *RAW, "wav", "webm")
"""Formats of a pipe; auto is what its first bytes show, or s16le if they show nothing."""
NAMED: Mapping[str, str] = {"WebM/Matroska": "webm"}
"""Formats that first bytes show, by the names that they have in FORMATS."""

FILE_S = 10.0  # length of blocks from a file
CHUNK_S = 0.1  # length of blocks from a pipe
BEGINNING_BYTES = 4096  # of a pipe, that are looked at
MAGIC_BYTES = 32  # of them, that show a format by themselves
# what the first bytes of samples without a header may look like by chance: format and ffmpeg's name
CHANCE: Mapping[str, str] = {"AAC": "aac", "MP3": "mp3"}


class Source(NamedTuple):
    """Audio input: its rate in Hz, and blocks (samples, channels)."""

    rate: int
    blocks: Iterator[NDArray[Any]]


@contextmanager
def open_file(path: str, notices: Notices) -> Iterator[Source]:
    """Open a recording of any format; errors as in `hocket.audio.reading.read_audio`."""
    with decode(path, path, notices) as decoded:
        yield Source(decoded.rate, _gathered(decoded.blocks, round(FILE_S * decoded.rate)))


def _gathered(blocks: Iterable[NDArray[np.float32]], least: int) -> Iterator[NDArray[np.float32]]:
    """Blocks of at least `least` samples, except the last, so that several windows run at once."""
    waiting: list[NDArray[np.float32]] = []
    for block in blocks:
        waiting.append(block)
        if sum(map(len, waiting)) >= least:
            yield np.concatenate(waiting)
            waiting = []
    if waiting:
        yield np.concatenate(waiting)


@contextmanager
def open_input(
    file: BinaryIO,
    form: str,
    rate: int,
    channels: int,
    notices: Notices,
    name: str = "stdin",
) -> Iterator[Source]:
    """Audio from a pipe, or from anything that is read as one.

    Args:
        file: the pipe.
        form: one of FORMATS.
        rate: Hz of samples without a header.
        channels: number of channels of samples without a header.
        notices: get what is lost.
        name: of the pipe, in errors.

    Raises:
        ConfigError: there is no such format, or a number is invalid.
        AudioFormatError: the first bytes are of another format, or cannot be decoded.
    """
    if form not in FORMATS:
        raise ConfigError(f"format is '{form}'; give one of {', '.join(FORMATS)}")
    if rate < 1 or channels < 1:
        raise ConfigError(f"found rate {rate} and {channels} channels; give 1 or more of both")
    pipe = _Pipe(file, MAGIC_BYTES if form in NAMED.values() else BEGINNING_BYTES)
    kind = _format_in(pipe.beginning)
    if form in RAW and kind is not None:
        remedy = "leave the format out, or give the one that it has"
        raise AudioFormatError(name, f"looks like {kind}, not like {form}", remedy)
    if form in NAMED.values() and NAMED.get(kind or "") != form:
        remedy = "give the format that it has, or auto"
        found = f"looks like {kind}, not like {form}" if kind else f"does not begin as {form} does"
        raise AudioFormatError(name, found, remedy)
    if form in RAW or (form == "auto" and kind is None):
        header = Header(rate, channels, RAW.get(form, RAW["s16le"]), "LITTLE", 0, 0)
        yield _uncompressed(pipe, header)
        return
    header_found = read_header(pipe.read) if kind in UNCOMPRESSED or form == "wav" else None
    if header_found is not None:
        _check_header(header_found, name)
        yield _uncompressed(pipe, header_found)
        return
    with _open_compressed(file, pipe.beginning, kind, notices, name) as source:
        yield source


def _check_header(header: Header, name: str) -> None:
    """Raise AudioContentError if a header states what nothing has."""
    if not (LOWEST_RATE <= header.rate <= HIGHEST_RATE and header.channels <= MOST_CHANNELS):
        problem = f"its header states {header.channels} channels at {header.rate} Hz"
        remedy = f"give at most {MOST_CHANNELS}, at {LOWEST_RATE} to {HIGHEST_RATE} Hz"
        raise AudioContentError(name, problem, remedy)


class _Pipe:
    """A pipe whose first bytes were looked at.

    beginning: the first bytes; fewer than `size` only if no more came.
    """

    def __init__(self, file: BinaryIO, size: int, beginning: bytes = b"") -> None:
        # returns what is there, without waiting for more
        self._more = getattr(file, "read1", file.read)
        while len(beginning) < size:
            part = self._more(size - len(beginning))
            if not part:
                break
            beginning += part
        self.beginning = self._rest = beginning

    def read(self, size: int) -> bytes:
        """At most that many bytes; none at the end."""
        if self._rest:
            part, self._rest = self._rest[:size], self._rest[size:]
            return part
        found: bytes = self._more(size)
        return found


def _format_in(beginning: bytes) -> str | None:
    """The format that first bytes show, unless samples without a header may look the same."""
    kind = format_of(beginning)
    if kind is None or kind not in CHANCE or beginning.startswith(b"ID3"):
        return kind
    if containers.is_installed() and containers.is_recognized(beginning, (CHANCE[kind],)):
        return kind
    return None


def _uncompressed(pipe: _Pipe, header: Header) -> Source:
    frames = round(CHUNK_S * header.rate) or 1
    return Source(header.rate, raw_blocks(pipe.read, header, frames))


@contextmanager
def _open_compressed(
    file: BinaryIO, beginning: bytes, kind: str | None, notices: Notices, name: str
) -> Iterator[Source]:
    pipe: Any = _Pipe(file, 0, beginning)
    if not containers.is_installed():
        raise undecodable(name, beginning, has_av=False)
    try:
        with containers.open_track(pipe, notices, live=True) as track:
            yield Source(track.rate, track.blocks)
    except containers.NoSoundError as error:
        if kind is None or kind == "WAV":
            remedy = "give WAV, or the format s16le for samples without a header"
            raise AudioFormatError(name, "has no WAV header that is known", remedy) from error
        raise undecodable(name, beginning, has_av=True) from error


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
