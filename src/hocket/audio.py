"""Any recording in, one mono waveform out: the only place that guesses.

    path, file object, bytes --libsndfile, else PyAV--> blocks (frames, channels)
    array --slices------------------------------------> blocks (frames, channels)
    blocks --non-finite to 0, mean of channels, soxr--> waveform at the target rate

Block by block, so that the mono waveform is the only array as long as the recording.
A frame here is libsndfile's: one sample of every channel.
"""

import io
import logging
import os
import re
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import PurePath
from typing import Any, BinaryIO, TypeAlias

import numpy as np
from numpy.typing import NDArray

from hocket.arrays import Waveform
from hocket.errors import AudioContentError, AudioFormatError, AudioNotFoundError, ConfigError
from hocket.errors import one_line as shown

BLOCK_FRAMES = 1 << 16
LOWEST_RATE, HIGHEST_RATE = 1_000, 768_000
MOST_CHANNELS = 32
LOUDEST = 1.5  # codecs and resampling overshoot 1 by a hair; more is a wrong scale
STREAMED_SIZE = 0x7FFF0000  # a writer that cannot seek back announces this many bytes or more
UNCOUNTED = 2**63 - 1  # libsndfile's frames of a FLAC from a pipe
ANNOUNCED = r"(?m)^ *(?:data|Data Size|SSND|riff|Riff size) *: (\d+) \(should be (\d+)\)"
TRAILING_TAGS = 8192  # bytes that may follow the audio of an MP3
BEGINNING = re.compile(
    rb"(?P<MP4_M4A>....ftyp)|(?P<WebM_Matroska>\x1a\x45\xdf\xa3)|(?P<WMA>\x30\x26\xb2\x75)"
    rb"|(?P<AAC>\xff[\xf1\xf9])|(?P<AMR>#!AMR)|(?P<AVI>RIFF....AVI)|(?P<WAV>R..[F4]....WAVE)"
    rb"|(?P<AIFF>FORM....AIF)|(?P<CAF>caff)|(?P<FLAC>fLaC)|(?P<Ogg>OggS)"
    rb"|(?P<MP3>ID3|\xff[\xf2\xf3\xfa\xfb])",
    re.DOTALL,
)

AudioSource: TypeAlias = (
    str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO | NDArray[Any]
)
Block: TypeAlias = NDArray[np.float32]  # (frames, channels)

logger = logging.getLogger("hocket")


@dataclass(frozen=True, eq=False)
class Recording:
    """What the stages take: float32 mono, finite, C-contiguous, read-only samples."""

    samples: Waveform
    sample_rate: int
    name: str

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return len(self.samples) / self.sample_rate

    @property
    def stem(self) -> str:
        """File name without folder and suffix, as a uri: "_" for blanks and unprintables."""
        stem = PurePath(self.name).stem or "audio"
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
            an array (samples,), (samples, channels) or (channels, samples): the shorter axis is
            the channels, at most 32; integers span their type's range, floats -1..1.
        sample_rate: Hz, of an array; files carry their own.
        target_rate: Hz, of the result.
        name: what errors and outputs call the recording; by default its path, else "audio".

    Returns:
        A recording; its samples are a view of an array that is float32 mono at `target_rate`.

    Raises:
        AudioNotFoundError: there is no such file, or it may not be read.
        AudioFormatError: not audio, damaged from its beginning, or needs `hocket[av]`.
        AudioContentError: no finite sample, or a rate, shape or type that makes no sense.
        ConfigError: an array without `sample_rate`, or anything else with it.
    """
    name = _name_of(source) if name is None else name
    if isinstance(source, np.ndarray):
        if sample_rate is None:
            raise ConfigError(f"{shown(name)}: an array has no rate of its own; pass sample_rate=")
        return Recording(_read_array(source, name, sample_rate, target_rate), target_rate, name)
    if sample_rate is not None:
        raise ConfigError(f"{shown(name)}: sample_rate={sample_rate} is for arrays; leave it out")
    with _open(source, name) as file:
        if not file.read(1):
            raise AudioFormatError(name, "is empty", "give a file with audio in it")
        samples = _read_sndfile(file, name, target_rate)
        if samples is None:
            samples = _read_av(file, name, target_rate)
    if not len(samples):
        logger.warning("%s: holds no samples", shown(name))
    return Recording(samples, target_rate, name)


def _name_of(source: Any) -> str:
    path = source if isinstance(source, str | os.PathLike) else getattr(source, "name", None)
    if not isinstance(path, str | bytes | os.PathLike):
        return "audio"
    return "stdin" if path == "<stdin>" else os.fsdecode(path)


def _read_array(array: NDArray[Any], name: str, rate: int, target_rate: int) -> Waveform:
    array = np.asarray(array if array.size else array.reshape(0))
    # 64-bit integers once were narrower ones, of a range that nobody knows any more
    if array.dtype.kind not in "iuf" or array.dtype.str[1:] in ("i8", "u8"):
        remedy = "give floats in -1..1, or integers of 8 to 32 bits"
        raise AudioContentError(name, f"is an array of {array.dtype}", remedy)
    columns = _samples_first(array, name)
    mono = columns[:, 0]
    ready = rate == target_rate and columns.shape[1] == 1 and mono.dtype == np.float32
    if ready and mono.flags.c_contiguous and _peak(mono) <= LOUDEST:  # which NaN is not
        return _level(mono, name)
    blocks = (
        _to_float(columns[start : start + BLOCK_FRAMES])
        for start in range(0, len(columns), BLOCK_FRAMES)
    )
    return _mix(blocks, name, rate, target_rate)


def _samples_first(array: NDArray[Any], name: str) -> NDArray[Any]:
    """View (samples, channels) of (samples,), (samples, channels) or (channels, samples)."""
    if array.ndim == 1:
        return array[:, None]
    fewer, more = sorted(array.shape) if array.ndim == 2 else (0, 0)
    if not 1 <= fewer <= MOST_CHANNELS or 1 < fewer == more:
        remedy = f"give (samples, channels), more samples than channels, at most {MOST_CHANNELS}"
        raise AudioContentError(name, f"is an array of shape {array.shape}", remedy)
    return array if array.shape[1] == fewer else array.T


def _to_float(block: NDArray[Any]) -> Block:
    """float32 of the same shape; integers are scaled from their type's range to -1..1."""
    if block.dtype.kind == "f":
        with np.errstate(over="ignore"):  # becomes infinite, which counts as not finite
            return block.astype(np.float32, copy=False)
    half = 2.0 ** (8 * block.dtype.itemsize - 1)
    middle = half if block.dtype.kind == "u" else 0.0
    return ((block - middle) / half).astype(np.float32)


