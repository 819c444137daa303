"""The length that a FLAC states, compared with where its last frame ends.

Like any size in a header, the stated length is a hint; libsndfile would stop there. The fields are
those of RFC 9639, sections 8.2 and 9.1.
"""

import io
import os
import re
from typing import BinaryIO, NamedTuple

SYNC = re.compile(rb"\xff[\xf8\xf9]")
TAIL_BYTES = 1 << 16  # at the end of a file, in which a frame is looked for
LONGEST_HEADER = 16  # bytes of a frame's header
RATE_BYTES = {12: 1, 13: 2, 14: 2}
"""Bytes at the end of a frame's header by its code of the rate."""


class StreamInfo(NamedTuple):
    """What the first metadata block states.

    block: frames of sound in a block.
    largest: bytes of the largest block; 0 if unknown.
    rate: Hz.
    total: number of frames of sound; 0 if unknown.
    """

    block: int
    largest: int
    rate: int
    total: int


def stream_info(file: BinaryIO) -> StreamInfo | None:
    """What a FLAC states at its beginning; None if it states nothing."""
    file.seek(0)
    content = file.read(42)
    if len(content) < 42 or content[:4] != b"fLaC" or content[4] & 0x7F:
        return None
    fields = int.from_bytes(content[18:26])  # 20, 3, 5 and 36 bits
    block, largest = int.from_bytes(content[10:12]), int.from_bytes(content[15:18])
    return StreamInfo(block, largest, fields >> 44, fields & (2**36 - 1))


def last_frame(file: BinaryIO, info: StreamInfo) -> int:
    """Number of frames of sound up to the end of the last block; 0 if none is found."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - max(TAIL_BYTES, 2 * info.largest)))
    tail = file.read()
    for place in reversed([found.start() for found in SYNC.finditer(tail)]):
        end = _block_end(tail[place : place + LONGEST_HEADER], info)
        if end is not None:
            return end
    return 0


def _block_end(header: bytes, info: StreamInfo) -> int | None:
    """Where a block ends, in frames of sound; None if it is no block's header."""
    ones = 8 - (~header[4] & 0xFF).bit_length() if len(header) > 4 else 1
    if ones in (1, 8) or header[3] & 1:
        return None
    number, at = header[4] & (0x7F >> ones), 4 + max(1, ones)
    for byte in header[5:at]:
        number = number << 6 | byte & 0x3F
    code, rate = header[2] >> 4, header[2] & 15
    length, at = _block_length(code, header, at)
    at += RATE_BYTES.get(rate, 0)
    if not length or rate == 15 or len(header) <= at or _crc8(header[:at]) != header[at]:
        return None
    is_variable = header[1] & 1
    return (number if is_variable else number * info.block) + length


def _block_length(code: int, header: bytes, at: int) -> tuple[int, int]:
    """Frames of sound in a block, 0 if it states none, and where the header goes on."""
    if code >= 8:
        return 256 << (code - 8), at
    if code >= 6:
        end = at + code - 5
        return int.from_bytes(header[at:end]) + 1, end
    return (192 if code == 1 else 576 << (code - 2) if code else 0), at


def _crc8(content: bytes) -> int:
    value = 0
    for byte in content:
        value ^= byte
        for _ in range(8):
            value = (value << 1 ^ (7 if value & 0x80 else 0)) & 0xFF
    return value


def without_length(file: BinaryIO) -> BinaryIO:
    """The file in memory, with an unknown length."""
    file.seek(0)
    content = bytearray(file.read())
    content[21] &= 0xF0
    content[22:26] = bytes(4)
    return io.BytesIO(content)
