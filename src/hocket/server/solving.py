"""Results after edits, in a process beside the service: it computes, and the service answers.

The process keeps the recordings that were edited last open, within MOST_BYTES.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from hocket.attribution import attribute
from hocket.config import SpeakerCount
from hocket.corrections.actions import Action
from hocket.corrections.constraints import Constraint
from hocket.errors import FormatError
from hocket.formats import json_document
from hocket.offline.artifacts import Artifacts
from hocket.offline.diarizer import Diarizer
from hocket.offline.editing import edit
from hocket.offline.kept import read_artifacts
from hocket.renaming import renamed
from hocket.result import Result
from hocket.transcript import Transcript, transcript_of

MOST_BYTES = 1 << 28  # of artifacts; one recording may have more, then it is the only one
MOST_OPEN = 8  # recordings
MOST_RESULTS = 4  # of one recording
OF_WORDS = ("words", "times")  # notices that stay true, whoever says the words


class Solvable(NamedTuple):
    """A recording whose result can be found again.

    artifacts: where they are kept.
    original: where the result without edits is, in hocket's JSON.
    preset, speakers: as it was diarized.
    whole_sentences: as it was transcribed.
    """

    artifacts: Path
    original: Path
    preset: str
    speakers: SpeakerCount
    whole_sentences: bool


class Solved(NamedTuple):
    """A result after edits.

    constraints: all of them.
    document: the result in hocket's JSON.
    notices: what the last edit could not do.
    """

    constraints: tuple[Constraint, ...]
    document: str
    notices: tuple[str, ...]


@dataclass(eq=False)
class _Open:
    """A recording that is kept open, and its last results."""

    diarizer: Diarizer
    artifacts: Artifacts
    original: Transcript
    size: int
    results: OrderedDict[tuple[Constraint, ...], Result] = field(default_factory=OrderedDict)


_opened: OrderedDict[tuple[object, ...], _Open] = OrderedDict()  # of this process


def solve(
    place: Solvable, constraints: Sequence[Constraint], action: Action | None = None
) -> Solved:
    """The result with constraints, after one more action if there is one.

    Args:
        place: the recording.
        constraints: of the actions before.
        action: what is done to the result with these constraints.

    Raises:
        FormatError: what was kept of the recording is damaged.
        ConfigError: the action is impossible.
    """
    opened, before = _open(place), tuple(constraints)
    if action is None:
        return Solved(before, _document(place, opened, before), ())
    old = _result(place, opened, before)
    after, new = edit(opened.diarizer, opened.artifacts, before, action, old, place.speakers)
    _keep(opened, after, new)
    return Solved(after, _document(place, opened, after), _notices(old, new))


def _open(place: Solvable) -> _Open:
    try:
        about = place.artifacts.stat()
    except OSError as error:
        raise FormatError(f"{place.artifacts.name}: was deleted; diarize it again") from error
    key = (place, about.st_mtime_ns, about.st_size, about.st_ino)
    if key in _opened:
        _opened.move_to_end(key)
        return _opened[key]
    [original] = json_document.read(place.original.read_text("utf-8"), place.original.name)
    diarizer = Diarizer(preset=place.preset)
    found = _Open(diarizer, read_artifacts(place.artifacts), original, about.st_size)
    while _opened and (
        len(_opened) >= MOST_OPEN
        or sum(each.size for each in _opened.values()) + found.size > MOST_BYTES
    ):
        _opened.popitem(last=False)
    _opened[key] = found
    return found


def _result(place: Solvable, opened: _Open, constraints: tuple[Constraint, ...]) -> Result:
    if constraints not in opened.results:
        found = opened.diarizer.finish(opened.artifacts, place.speakers, constraints)
        if not constraints:  # the first edit then holds known speakers by their names
            found = renamed(found, _names(opened.original))
        _keep(opened, constraints, found)
    opened.results.move_to_end(constraints)
    return opened.results[constraints]


def _names(original: Transcript) -> dict[str, str]:
    """Names that known speakers got when the job was done, by their labels."""
    turns = original.result.turns if original.result else ()
    return {turn.id: turn.speaker for turn in turns if turn.id is not None}


def _keep(opened: _Open, constraints: tuple[Constraint, ...], result: Result) -> None:
    opened.results[constraints] = result
    while len(opened.results) > MOST_RESULTS:
        opened.results.popitem(last=False)


def _document(place: Solvable, opened: _Open, constraints: tuple[Constraint, ...]) -> str:
    """The result in hocket's JSON; without constraints, as the worker wrote it."""
    if not constraints:
        return place.original.read_text("utf-8")
    result, original = _result(place, opened, constraints), opened.original
    if not original.has_text:
        return json_document.write(transcript_of(result))
    kept = tuple(each for each in original.notices if each.kind in OF_WORDS)
    words = replace(original, notices=kept)
    return json_document.write(attribute(words, result, whole_sentences=place.whole_sentences))


def _notices(old: Result, new: Result) -> tuple[str, ...]:
    """What an edit could not do."""
    known = {notice.text for notice in old.notices}
    found = [
        each.text for each in new.notices if each.kind == "constraint" and each.text not in known
    ]
    if not found and (old.turns, old.speakers) == (new.turns, new.speakers):
        found.append("nothing changes: there is no speech to change, or it is so already")
    return tuple(found)