def _mix(blocks: Iterable[Block], name: str, rate: int, target_rate: int) -> Waveform:
    """Waveform (samples,) at the target rate of a recording's blocks, which stay as they are."""
    if not LOWEST_RATE <= rate <= HIGHEST_RATE:
        remedy = f"give audio of {LOWEST_RATE} to {HIGHEST_RATE} Hz"
        raise AudioContentError(name, f"has a sample rate of {rate} Hz", remedy)
    resampler = None
    if rate != target_rate:
        import soxr

        resampler = soxr.ResampleStream(rate, target_rate, 1, quality="HQ")
    mono = bytearray()  # grows in place; joining blocks would need twice the memory
    values = usable = 0
    for block in blocks:
        finite = np.isfinite(block)
        count = int(np.count_nonzero(finite))
        values, usable = values + block.size, usable + count
        known = block if count == block.size else np.where(finite, block, np.float32(0))
        # float64, as the sum of float32 extremes overflows
        mean = known.mean(axis=1, dtype=np.float64).astype(np.float32)
        mono += (resampler.resample_chunk(mean) if resampler else mean).data
    if resampler:
        mono += resampler.resample_chunk(np.empty(0, np.float32), last=True).data
    if values and not usable:
        remedy = "check the step that wrote it"
        raise AudioContentError(name, "all its samples are NaN or infinite", remedy)
    if bad := values - usable:
        text = "%s: %d samples (%.3g %%) are NaN or infinite, taken as 0"
        logger.warning(text, shown(name), bad, 100 * bad / values)
    return _level(np.ndarray(len(mono) // 4, np.float32, mono), name)


def _level(samples: Waveform, name: str) -> Waveform:
    """`samples`, read-only, divided in place by their peak if that is beyond LOUDEST.

    Graphs were trained on -1..1; dividing keeps the shape, so that int16 values stored as floats
    come out right but for their level.
    """
    peak = _peak(samples)
    if not np.isfinite(peak):
        raise AudioContentError(name, "is too loud for float32", "scale it to -1..1")
    if peak > LOUDEST:
        samples /= np.float32(peak)
    samples.flags.writeable = False
    return samples


def _peak(samples: Waveform) -> float:
    """Largest magnitude; NaN if there is one."""
    return float(max(samples.max(), -samples.min())) if samples.size else 0.0


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
    """Path of an open file that is all of a regular file, so that it need not be in memory."""
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
        reason = getattr(error, "strerror", None) or str(error)
        remedy = "check the path and your permissions"
        raise AudioNotFoundError(name, f"cannot be opened ({reason})", remedy) from error
    # pipes cannot seek; soundfile takes the name .raw for samples without a header
    if stat.S_ISREG(os.fstat(file.fileno()).st_mode) and not path.lower().endswith(".raw"):
        return file
    with file:
        return io.BytesIO(file.read())


def _read_sndfile(file: BinaryIO, name: str, target_rate: int) -> Waveform | None:
    """Waveform, or None if libsndfile cannot make sense of the file."""
    import soundfile

    file.seek(0)
    target: Any = file
    if not isinstance(file, io.BytesIO):  # by path, as callbacks into Python swallow Ctrl-C
        target = os.fsencode(file.name) if os.name == "posix" else file.name
    try:
        sound = soundfile.SoundFile(target)
    except soundfile.SoundFileError:
        return None
    with sound:
        samples = _mix(_sndfile_blocks(sound, name), name, sound.samplerate, target_rate)
        if sound.format == "MP3":
            _warn_of_rest(file, name)
    return samples


def _sndfile_blocks(sound: Any, name: str) -> Iterator[Block]:
    # soundfile seeks after reads from what it can seek, which breaks an MP3 at every seam
    sound.seekable = lambda: False
    block = np.empty((BLOCK_FRAMES, sound.channels), np.float32)
    total, count, damaged = 0, BLOCK_FRAMES, False
    while count == BLOCK_FRAMES and not damaged:
        block.fill(np.nan)
        try:
            count = len(sound.read(out=block))
        except RuntimeError:  # does not tell how far it got, but what is NaN yet does
            count, damaged = BLOCK_FRAMES - int(np.isnan(block[:, 0]).sum()), True
        total += count
        yield block[:count]
    _check_loss(name, sound.samplerate, total, _promised_frames(sound), damaged)


def _promised_frames(sound: Any) -> int:
    """Frames that the header announces.

    libsndfile lowers `frames` to what is there of a WAV, AIFF or AU, but its log has both sizes.
    """
    sizes = re.findall(ANNOUNCED, sound.extra_info)
    announced, present = map(int, sizes[-1]) if sizes else (0, 0)
    if present < announced < STREAMED_SIZE:
        return sound.frames * announced // present if sound.frames else announced - present
    return 0 if sound.frames == UNCOUNTED else int(sound.frames)


def _check_loss(name: str, rate: int, frames: int, promised: int, damaged: bool) -> None:
    """Raise if nothing of a damaged file was decoded, warn if not all of it was."""
    if not damaged and promised - frames <= rate // 10:  # decoders trim a little at the ends
        return
    if not frames:
        problem = "is truncated or damaged, nothing of it can be decoded"
        raise AudioFormatError(name, problem, "give an intact copy")
    text = "%s: truncated or damaged; kept the first %.1f s"
    logger.warning(text, shown(name), frames / rate)


def _warn_of_rest(file: BinaryIO, name: str) -> None:
    """Warn of an MP3 whose header counts less than is there, as libsndfile stops at that count.

    Joined MP3s and ones of variable bit rate without a count are like that.
    """
    import soundfile

    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    try:
        with soundfile.SoundFile(file) as sound:  # through `file`, to see how far it reads
            sound.seek(sound.frames - 1)
            sound.read(out=np.empty((1, sound.channels), np.float32))
    except soundfile.SoundFileError:
        return
    if size - file.tell() > TRAILING_TAGS:
        text = "%s: goes on after the %.1f s its header counts, which was not read; convert it"
        logger.warning(text, shown(name), sound.frames / sound.samplerate)


def _read_av(file: BinaryIO, name: str, target_rate: int) -> Waveform:
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
            rate = first.sample_rate  # HE-AAC's header may tell half of it
            blocks = _av_blocks(chain([first], frames), rate, name)
            return _mix(_joined(blocks), name, rate, target_rate)
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
            yield _to_float(block)
    except (av.FFmpegError, ValueError):  # ValueError: a sample format that NumPy lacks
        damaged = True
    _check_loss(name, rate, total, total, damaged)


def _joined(blocks: Iterable[Block]) -> Iterator[Block]:
    """Fewer, longer blocks; ffmpeg gives about 1000 frames at a time, which is slow to mix."""
    held: list[Block] = []
    frames = 0
    for block in blocks:
        if held and (frames >= BLOCK_FRAMES or held[0].shape[1] != block.shape[1]):
            yield np.concatenate(held)
            held, frames = [], 0
        held.append(block)
        frames += len(block)
    if held:
        yield np.concatenate(held)


def _undecodable(name: str, beginning: bytes, *, has_av: bool) -> AudioFormatError:
    found = BEGINNING.match(beginning)
    install = "" if has_av else "pip install 'hocket[av]' for more formats, or "
    if found is None or found.lastgroup is None:
        problem = f"is not audio in a known format (begins with {beginning[:8]!r})"
        return AudioFormatError(name, problem, f"{install}give WAV, FLAC, MP3 or Ogg")
    problem = "but is truncated or damaged" if has_av else "but libsndfile cannot decode it"
    problem = f"looks like {found.lastgroup.replace('_', '/')}, {problem}"
    return AudioFormatError(name, problem, f"{install}give an intact copy in WAV or FLAC")
