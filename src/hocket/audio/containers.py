"""Decoding by PyAV.

    file --packets--> decoder --frames--> placement --> blocks (frames, channels)

A packet that cannot be decoded is skipped, and decoding goes on with the next one.
"""

import io
import re
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any, BinaryIO, NamedTuple
from zlib import crc32

import numpy as np

from hocket.audio.matroska import MendedMatroska, is_matroska
from hocket.audio.placement import TOLERANCE_S, Frame, Placement
from hocket.audio.samples import BLOCK_FRAMES, Block, to_float
from hocket.notices import Notices

LIVE_BYTES = 4096  # read at once from a pipe, so that sound does not wait for more of it
MOST_ERRORS = 1000  # of reading, one after the other
REMEMBERED = 20_000  # packets among which a repeated one is looked for
# a playlist must not lead to other files or addresses
OPTIONS = {"protocol_whitelist": "none"}
LIVE_OPTIONS = {**OPTIONS, "probesize": "32768", "analyzeduration": "500000"}  # bytes, microseconds
# formats whose header states the length of a track; others are estimated from the bit rate
MEASURED = ("mov", "ogg", "asf", "flac", "wav", "w64", "aiff", "caf")
# formats without time stamps: a damaged part counts as one packet, whatever its length
COUNTING = ("aac", "ac3", "amr", "avi", "dts", "eac3", "mp3")
# formats that number their samples from 0, so that a lost beginning shows
NUMBERED = ("flac",)
HEADER_BYTES = 1024  # most between two packets of one track
# count of frames in the first frame of an MP3: behind a tag, flags of which the lowest is set; or
# behind a tag and ten other bytes
COUNT = re.compile(
    rb"(?:Xing|Info)...[\x01\x03\x05\x07\x09\x0b\x0d\x0f](....)|VBRI.{10}(....)", re.S
)
COUNT_BYTES = 4096
INDEX, INDEX_BYTES = 0.1, 10_000  # most of a file that is no sound behind it
REPEATED_S = 0.1  # least length of what is there twice, that is noted
SHORTFALL_S = 0.5  # encoders pad the last packet, where samples are not numbered


class Track(NamedTuple):
    """An open audio track.

    rate: Hz.
    frames: number of frames that the container announces; None if it announces none.
    blocks: (frames, channels) each.
    """

    rate: int
    frames: int | None
    blocks: Iterator[Block]


class NoSoundError(Exception):
    """There is no such audio track, or nothing in it can be decoded.

    Args:
        tracks: number of audio tracks; None if the file is in no known format.
    """

    def __init__(self, tracks: int | None) -> None:
        super().__init__(tracks)
        self.tracks = tracks


def is_installed() -> bool:
    """Whether PyAV can be imported."""
    return find_spec("av") is not None


def is_recognized(beginning: bytes, names: Iterable[str]) -> bool:
    """Whether ffmpeg takes the beginning of a file for one of these formats."""
    import av

    try:
        with av.open(io.BytesIO(beginning), "r", container_options=OPTIONS) as container:
            return container.format.name in names
    except (av.FFmpegError, ValueError):
        return False


@contextmanager
def open_track(
    file: BinaryIO, notices: Notices, track: int | None = None, *, live: bool = False
) -> Iterator[Track]:
    """Open one audio track of a file.

    Args:
        file: at its beginning; it need not be seekable.
        notices: get what is lost, and which of several tracks is used.
        track: number of the audio track, from 1. Default: the one that the file marks as default.
        live: read no more of the file than is needed, which may be a pipe that somebody fills.

    Raises:
        NoSoundError: there is no such audio track, or nothing in it can be decoded.
    """
    import av

    more: dict[str, Any] = {"container_options": OPTIONS}
    if live:
        more = {"container_options": LIVE_OPTIONS, "buffer_size": LIVE_BYTES}
    mended: Any = MendedMatroska(file) if not live and is_matroska(file) else file
    try:
        container = av.open(mended, "r", metadata_errors="ignore", **more)
    except (av.FFmpegError, ValueError) as error:  # ValueError: a type unknown to PyAV
        raise NoSoundError(None) from error
    with container:
        stream = _chosen(container.streams.audio, track, notices)
        counted = None if live else _counted_frames(file)
        source = _Source(container, stream, counted, None if live else _size_of(file))
        frames = source.frames()
        first = next(frames, None)
        if first is None:
            raise NoSoundError(len(container.streams.audio))
        length = source.stated_seconds()
        announced = None if length is None else round(length * source.rate)
        blocks = _placed(source, first, frames, notices, live=live)
        yield Track(source.rate, announced, blocks if live else _joined(blocks))


