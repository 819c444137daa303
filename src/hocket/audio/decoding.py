"""Decoding of audio files: libsndfile where it knows the format, otherwise PyAV.

    path, file object, bytes --libsndfile, else PyAV--> blocks (frames, channels)

Audio is decoded block by block, so no array is as long as the recording. A frame is one sample of
every channel, as in libsndfile.
"""

import io
import logging
import os
import re
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import Any, BinaryIO, TypeAlias

import numpy as np
from numpy.typing import NDArray

from hocket.errors import AudioFormatError, AudioNotFoundError
from hocket.errors import one_line as shown

BLOCK_FRAMES = 1 << 16
STREAMED_SIZE = 0x7FFF0000  # writers that cannot seek back announce this many bytes or more
UNCOUNTED = 2**63 - 1  # libsndfile's number of frames for a FLAC written to a pipe
ANNOUNCED = r"(?m)^ *(?:data|Data Size|SSND|riff|Riff size) *: (\d+) \(should be (\d+)\)"
TRAILING_TAGS = 8192  # bytes that may follow the audio of an MP3
FLOATS = ("FLOAT", "DOUBLE")  # subtypes whose samples may have a wrong scale
BEGINNING = re.compile(
    rb"(?P<MP4_M4A>....ftyp)|(?P<WebM_Matroska>\x1a\x45\xdf\xa3)|(?P<WMA>\x30\x26\xb2\x75)"
    rb"|(?P<AAC>\xff[\xf1\xf9])|(?P<AMR>#!AMR)|(?P<AVI>RIFF....AVI)|(?P<WAV>R..[F4]....WAVE)"
    rb"|(?P<AIFF>FORM....AIF)|(?P<CAF>caff)|(?P<FLAC>fLaC)|(?P<Ogg>OggS)"
    rb"|(?P<MP3>ID3|\xff[\xf2\xf3\xfa\xfb])",
    re.DOTALL,
)

ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
NO_CONNECTION = "is an address; hocket opens no connection"

Block: TypeAlias = NDArray[np.float32]  # (frames, channels)

logger = logging.getLogger("hocket")


@dataclass(frozen=True, eq=False)
class Decoded:
    """Audio that is being decoded.

    rate: Hz.
    frames: number of frames that the header announces; None if it announces none.
    blocks: (frames, channels) each; with several channels, valid only until the next block.
    peak: largest magnitude of audio coded as floats, whose scale may be wrong; otherwise 0.
    """

    rate: int
    frames: int | None
    blocks: Iterator[Block]
    peak: float = 0.0


def to_float(block: NDArray[Any]) -> Block:
    """Samples as float32, in the same shape; integers are scaled from their range to -1..1."""
    if block.dtype.kind == "f":
        with np.errstate(over="ignore"):  # overflows to infinity, and infinity is handled later
            return block.astype(np.float32, copy=False)
    half = 2.0 ** (8 * block.dtype.itemsize - 1)
    middle = half if block.dtype.kind == "u" else 0.0
    return ((block - middle) / half).astype(np.float32)


@contextmanager
def decode(source: Any, name: str) -> Iterator[Decoded]:
    """Open a path, encoded bytes or a binary file object; errors as in `read_audio`.

    PyAV decodes what libsndfile does not recognize.
    """
    with _open(source, name) as file:
        if not file.read(1):
            raise AudioFormatError(name, "is empty", "give a file with audio in it")
        sound = _open_sndfile(file)
        if sound is None:
            with _decode_av(file, name) as decoded:
                yield decoded
            return
        with sound:
            peak = _peak(sound) if sound.subtype in FLOATS else 0.0
            frames = None if sound.frames == UNCOUNTED else int(sound.frames)
            blocks = _sndfile_blocks(sound, name, file)
            yield Decoded(sound.samplerate, frames, blocks, peak)


def _open(source: Any, name: str) -> BinaryIO:
    """Open a path as a file, and anything else as BytesIO."""
    path = source if isinstance(source, str | os.PathLike) else _path_behind(source)
    if path is not None:
        return _open_path(os.fsdecode(path), name)
    data = source.read() if hasattr(source, "read") else source
    if not isinstance(data, bytes | bytearray | memoryview):
        remedy = "give a path, bytes, a file opened with 'rb', or a NumPy array"
        raise AudioFormatError(name, f"gives {type(data).__name__}, not bytes", remedy)
    return io.BytesIO(data)


