"""Matroska and WebM behind a damaged part.

ffmpeg goes on at the next cluster, and a cluster may last half a minute. The blocks of sound before
it are whole, but state their times relative to their own cluster. So what ffmpeg reads has the head
of a cluster in place of the damaged bytes right before the first whole block. Elements are those of
RFC 8794 and RFC 9559.
"""

import os
import re
from collections.abc import Iterator
from itertools import islice
from typing import BinaryIO, NamedTuple

HEAD, SEGMENT, CLUSTER = 0x1A45DFA3, 0x18538067, 0x1F43B675
TIMESTAMP, SIMPLE_BLOCK, GROUP, BLOCK = 0xE7, 0xA3, 0xA0, 0xA1
BLOCKS = (SIMPLE_BLOCK, GROUP)
ENTERED = (SEGMENT, CLUSTER)  # their content is a series of elements, which is walked
KNOWN = {
    *(HEAD, SEGMENT, CLUSTER, TIMESTAMP, SIMPLE_BLOCK, GROUP),
    *(0xA7, 0xAB, 0xAF, 0x5854),  # position, size before, encrypted block, silent tracks
    *(0x114D9B74, 0x1549A966, 0x1654AE6B, 0x1C53BB6B, 0x1254C367, 0x1941A469, 0x1043A770),
    *(0xEC, 0xBF),  # void, checksum
}
CANDIDATE = re.compile(rb"[\xa3\xa0]|\x1f\x43\xb6\x75")
CHAIN = 5  # elements one behind the other that cannot be chance
MOST_BYTES = 1 << 24  # in which sound is looked for behind a damaged part
LENGTH_BYTES = 12  # most of an identifier and a length
ROUNDING = 50  # units of time in which two timestamps are one, that were counted and read
PACES = 3.0  # most that bytes for a time may differ between stretches of a cluster
HEAD_BYTES = 22  # of a cluster's head, as `_cluster_head` writes it


class Element(NamedTuple):
    """An element of a file.

    start: byte at which it begins.
    name: its identifier.
    content: byte at which its content begins.
    end: byte behind it; None if its length is unknown.
    """

    start: int
    name: int
    content: int
    end: int | None


def is_matroska(file: BinaryIO) -> bool:
    """Whether a file begins as Matroska and WebM do; it is at its beginning afterwards."""
    file.seek(0)
    found = file.read(4) == HEAD.to_bytes(4)
    file.seek(0)
    return found