def _counted_frames(file: BinaryIO) -> int | None:
    """Number of frames that an MP3 states; without that, ffmpeg estimates its length."""
    if not getattr(file, "seekable", lambda: False)():
        return None
    place = file.tell()
    file.seek(0)
    start = file.read(10)
    if start.startswith(b"ID3") and len(start) == 10:  # its length in four times seven bits
        file.seek(10 + sum(byte << 7 * (3 - index) for index, byte in enumerate(start[6:])))
    content = start + file.read(COUNT_BYTES)
    file.seek(place)
    found = COUNT.search(content)
    return int.from_bytes(found[1] or found[2]) if found else None


def _size_of(file: BinaryIO) -> int | None:
    """Bytes of a file; None if it cannot be sought."""
    if not getattr(file, "seekable", lambda: False)():
        return None
    place = file.tell()
    size = file.seek(0, io.SEEK_END)
    file.seek(place)
    return size


def _chosen(tracks: Any, number: int | None, notices: Notices) -> Any:
    """The track of that number, otherwise the default one, otherwise the first."""
    import av

    if not tracks or not 1 <= (number or 1) <= len(tracks):
        raise NoSoundError(len(tracks))
    if number is not None:
        return tracks[number - 1]
    marked = av.stream.Disposition.default
    default = [index for index, each in enumerate(tracks) if each.disposition & marked]
    index = default[0] if default else 0
    if len(tracks) > 1:
        why = "marked as default" if default else "the first"
        language = tracks[index].metadata.get("language")
        named = f", language {language}" if language not in (None, "und") else ""
        text = f"of {len(tracks)} audio tracks, number {index + 1} is used ({why}{named})"
        notices.add("track", f"{text}; choose another with track=")
    return tracks[index]


class _Source:
    """Frames of one audio track, as the decoder gives them.

    rate: Hz, of the first frame and, resampled where another follows, of all.
    is_numbered: whether the first sample of the recording has the time 0.
    end: seconds at which the last packet ends; None if unknown.
    repeated_s: length of what the file holds twice, in seconds.
    """

    def __init__(self, container: Any, stream: Any, counted: int | None, size: int | None) -> None:
        self._container, self._stream, self._counted = container, stream, counted
        self._size, self._read = size, 0  # bytes of the file, and of all its packets
        self._packet_s = 0.0  # length of the first packet
        self._format = container.format.name.split(",")[0]
        self.is_numbered = self._format in NUMBERED
        self._start = 0.0 if self.is_numbered else (container.start_time or 0) / 1e6
        self._is_counting = self._format in COUNTING and len(container.streams) == 1
        self._bytes = self._reached = 0  # of packets that were decoded; of the file
        self._good_s = self._lost_s = 0.0  # decoded; left out by time stamps
        self._first: Any = None
        self._resamplers: dict[tuple[str, str, int], Any] = {}
        self.rate, self.repeated_s = 0, 0.0
        self.end: float | None = None

    def frames(self) -> Iterator[Frame]:
        """All frames of one rate and one number of channels."""
        import av

        damaged = False
        for packet in self._distinct(self._packets()):
            try:
                decoded = packet.decode()
            except av.FFmpegError:
                damaged = True
                self._count(packet, good=False)
                continue
            self._count(packet, good=True)
            for frame in decoded:
                block = self._block(frame)
                if block is None:
                    damaged = True
                    continue
                known = frame.pts is not None and frame.time_base is not None
                # ffmpeg could not divide it: the time stamp may be that of any of its frames
                known = known and not (self.is_numbered and len(decoded) > 1)
                time = self._seconds(frame.pts, frame.time_base) if known else None
                yield Frame(block, time, damaged or bool(frame.is_corrupt))
                damaged = False

    def _count(self, packet: Any, *, good: bool) -> None:
        """Keep where a packet ends, and how much sound damage takes that has no time stamps."""
        if not packet.size or packet.pts is None:
            return
        seconds = float((packet.duration or 0) * packet.time_base)
        self._packet_s = self._packet_s or seconds
        lost, skipped = 0.0, self._skipped(packet)
        if self._bytes:
            pace = self._good_s / self._bytes
            lost = max(
                0.0, (skipped + (0 if good else packet.size)) * pace - (0 if good else seconds)
            )
        self._lost_s += lost if self._is_counting else 0.0
        if good:
            self._bytes, self._good_s = self._bytes + packet.size, self._good_s + seconds
        if good or not self._is_counting:  # tags may follow the last packet
            self.end = self._seconds(packet.pts, packet.time_base) + seconds

    def _skipped(self, packet: Any) -> int:
        """Bytes between a packet and the one before, if they are too many for a header."""
        if packet.pos is None:
            return 0
        before, self._reached = self._reached, packet.pos + packet.size
        skipped = packet.pos - before if before else 0
        return skipped if skipped > HEADER_BYTES else 0

    def _distinct(self, packets: Iterable[Any]) -> Iterator[Any]:
        """Packets without those that a damaged file holds twice, with one time stamp.

        Time stamps that go back to the beginning are not a repeated part, but another recording.
        """
        seen, before = OrderedDict[tuple[int, int], None](), 0.0
        for packet in packets:
            self._read += packet.size
            if packet.size and packet.pts is not None:
                key, time = (packet.pts, crc32(packet)), float(packet.pts * packet.time_base)
                if time < before and time <= self._start + TOLERANCE_S:
                    seen.clear()
                before = time
                if key in seen:
                    self.repeated_s += float((packet.duration or 0) * packet.time_base)
                    continue
                seen[key] = None
                if len(seen) > REMEMBERED:
                    seen.popitem(last=False)
            yield packet

    def _packets(self) -> Iterator[Any]:
        """All packets, also those behind a part that cannot be read."""
        import av

        errors = 0
        while errors < MOST_ERRORS:
            try:
                for packet in self._container.demux(self._stream):
                    errors = 0
                    yield packet
            except av.FFmpegError:
                errors += 1
            except IndexError:  # PyAV's, for a packet of a track that the beginning does not show
                continue
            else:
                return

    def _seconds(self, stamp: int, base: Any) -> float:
        return float(stamp * base) - self._start + self._lost_s

    def _block(self, frame: Any) -> Block | None:
        """Samples of a frame in the first one's rate and channels; None if they are unreadable."""
        if self._first is None:
            self._first, self.rate = frame, frame.sample_rate
        first = self._first
        try:
            if frame.sample_rate == self.rate and frame.layout.name == first.layout.name:
                return _samples(frame)
            return self._converted(frame)
        except ValueError:  # a sample format unknown to NumPy
            return None

    def _converted(self, frame: Any) -> Block:
        import av

        form = frame.format.name, frame.layout.name, frame.sample_rate
        if form not in self._resamplers:
            self._resamplers[form] = av.AudioResampler("fltp", self._first.layout, self.rate)
        frame.pts = None  # it would fill gaps, which is done elsewhere
        parts = [_samples(each) for each in self._resamplers[form].resample(frame)]
        nothing = np.empty((0, len(self._first.layout.channels)), np.float32)
        return np.concatenate([nothing, *parts])

    def unread_seconds(self) -> float:
        """Length of what is in no packet, where a file holds nothing else and no time stamps."""
        return self._length_of(self._read) if self._format == "aac" else 0.0

    def rest_seconds(self) -> float:
        """Length of what may be behind the last packet, if a file of one track goes on there."""
        if self._format not in ("mov", "matroska") or len(self._container.streams) > 1:
            return 0.0
        # an index or tags may follow the last packet
        is_much = self._size and self._size - self._reached > max(INDEX * self._size, INDEX_BYTES)
        return self._length_of(self._reached) if is_much else 0.0

    def _length_of(self, reached: int) -> float:
        """Length of all bytes behind so many, at the pace of those that were decoded."""
        if self._size is None or not self._bytes:
            return 0.0
        return (self._size - reached) * self._good_s / self._bytes

    def stated_seconds(self) -> float | None:
        """Length of the track as the header states it; None if it states none."""
        if self._format == "mp3":
            return self._counted * self._packet_s if self._counted else None
        if self._format in MEASURED and self._stream.duration:
            first = 0 if self.is_numbered else self._stream.start_time or 0
            stamps = first + self._stream.duration
            return float(stamps * self._stream.time_base) - self._start
        is_only = len(self._container.streams) == 1
        if self._format == "matroska" and is_only and self._container.duration:
            return float(self._container.duration) / 1e6 - self._start
        return None