def _path_behind(source: Any) -> str | bytes | None:
    """Path of an open regular file at its start, so that it need not be read into memory."""
    raw = source.raw if isinstance(source, io.BufferedReader) else source
    path = raw.name if isinstance(raw, io.FileIO) else None
    if not isinstance(path, str | bytes) or not os.path.isfile(path):
        return None
    same = os.path.samestat(os.stat(path), os.fstat(source.fileno()))
    return path if same and source.tell() == 0 else None


def _open_path(path: str, name: str) -> BinaryIO:
    if os.path.isdir(path):
        raise AudioFormatError(name, "is a directory", "give a file, or the files in it")
    try:
        file = open(path, "rb")  # noqa: SIM115 - the caller closes it
    except (OSError, ValueError) as error:  # ValueError: a null character
        if ADDRESS.match(path):
            remedy = f"download it, or pipe it: ffmpeg -i {path} -f wav - | hocket diarize -"
            raise AudioNotFoundError(name, NO_CONNECTION, remedy) from error
        reason = getattr(error, "strerror", None) or str(error)
        remedy = "check the path and your permissions"
        raise AudioNotFoundError(name, f"cannot be opened ({reason})", remedy) from error
    # pipes cannot seek, and soundfile reads files named .raw as samples without a header
    if stat.S_ISREG(os.fstat(file.fileno()).st_mode) and not path.lower().endswith(".raw"):
        return file
    with file:
        return io.BytesIO(file.read())


def _open_sndfile(file: BinaryIO) -> Any | None:
    """The open sound file, or None if libsndfile does not recognize it."""
    import soundfile

    file.seek(0)
    target: Any = file
    if not isinstance(file, io.BytesIO):  # by path: callbacks into Python would swallow Ctrl-C
        target = os.fsencode(file.name) if os.name == "posix" else file.name
    try:
        return soundfile.SoundFile(target)
    except soundfile.SoundFileError:
        return None


def _peak(sound: Any) -> float:
    """Largest finite magnitude of a sound file; it is rewound afterwards."""
    import soundfile

    peak = 0.0
    try:
        for block in sound.blocks(BLOCK_FRAMES, dtype="float32", always_2d=True):
            finite = block[np.isfinite(block)]
            peak = max(peak, float(np.abs(finite).max(initial=0)))
    except soundfile.SoundFileError:  # damaged: reading it again reports how much is lost
        pass
    sound.seek(0)
    return peak


def _sndfile_blocks(sound: Any, name: str, file: BinaryIO) -> Iterator[Block]:
    # soundfile seeks after every read of a seekable file, which breaks an MP3 at block boundaries
    sound.seekable = lambda: False
    block = np.empty((BLOCK_FRAMES, sound.channels), np.float32)
    total, count, damaged = 0, BLOCK_FRAMES, False
    while count == BLOCK_FRAMES and not damaged:
        if sound.channels == 1:  # the block is the waveform itself and is kept, so not reused
            block = np.empty_like(block)
        block.fill(np.nan)
        try:
            count = len(sound.read(out=block))
        except RuntimeError:  # it does not say how far it read, but the remaining NaN do
            count, damaged = BLOCK_FRAMES - int(np.isnan(block[:, 0]).sum()), True
        total += count
        yield block[:count]
    _check_loss(name, sound.samplerate, total, _promised_frames(sound), damaged)
    if sound.format == "MP3":
        _warn_if_longer(file, name)


def _promised_frames(sound: Any) -> int:
    """Number of frames that the header announces.

    libsndfile lowers `frames` to what a truncated WAV, AIFF or AU holds, but logs both sizes.
    """
    sizes = re.findall(ANNOUNCED, sound.extra_info)
    announced, present = map(int, sizes[-1]) if sizes else (0, 0)
    if present < announced < STREAMED_SIZE:
        return sound.frames * announced // present if sound.frames else announced - present
    return 0 if sound.frames == UNCOUNTED else int(sound.frames)


