"""Notices: what was lost, altered or guessed while a recording was used."""

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from hocket.errors import one_line

KINDS: Mapping[str, str] = {
    "damaged": "a part cannot be decoded; silence stands in its place",
    "gap": "the time stamps leave a part out; silence stands in its place",
    "jump": "the time stamps cannot be right; what follows is placed by its length",
    "repeated": "a part of the file is there twice; it was read once",
    "truncated": "the recording ends before the length that its header states",
    "header": "the length in the header is wrong; all that is there was read",
    "not a number": "samples are NaN or infinite; they are taken as 0",
    "outliers": "single samples are far louder than all others; they are left out",
    "level": "the recording is too quiet or too loud; it is scaled",
    "echo": "everything is there again, late and quieter; it is removed",
    "cancelling": "channels cancel each other; one of them is used",
    "channels": "channels hold different voices",
    "bleed": "a channel holds voices of another one, which are left out",
    "track": "one of several audio tracks is used",
    "empty": "the recording holds no samples",
    "nobody": "nobody is found to speak in sound that is not silent",
    "speakers": "the number of speakers that was asked for cannot be told apart",
    "store": "known speakers are not named: their store cannot be used",
    "constraint": "a constraint has no effect",
    "words": "speech in which no words were recognized",
    "outside": "words are where nobody is found to speak",
    "times": "words without usable times are placed by their neighbors or segments",
}
"""What each kind of notice states."""

_log = logging.getLogger("hocket")


@dataclass(frozen=True)
class Notice:
    """Something that a result does not show by itself.

    kind: one of KINDS.
    text: one line, without the recording's name.
    start: seconds from the start of the recording; None if it concerns all of it.
    end: where it ends, in seconds; None as for `start`.
    """

    kind: str
    text: str
    start: float | None = None
    end: float | None = None

    def __str__(self) -> str:
        return self.text


class Notices:
    """The notices of one recording, in the order in which they were found; each is logged too.

    A notice that is there already is neither kept nor logged again.

    Args:
        name: the recording's name in the log.
        found: notices from before, which are not logged again.
    """

    def __init__(self, name: str, found: Iterable[Notice] = ()) -> None:
        self._name = name
        self._found = list(found)

    def add(
        self, kind: str, text: str, start: float | None = None, end: float | None = None
    ) -> None:
        """Keep a notice, and log it as a warning."""
        notice = Notice(kind, one_line(text), start, end)
        if notice in self._found:
            return
        self._found.append(notice)
        _log.warning("%s: %s", one_line(self._name), notice.text)

    def about(self, part: str) -> "Notices":
        """These notices, for use by what concerns only a part of the recording."""
        return _NoticesAbout(self, part)

    def __iter__(self) -> Iterator[Notice]:
        return iter(self._found)


class _NoticesAbout(Notices):
    """Adds notices to those of the whole recording; their texts begin with the part."""

    def __init__(self, whole: Notices, part: str) -> None:
        self._whole, self._part = whole, part

    def add(
        self, kind: str, text: str, start: float | None = None, end: float | None = None
    ) -> None:
        self._whole.add(kind, f"{self._part}: {text}", start, end)

    def __iter__(self) -> Iterator[Notice]:
        return iter(self._whole)
