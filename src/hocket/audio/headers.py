"""Headers of uncompressed audio, whose sizes may be wrong.

A program that writes into a pipe, crashes or exceeds 4 GiB leaves a size in the header that is not
the recording's. Samples then go on to the end of the file.
"""

import io
import os
import struct
from collections.abc import Callable, Iterator, Mapping
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from hocket.audio.samples import BLOCK_FRAMES, Block

Read = Callable[[int], bytes]

# writers that cannot seek back announce about as many bytes as 32 or 64 bits can count
UNKNOWN_SIZES = (range(0x7FFF0000, 1 << 32), range(1 << 62, 1 << 64))
LARGEST_CHUNK = 1 << 20  # bytes before the samples
LEAST_BEHIND = 1024  # bytes behind the stated end that are more than a tag
# format tag and bits per sample of a WAV, by libsndfile's names
WAV_SUBTYPES: Mapping[tuple[int, int], str] = {
    (1, 8): "PCM_U8",
    (1, 16): "PCM_16",
    (1, 24): "PCM_24",
    (1, 32): "PCM_32",
    (3, 32): "FLOAT",
    (3, 64): "DOUBLE",
    (6, 8): "ALAW",
    (7, 8): "ULAW",
}
EXTENSIBLE = 0xFFFE
AU_SUBTYPES: Mapping[int, str] = {
    1: "ULAW",
    2: "PCM_S8",
    3: "PCM_16",
    4: "PCM_24",
    5: "PCM_32",
    6: "FLOAT",
    7: "DOUBLE",
    27: "ALAW",
}
AIFF_SUBTYPES: Mapping[tuple[bytes, int], str] = {
    (b"NONE", 8): "PCM_S8",
    (b"NONE", 16): "PCM_16",
    (b"NONE", 24): "PCM_24",
    (b"NONE", 32): "PCM_32",
    (b"fl32", 32): "FLOAT",
    (b"FL32", 32): "FLOAT",
    (b"ulaw", 8): "ULAW",
    (b"ulaw", 16): "ULAW",
    (b"alaw", 8): "ALAW",
    (b"alaw", 16): "ALAW",
}
CAF_SUBTYPES: Mapping[tuple[bytes, bool, int], str] = {  # by type, whether it is float, and bits
    (b"lpcm", False, 8): "PCM_S8",
    (b"lpcm", False, 16): "PCM_16",
    (b"lpcm", False, 24): "PCM_24",
    (b"lpcm", False, 32): "PCM_32",
    (b"lpcm", True, 32): "FLOAT",
    (b"lpcm", True, 64): "DOUBLE",
    (b"ulaw", False, 8): "ULAW",
    (b"alaw", False, 8): "ALAW",
}
WIDTHS: Mapping[str, int] = {
    "PCM_U8": 1,
    "PCM_S8": 1,
    "ULAW": 1,
    "ALAW": 1,
    "PCM_16": 2,
    "PCM_24": 3,
    "PCM_32": 4,
    "FLOAT": 4,
    "DOUBLE": 8,
}
"""Bytes of a sample."""


class Header(NamedTuple):
    """Where the samples of a file lie, and of what type they are.

    rate: Hz.
    channels: number of channels.
    subtype: type of samples, as libsndfile calls it.
    endian: LITTLE or BIG.
    start: byte at which they begin.
    size: bytes that they take, as stated; 0 or one of UNKNOWN_SIZES if it was not known.
    """

    rate: int
    channels: int
    subtype: str
    endian: str
    start: int
    size: int

    @property
    def width(self) -> int:
        """Bytes of a frame."""
        return WIDTHS[self.subtype] * self.channels

    def seconds(self, size: int) -> float:
        """Length of that many bytes."""
        return size // self.width / self.rate