class MendedMatroska:
    """A Matroska file, as ffmpeg reads it, with the head of a cluster behind damaged parts.

    Args:
        file: it can be sought.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._size = file, file.seek(0, os.SEEK_END)
        self._place = 0
        self._next = 0  # where the walk along the elements is
        self._last = 0  # where the element before begins
        self._cluster: Element | None = None
        self._timestamps: list[int] = []  # of all clusters so far, in the file's unit of time
        self._patches: list[tuple[int, bytes]] = []

    def seekable(self) -> bool:
        """As of any file."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """As of any file."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self._size}[whence]
        self._place = base + offset
        return self._place

    def tell(self) -> int:
        """As of any file."""
        return self._place

    def read(self, size: int = -1) -> bytes:
        """As of any file."""
        end = self._size if size < 0 else min(self._size, self._place + size)
        if self._place <= self._next < end:
            self._walk(end)
        content = self._bytes(self._place, end)
        for start, patch in self._patches:
            if start < end and start + len(patch) > self._place:
                content = _patched(content, start - self._place, patch)
        self._place += len(content)
        return content

    def _bytes(self, start: int, end: int) -> bytes:
        self._file.seek(start)
        return self._file.read(max(0, end - start))

    def _walk(self, end: int) -> None:
        """Go along the elements to the first that begins at an end, and mend what is damaged."""
        while self._next < self._size:
            self._pass_blocks(end)
            found = self._element(self._next)
            if found is None or not self._is_sound(found):
                self._mend(self._next)
                continue
            if found.start >= end:
                return
            self._last, self._next = found.start, self._following(found)
            if found.name == CLUSTER:
                self._cluster = found
                self._timestamps += [] if (time := self._timestamp_in(found)) is None else [time]
        if self._next > self._size:
            self._mend(self._size)

    def _pass_blocks(self, end: int) -> None:
        """Go along blocks of less than 16 KiB, which are nearly all elements of a recording."""
        first = self._next
        content = self._bytes(first, end)
        at = last = 0
        try:
            while content[at] == SIMPLE_BLOCK and content[at + 1] >= 0x40:
                length = content[at + 1]
                following = at + 2 + (length & 0x7F)
                if length < 0x80:
                    following = at + 3 + ((length & 0x3F) << 8 | content[at + 2])
                last, at = at, following
        except IndexError:  # the next one begins behind these bytes
            pass
        if at:
            self._last, self._next = first + last, first + at

    def _element(self, at: int) -> Element | None:
        content = self._bytes(at, at + LENGTH_BYTES)
        if len(content) < 2 or not content[0] & 0xF0:
            return None
        width = 9 - content[0].bit_length()
        size_width = 9 - content[width].bit_length() if len(content) > width else 9
        if size_width > 8 or len(content) < width + size_width:
            return None
        size = int.from_bytes(content[width : width + size_width]) & (1 << 7 * size_width) - 1
        start = at + width + size_width
        is_unknown = size == (1 << 7 * size_width) - 1
        name = int.from_bytes(content[:width])
        return Element(at, name, start, None if is_unknown else start + size)

    def _following(self, element: Element) -> int:
        if element.name in ENTERED or element.end is None:
            return element.content
        return element.end

    def _is_sound(self, element: Element) -> bool:
        if element.name in ENTERED:
            return True
        if element.end is None or element.end > self._size:
            return False
        if element.name not in KNOWN:
            return self._is_chain(element.end)
        return element.name not in BLOCKS or self._time_of(element) is not None

    def _chain(self, at: int) -> Iterator[Element]:
        """Known elements one behind the other; ends where something else follows."""
        while (found := self._element(at)) and found.name in KNOWN and self._is_sound(found):
            yield found
            at = self._following(found)

    def _is_chain(self, at: int) -> bool:
        found = list(islice(self._chain(at), CHAIN))
        return len(found) == CHAIN or (bool(found) and self._following(found[-1]) == self._size)

    def _time_of(self, block: Element) -> int | None:
        """Time of a block relative to its cluster; None if it is no block of a track."""
        if block.name == GROUP:
            inner = self._element(block.content)
            return self._time_of(inner) if inner and inner.name == BLOCK else None
        content = self._bytes(block.content, block.content + 4)
        is_block = len(content) == 4 and content[0] & 0x80 and not content[3] & 0x70
        return int.from_bytes(content[1:3], signed=True) if is_block else None

    def _timestamp_in(self, cluster: Element) -> int | None:
        for found in islice(self._chain(cluster.content), CHAIN):
            if found.name == TIMESTAMP and found.end is not None:
                return int.from_bytes(self._bytes(found.content, found.end))
        return None

    def _mend(self, broken: int) -> None:
        """Find the next sound element behind a place where none is, and put a head before it."""
        first = self._last + 1
        for match in CANDIDATE.finditer(self._bytes(first, broken + MOST_BYTES)):
            found = self._element(first + match.start())
            # the length of the element before may be what is damaged
            damaged = broken if found and found.start >= broken else self._last
            is_cluster = found is not None and found.name == CLUSTER
            if found is None or (not is_cluster and found.start - damaged < HEAD_BYTES):
                continue
            if self._is_sound(found) and self._is_chain(found.start):
                self._next = found.start
                timestamp = None if is_cluster else self._timestamp_of(found)
                if timestamp is not None:
                    zeros = bytes(found.start - damaged - HEAD_BYTES)
                    self._patches.append((damaged, zeros + _cluster_head(timestamp)))
                return
        self._next = self._size

    def _timestamp_of(self, block: Element) -> int | None:
        """Timestamp of the cluster of a block behind a damaged part; None if it cannot be known."""
        counted = self._timestamp_before_next(block)
        if counted is None:
            return self._timestamps[-1] if self._timestamps and self._goes_on(block) else None
        nearest = min(self._timestamps, key=lambda known: abs(known - counted), default=counted)
        return nearest if abs(nearest - counted) <= ROUNDING else counted

    def _timestamp_before_next(self, block: Element) -> int | None:
        """Timestamp of a block's cluster by the one that follows it."""
        times: list[int] = []  # of the blocks up to there
        for found in self._chain(block.start):
            if found.name == CLUSTER:
                following, timestamp = self._chain(found.content), self._timestamp_in(found)
                after = next((self._time_of(each) for each in following if each.name in BLOCKS), 0)
                if timestamp is None or len(times) < 2:
                    return None
                step = (times[-1] - times[0]) / (len(times) - 1)
                return max(0, round(timestamp + (after or 0) - times[-1] - step))
            if found.name in BLOCKS:
                times.append(self._time_of(found) or 0)
        return None

    def _goes_on(self, block: Element) -> bool:
        """Whether a block follows the one before the damage in one cluster, by times and bytes."""
        last = self._element(self._last)
        if self._cluster is None or last is None or last.name not in BLOCKS:
            return False
        time, before = self._time_of(block) or 0, self._time_of(last) or 0
        if time <= before:  # a part of the cluster that is there twice
            known = self._bytes(self._cluster.start, last.start)
            return self._bytes(block.start, block.end or 0) in known
        pace = before / (last.start - self._cluster.start)
        expected = (block.start - last.start) * pace
        return expected / PACES <= time - before <= expected * PACES


def _patched(content: bytes, start: int, patch: bytes) -> bytes:
    """Bytes with others in their place, of which some may lie outside."""
    patch = patch[max(0, -start) : max(0, len(content) - start)]
    start = max(0, start)
    return content[:start] + patch + content[start + len(patch) :]


def _cluster_head(timestamp: int) -> bytes:
    """A cluster of unknown length up to behind its timestamp."""
    head = CLUSTER.to_bytes(4) + b"\x01" + b"\xff" * 7
    return head + TIMESTAMP.to_bytes(1) + b"\x88" + timestamp.to_bytes(8)