def _samples(frame: Any) -> Block:
    planes = frame.to_ndarray()
    return to_float(planes.T if frame.format.is_planar else planes.reshape(frame.samples, -1))


def _placed(
    source: _Source, first: Frame, others: Iterator[Frame], notices: Notices, *, live: bool
) -> Iterator[Block]:
    """All frames, placed by their time stamps."""

    def all_frames() -> Iterator[Frame]:
        yield first
        yield from others

    placement = Placement(source.rate, notices, is_numbered=source.is_numbered, live=live)
    yield from placement.blocks(all_frames())
    yield from placement.close(source.end)
    if source.repeated_s >= REPEATED_S:
        text = f"{source.repeated_s:.1f} s of the sound are there twice; they were read once"
        notices.add("repeated", text)
    unread_s = source.unread_seconds()
    if unread_s > SHORTFALL_S:
        text = f"about {unread_s:.1f} s cannot be decoded; what follows is that much too early"
        notices.add("damaged", text)
    rest_s, seconds = source.rest_seconds(), placement.seconds
    stated = source.stated_seconds()
    least_s = REPEATED_S if source.is_numbered else SHORTFALL_S
    if stated is not None and stated - seconds > least_s:
        text = f"ends after {seconds:.1f} s; its header states {stated:.1f} s"
        notices.add("truncated", text, seconds, stated)
    elif rest_s > SHORTFALL_S:
        text = f"nothing behind {seconds:.1f} s can be read, about {rest_s:.1f} s"
        notices.add("truncated", text, seconds, seconds + rest_s)


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