class _Counted:
    """Reads a pipe or a file and counts the bytes; EOFError at its end."""

    def __init__(self, read: Read) -> None:
        self._read, self.count = read, 0

    def __call__(self, size: int) -> bytes:
        if size > LARGEST_CHUNK:
            raise EOFError
        content = b""
        while len(content) < size:
            part = self._read(size - len(content))
            if not part:
                raise EOFError
            content += part
        self.count += size
        return content


def read_header(read: Read) -> Header | None:
    """Read up to the first sample; None if there is no header of uncompressed samples.

    Args:
        read: returns at most that many bytes, none at the end; called in order, without seeking.
    """
    counted = _Counted(read)
    try:
        magic = counted(4)
        if magic in (b"RIFF", b"RIFX", b"RF64", b"BW64"):
            return _read_wav(counted, ">" if magic == b"RIFX" else "<")
        if magic == b"FORM":
            return _read_aiff(counted)
        if magic == b"caff":
            return _read_caf(counted)
        return _read_au(counted) if magic == b".snd" else None
    except (EOFError, struct.error):
        return None


def _read_wav(read: _Counted, order: str) -> Header | None:
    if read(8)[4:] != b"WAVE":
        return None
    found: tuple[int, int, str] | None = None
    long_size: int | None = None
    while True:
        name, size = read(4), struct.unpack(f"{order}I", read(4))[0]
        if name == b"data":
            if found is None:
                return None
            rate, channels, subtype = found
            endian = "BIG" if order == ">" else "LITTLE"
            size = size if size != 0xFFFFFFFF or long_size is None else long_size
            return Header(rate, channels, subtype, endian, read.count, size)
        content = read(size + size % 2)
        if name == b"ds64":
            long_size = struct.unpack("<QQ", content[:16])[1]
        elif name == b"fmt ":
            found = _wav_format(content, order)
            if found is None:
                return None


def _wav_format(content: bytes, order: str) -> tuple[int, int, str] | None:
    tag, channels, rate, _, _, bits = struct.unpack(f"{order}HHIIHH", content[:16])
    if tag == EXTENSIBLE and len(content) >= 26:
        tag = struct.unpack(f"{order}H", content[24:26])[0]
    subtype = WAV_SUBTYPES.get((tag, bits))
    return (rate, channels, subtype) if subtype and rate and channels else None


def _read_aiff(read: _Counted) -> Header | None:
    if read(8)[4:] not in (b"AIFF", b"AIFC"):
        return None
    found: tuple[int, int, str, str] | None = None
    while True:
        name, size = read(4), struct.unpack(">I", read(4))[0]
        if name == b"SSND":
            offset = struct.unpack(">II", read(8))[0]
            read(offset)
            if found is None:
                return None
            return Header(*found, read.count, max(0, size - 8 - offset))
        content = read(size + size % 2)
        if name == b"COMM":
            found = _aiff_format(content)
            if found is None:
                return None


def _aiff_format(content: bytes) -> tuple[int, int, str, str] | None:
    channels, _, bits, exponent, mantissa = struct.unpack(">hIhHQ", content[:18])
    rate = round(mantissa * 2.0 ** ((exponent & 0x7FFF) - 16383 - 63))
    kind = content[18:22] or b"NONE"
    endian = "LITTLE" if kind == b"sowt" else "BIG"
    subtype = AIFF_SUBTYPES.get((b"NONE" if kind in (b"sowt", b"twos") else kind, bits))
    return (rate, channels, subtype, endian) if subtype and rate and channels > 0 else None


def _read_au(read: _Counted) -> Header | None:
    start, size, encoding, rate, channels = struct.unpack(">IIIII", read(20))
    read(start - 24 if start > 24 else 0)
    subtype = AU_SUBTYPES.get(encoding)
    if subtype is None or not rate or not channels:
        return None
    return Header(rate, channels, subtype, "BIG", read.count, size)


