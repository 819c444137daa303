"""Parts of a recording; times stay those of the whole."""

import math
import os
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from operator import itemgetter
from pathlib import Path
from typing import TypeAlias

import numpy as np

from hocket.audio.samples import Block
from hocket.errors import ConfigError

Span: TypeAlias = tuple[float, float]
"""Start and end in seconds."""

Regions: TypeAlias = Sequence[Span] | str | os.PathLike[str]
"""Spans, or the path of a UEM file."""


@dataclass(frozen=True)
class Excerpt:
    """What is used of a recording, in seconds from its start.

    start: where the excerpt begins.
    end: where it ends; None: at the end of the recording.
    regions: what is used in it, in order of time and apart; empty: all.
    """

    start: float = 0.0
    end: float | None = None
    regions: tuple[Span, ...] = ()

    @classmethod
    def of(
        cls, start: float | None, end: float | None, regions: Regions | None, stem: str
    ) -> "Excerpt":
        """From what a user may give.

        Args:
            start: in seconds, or None.
            end: in seconds, or None.
            regions: spans in seconds, or the path of a UEM file.
            stem: the recording's name in a UEM file; if no line has it, all lines count.

        Raises:
            ConfigError: a time is not a number of at least 0, or an end is not after its start.
        """
        _check_span(0.0 if start is None else start, end, "start", "end")
        if regions is None:
            return cls(start or 0.0, end)
        spans = regions if isinstance(regions, Sequence) and not isinstance(regions, str) else None
        if spans is None:
            spans = read_uem(Path(regions), stem)  # type: ignore[arg-type]
        joined = _joined(spans)
        if not joined:
            raise ConfigError("regions holds no region; give at least one, or leave it out")
        first = max(start or 0.0, joined[0][0])
        last = joined[-1][1] if end is None else min(end, joined[-1][1])
        if last <= first:
            raise ConfigError(f"regions hold nothing from start {start} to end {end}; give others")
        return cls(first, last, joined)

    def blocks(self, blocks: Iterable[Block], rate: int) -> Iterator[Block]:
        """The excerpt's blocks; outside the regions there is silence.

        Args:
            blocks: of the whole recording, (frames, channels).
            rate: Hz.

        Raises:
            ConfigError: the recording ends before the excerpt begins.
        """
        first = round(self.start * rate)
        last = math.inf if self.end is None else round(self.end * rate)
        place = 0
        for block in blocks:
            begin, place = place, place + len(block)
            if place <= first:
                continue
            cut = block[max(0, first - begin) : max(0, int(min(last, place)) - begin)]
            yield self._silenced(cut, max(first, begin), rate)
            if place >= last:
                return
        if place <= first and first:
            ends = f"the recording ends at {place / rate:g} s"
            raise ConfigError(f"start is {self.start:g} s, but {ends}; give an earlier start")

    def frames(self, frames: int | None, rate: int) -> int | None:
        """Length of the excerpt in frames; None if the recording's is not known.

        Args:
            frames: length of the recording.
            rate: Hz.
        """
        if self.end is None and frames is None:
            return None
        ends = [value for value in (frames, self.end and round(self.end * rate)) if value]
        return max(0, min(ends, default=0) - round(self.start * rate))

    def without(self, spans: Sequence[Span]) -> "Excerpt":
        """The excerpt with silence in these spans, which are apart and in order of time."""
        whole = self.regions or ((self.start, math.inf if self.end is None else self.end),)
        kept: list[Span] = []
        for start, end in whole:
            reached = start
            for silent_start, silent_end in spans:
                if reached < silent_start < end:
                    kept.append((reached, silent_start))
                if reached < silent_end:
                    reached = min(silent_end, end)
            kept.append((reached, end))
        regions = tuple(span for span in kept if span[0] < span[1])
        return replace(self, regions=regions or ((self.start, self.start),))

    def _silenced(self, block: Block, begin: int, rate: int) -> Block:
        """A block with zeros outside the regions."""
        if not self.regions:
            return block
        kept = np.zeros_like(block)
        last = begin + len(block)
        for start, end in self.regions[
            bisect_left(self.regions, begin / rate, key=itemgetter(1)) :
        ]:
            if start * rate > last:
                break
            stop = last if end * rate > last else round(end * rate)
            part = slice(max(0, round(start * rate) - begin), max(0, stop - begin))
            kept[part] = block[part]
        return kept


def read_uem(path: Path, stem: str) -> list[Span]:
    """Spans of a UEM file: lines `URI CHANNEL START END`, comments after `;;`.

    Args:
        path: of the file.
        stem: the recording's name; if no line has it, all lines count.

    Raises:
        ConfigError: the file cannot be read, or a line is not of that form.
    """
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"{path}: cannot be read ({reason}); give a UEM file") from error
    found: list[tuple[str, Span]] = []
    for number, line in enumerate(lines, 1):
        fields = line.partition(";;")[0].split()
        if not fields:
            continue
        try:
            name, _, start, end = fields
            found.append((name, (float(start), float(end))))
        except ValueError as error:
            remedy = "give URI CHANNEL START END, times in seconds"
            raise ConfigError(f"{path}, line {number}: found '{line}'; {remedy}") from error
    own = [span for name, span in found if name == stem]
    return own or [span for _, span in found]


def _joined(spans: Iterable[Span]) -> tuple[Span, ...]:
    """Spans in order of time, those that touch as one."""
    found: list[Span] = []
    for span in spans:
        try:
            start, end = span
        except (TypeError, ValueError) as error:
            raise ConfigError(f"a region is {span!r}; give (start, end) in seconds") from error
        _check_span(start, end, "a region's start", "its end")
    for start, end in sorted(spans):
        if found and start <= found[-1][1]:
            found[-1] = found[-1][0], max(found[-1][1], end)
        else:
            found.append((start, end))
    return tuple(found)


def _check_span(start: float, end: float | None, start_name: str, end_name: str) -> None:
    for name, value in ((start_name, start), (end_name, end)):
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ConfigError(f"{name} is {value!r}; give seconds")
        if not math.isfinite(value) or value < 0:
            raise ConfigError(f"{name} is {value}; give seconds, 0 or more")
    if end is not None and end <= start:
        raise ConfigError(f"{start_name} is {start:g} s and {end_name} {end:g} s; give a later end")
