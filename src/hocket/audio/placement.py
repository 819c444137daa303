"""Decoded frames placed in time by their time stamps; silence stands for what is missing."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from hocket.audio.samples import BLOCK_FRAMES, Block
from hocket.notices import Notices

TOLERANCE_S = 0.05  # containers round time stamps to milliseconds, and live recorders write late
AHEAD_S = 10.0  # time stamps that return within this time to what was expected were wrong
LIVE_AHEAD_S = 0.5  # of a stream, which waits for them
OVERLAP_S = 1.0  # an overlap up to this length is cut; further back, another recording begins
LONGEST_GAP_S = 4 * 3600.0  # a longer gap is a wrong time stamp
LOSS_S = 0.5  # shorter losses are noted together
LEAST_S = 0.1  # of all losses together, that is noted
MOST_NOTICES = 10  # of one kind; the others are noted together


class Frame(NamedTuple):
    """Decoded sound.

    block: (frames, channels).
    time: seconds after the start of the recording; None if unknown.
    damaged: whether something between the frame before and this one could not be decoded.
    """

    block: Block
    time: float | None
    damaged: bool = False


class Placement:
    """Places the frames of one recording.

    Args:
        rate: Hz.
        notices: get what is lost.
        is_numbered: whether the first sample has the time 0, so that what is before the first
            frame is lost. Otherwise a track may begin later than the recording.
        live: wait for little of what follows.
    """

    def __init__(
        self, rate: int, notices: Notices, *, is_numbered: bool = False, live: bool = False
    ) -> None:
        self._rate, self._notices, self._is_numbered = rate, notices, is_numbered
        self._ahead_s = LIVE_AHEAD_S if live else AHEAD_S
        self._written = 0  # frames of the output
        self._shift = 0  # output minus time stamps, after a jump
        self._overlap = 0  # frames that were cut, for others stand in their place
        self._ahead: deque[Frame] = deque()
        self._losses = _Losses(notices)
        self._channels = 1

    @property
    def seconds(self) -> float:
        """Length of the output so far."""
        return self._written / self._rate

    def blocks(self, frames: Iterable[Frame]) -> Iterator[Block]:
        """The frames' blocks, each where its time stamp places it."""
        source, channels = iter(frames), 1
        while (frame := self._next(source)) is not None:
            channels = frame.block.shape[1]
            jump = self._jump(frame, source)
            if jump > 0:
                if self._written or self._is_numbered:
                    self._lose(jump, damaged=frame.damaged)
                yield from self._silence(jump, channels)
            block = frame.block[max(0, -jump) :]
            if self._written:  # codecs begin with what is not to be played
                self._overlap += len(frame.block) - len(block)
            self._written += len(block)
            yield block
        self._channels = channels

    def close(self, end: float | None) -> Iterator[Block]:
        """Silence in place of what is lost at the end, and the notices that are still to be given.

        Args:
            end: where the time stamps end, in seconds; None if it is unknown.
        """
        missing = 0 if end is None else round(end * self._rate) + self._shift - self._written
        if LOSS_S * self._rate <= missing <= LONGEST_GAP_S * self._rate:
            self._lose(missing, damaged=True)
            yield from self._silence(missing, self._channels)
        self._losses.close()
        seconds = self._overlap / self._rate
        if seconds >= LEAST_S:
            text = f"{seconds:.1f} s of the sound have times that are past; they are left out"
            self._notices.add("repeated", text)

    def _lose(self, length: int, *, damaged: bool) -> None:
        self._losses.add(self.seconds, self.seconds + length / self._rate, damaged=damaged)

    def _silence(self, length: int, channels: int) -> Iterator[Block]:
        for first in range(0, length, BLOCK_FRAMES):
            block = np.zeros((min(BLOCK_FRAMES, length - first), channels), np.float32)
            self._written += len(block)
            yield block

    def _next(self, source: Iterator[Frame]) -> Frame | None:
        return self._ahead.popleft() if self._ahead else next(source, None)

    def _jump(self, frame: Frame, source: Iterator[Frame]) -> int:
        """Frames of silence before a frame; if negative, frames that overlap with the output."""
        jump = self._offset(frame, self._written)
        if abs(jump) <= TOLERANCE_S * self._rate or self._returns(frame, source):
            return 0
        if -OVERLAP_S * self._rate <= jump <= LONGEST_GAP_S * self._rate:
            return jump
        if jump < 0 and self._is_out_of_order(frame, source):
            return -len(frame.block)
        self._shift -= jump
        if jump < 0 and frame.time is not None and frame.time < OVERLAP_S:
            return 0  # recordings one behind the other, as in a chained Ogg
        self._notices.add(
            "jump",
            f"the time stamps jump by {jump / self._rate:+.1f} s at {self.seconds:.1f} s, which "
            "cannot be right; what follows is placed behind what was before",
            self.seconds,
        )
        return 0

    def _offset(self, frame: Frame, expected: int) -> int:
        """Where the time stamp places a frame, minus where it is expected."""
        if frame.time is None:
            return 0
        return round(frame.time * self._rate) + self._shift - expected

    def _returns(self, frame: Frame, source: Iterator[Frame]) -> bool:
        """Whether time stamps soon continue those before this frame: it has a wrong one."""
        expected = self._written + len(frame.block)
        for later in self._later(source):
            is_known = later.time is not None
            if is_known and abs(self._offset(later, expected)) <= TOLERANCE_S * self._rate:
                return True
            expected += len(later.block)
        return False

    def _is_out_of_order(self, frame: Frame, source: Iterator[Frame]) -> bool:
        """Whether time stamps soon leap from those of this frame to what was expected instead."""
        before, tolerance = frame, TOLERANCE_S * self._rate
        for later in self._later(source):
            if later.time is not None and abs(self._offset(later, self._written)) <= tolerance:
                end = self._written + self._offset(before, self._written) + len(before.block)
                return abs(self._offset(later, end)) > tolerance
            before = later
        return False

    def _later(self, source: Iterator[Frame]) -> Iterator[Frame]:
        """The frames that may follow soon."""
        length, index = 0, 0
        while length < self._ahead_s * self._rate:
            if index == len(self._ahead):
                found = next(source, None)
                if found is None:
                    return
                self._ahead.append(found)
            yield self._ahead[index]
            length += len(self._ahead[index].block)
            index += 1


@dataclass
class _Losses:
    """Notes what is lost: the first long losses one by one, all others together."""

    notices: Notices
    noted: int = 0
    others: int = 0
    seconds: float = 0.0
    start: float = 0.0
    end: float = 0.0

    def add(self, start: float, end: float, *, damaged: bool) -> None:
        if end - start >= LOSS_S and self.noted < MOST_NOTICES:
            self.noted += 1
            kind, what = ("damaged", "cannot be decoded") if damaged else ("gap", "is missing")
            text = f"the sound from {start:.1f} to {end:.1f} s {what}; silence stands in its place"
            self.notices.add(kind, text, start, end)
            return
        self.start = self.start if self.others else start
        self.others, self.seconds, self.end = self.others + 1, self.seconds + end - start, end

    def close(self) -> None:
        if self.seconds >= LEAST_S:
            parts = "a part" if self.others == 1 else f"{self.others} parts"
            text = (
                f"{parts} of the sound from {self.start:.1f} to {self.end:.1f} s, "
                f"{self.seconds:.1f} s in all, cannot be decoded; silence stands in its place"
            )
            self.notices.add("damaged", text, self.start, self.end)