def _read_caf(read: _Counted) -> Header | None:
    """Chunks with sizes of 64 bits, as Apple's Core Audio Format specification 1.0 has them."""
    read(4)
    found: tuple[int, int, str, str] | None = None
    while True:
        name, size = struct.unpack(">4sQ", read(12))
        if name == b"data":
            read(4)  # a count of edits, which is part of the size
            is_known = 4 <= size < 1 << 62
            return Header(*found, read.count, size - 4 if is_known else size) if found else None
        content = read(size)
        if name == b"desc":
            found = _caf_format(content)
            if found is None:
                return None


def _caf_format(content: bytes) -> tuple[int, int, str, str] | None:
    rate, kind, flags, _, _, channels, bits = struct.unpack(">d4sIIIII", content[:32])
    subtype = CAF_SUBTYPES.get((kind, bool(flags & 1), bits))
    endian = "LITTLE" if flags & 2 else "BIG"
    return (round(rate), channels, subtype, endian) if subtype and rate > 0 and channels else None


def is_unknown(size: int) -> bool:
    """Whether a stated size stands for one that was not known when it was written."""
    return any(size in sizes for sizes in UNKNOWN_SIZES)


def goes_on(file: BinaryIO, header: Header) -> bool:
    """Whether samples follow behind the stated end: no further chunk begins there."""
    size = file.seek(0, os.SEEK_END)
    behind = size - header.start - header.size
    least = LEAST_BEHIND if header.size else header.width
    return behind >= least and not _chunks_follow(file, header.start + header.size, size)


def _chunks_follow(file: BinaryIO, place: int, end: int) -> bool:
    """Whether a place in a file begins a series of chunks that ends with the file."""
    file.seek(0)
    magic = file.read(4)
    is_caf = magic == b"caff"  # sizes of 64 bits, and no pad bytes
    form = ">4sQ" if is_caf else ">4sI" if magic in (b"FORM", b"RIFX") else "<4sI"
    width, pad = struct.calcsize(form), 0 if is_caf else 1
    place += place % 2 * pad
    while place + width <= end:
        file.seek(place)
        name, size = struct.unpack(form, file.read(width))
        if not all(32 <= letter < 127 for letter in name):
            return False
        place += width + size + size % 2 * pad
    return place <= end + pad


def is_chain(file: BinaryIO, header: Header) -> bool:
    """Whether a recording of the same rate and channels stands behind this one."""
    return _next_header(file, header) is not None


def _next_header(file: BinaryIO, header: Header) -> Header | None:
    place = header.start + header.size + header.size % 2
    if not header.size or is_unknown(header.size):
        return None
    file.seek(place)
    found = read_header(file.read)
    if found is None or (found.rate, found.channels) != (header.rate, header.channels):
        return None
    return found._replace(start=place + found.start)


def chained_blocks(file: BinaryIO, header: Header) -> Iterator[Block]:
    """Samples of recordings that stand one behind the other in a file, as `cat` joins them."""
    link: Header | None = header
    while link is not None:
        following, left = _next_header(file, link), link.size
        file.seek(link.start)

        def read(size: int) -> bytes:
            nonlocal left
            content = file.read(min(size, left))
            left -= len(content)
            return content

        yield from raw_blocks(read, link)
        link = following


def raw_blocks(read: Read, header: Header, frames: int = BLOCK_FRAMES) -> Iterator[Block]:
    """Samples from the first one to the end of a file or pipe; an incomplete one is dropped.

    Args:
        read: returns at most that many bytes, none at the end.
        header: what the samples are.
        frames: most frames of a block.
    """
    rest = b""
    while content := read(frames * header.width - len(rest)):
        content = rest + content
        whole = len(content) // header.width * header.width
        rest = content[whole:]
        if whole:
            yield _decoded(content[:whole], header)


def _decoded(content: bytes, header: Header) -> Block:
    import soundfile

    options: dict[str, Any] = {"format": "RAW", "subtype": header.subtype, "endian": header.endian}
    block, _ = soundfile.read(
        io.BytesIO(content),
        dtype="float32",
        always_2d=True,
        samplerate=header.rate,
        channels=header.channels,
        **options,
    )
    return np.asarray(block, np.float32)