def _check_loss(name: str, rate: int, frames: int, promised: int, damaged: bool) -> None:
    """Raise if no part of a damaged file could be decoded; warn if only part of it was."""
    if not damaged and promised - frames <= rate // 10:  # decoders trim a little at the ends
        return
    if not frames:
        problem = "is truncated or damaged, nothing in it can be decoded"
        raise AudioFormatError(name, problem, "give an intact copy")
    text = "%s: truncated or damaged; kept the first %.1f s"
    logger.warning(text, shown(name), frames / rate)


def _warn_if_longer(file: BinaryIO, name: str) -> None:
    """Warn about an MP3 that is longer than its header states: libsndfile stops at that length.

    This happens with joined MP3s, and with variable bit rates without a frame count.
    """
    import soundfile

    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    try:
        with soundfile.SoundFile(file) as sound:  # by `file`, whose position shows how far it reads
            sound.seek(sound.frames - 1)
            sound.read(out=np.empty((1, sound.channels), np.float32))
    except soundfile.SoundFileError:
        return
    if size - file.tell() > TRAILING_TAGS:
        text = (
            "%s: goes on after the %.1f s that its header states; the rest was not read, convert it"
        )
        logger.warning(text, shown(name), sound.frames / sound.samplerate)


@contextmanager
def _decode_av(file: BinaryIO, name: str) -> Iterator[Decoded]:
    file.seek(0)
    beginning = file.read(64)
    file.seek(0)
    try:
        import av
    except ImportError as error:
        raise _undecodable(name, beginning, has_av=False) from error
    # ffmpeg must not follow a playlist to other files or addresses
    options = {"protocol_whitelist": "none"}
    try:
        with av.open(file, "r", container_options=options, metadata_errors="ignore") as container:
            if not container.streams.audio:
                raise AudioFormatError(name, "has no audio track", "give a file with audio in it")
            frames = container.decode(audio=0)
            first = next(frames, None)
            if first is None:
                raise _undecodable(name, beginning, has_av=True)
            rate = first.sample_rate  # the header of HE-AAC may state half of it
            blocks = _joined(_av_blocks(chain([first], frames), rate, name))
            yield Decoded(rate, None, blocks)
    except av.FFmpegError as error:
        raise _undecodable(name, beginning, has_av=True) from error


def _av_blocks(frames: Iterable[Any], rate: int, name: str) -> Iterator[Block]:
    import av

    total, damaged = 0, False
    try:
        for frame in frames:
            if damaged := frame.sample_rate != rate:
                break
            planes = frame.to_ndarray()
            block = planes.T if frame.format.is_planar else planes.reshape(frame.samples, -1)
            total += len(block)
            yield to_float(block)
    except (av.FFmpegError, ValueError):  # ValueError: a sample format unknown to NumPy
        damaged = True
    _check_loss(name, rate, total, total, damaged)


def _joined(blocks: Iterable[Block]) -> Iterator[Block]:
    """Fewer, longer blocks: ffmpeg returns about 1000 frames at a time, which are slow to mix."""
    pending: list[Block] = []
    frames = 0
    for block in blocks:
        if pending and (frames >= BLOCK_FRAMES or pending[0].shape[1] != block.shape[1]):
            yield np.concatenate(pending)
            pending, frames = [], 0
        pending.append(block)
        frames += len(block)
    if pending:
        yield np.concatenate(pending)


def _undecodable(name: str, beginning: bytes, *, has_av: bool) -> AudioFormatError:
    found = BEGINNING.match(beginning)
    install = "" if has_av else "pip install 'hocket[av]' for more formats, or "
    if found is None or found.lastgroup is None:
        problem = f"is not audio in a known format (begins with {beginning[:8]!r})"
        return AudioFormatError(name, problem, f"{install}give WAV, FLAC, MP3 or Ogg")
    problem = "but is truncated or damaged" if has_av else "but libsndfile cannot decode it"
    problem = f"looks like {found.lastgroup.replace('_', '/')}, {problem}"
    return AudioFormatError(name, problem, f"{install}give an intact copy in WAV or FLAC")
