"""A result after an action of a person: constraints that do what is meant, and little else."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from hocket.config import SpeakerCount
from hocket.corrections.actions import (
    Action,
    Apart,
    Assign,
    Boundary,
    Merge,
    Rename,
    Silence,
    Split,
)
from hocket.corrections.constraints import Constraint, Segment
from hocket.corrections.edits import edited
from hocket.corrections.trimming import without
from hocket.offline.artifacts import Artifacts
from hocket.offline.diarizer import Diarizer
from hocket.result import Result

LOCAL = (Rename, Merge, Boundary, Silence)
"""Actions that say nothing of the voices in the rest of a recording."""
MOST_MOVED_S = 1.0  # elsewhere, by a local action
MOST_OTHERS_S = 5.0  # that others get elsewhere, where a speaker gets a stretch and what follows


class Edited(NamedTuple):
    """All constraints after an action, and the result with them."""

    constraints: tuple[Constraint, ...]
    result: Result


def edit(
    diarizer: Diarizer,
    artifacts: Artifacts,
    constraints: Sequence[Constraint],
    action: Action,
    result: Result,
    count: SpeakerCount | None = None,
) -> Edited:
    """Do an action.

    An action that says nothing of other voices should change nothing elsewhere, and one that gives
    a stretch to a speaker may give this one more, but nobody else. Otherwise all speakers are held
    where they are, and what changes less is taken.

    Args:
        diarizer: that made the artifacts; its graphs are not loaded.
        artifacts: of the recording.
        constraints: of the actions before.
        action: what a person did.
        result: with these constraints.
        count: how many speakers there may be.

    Raises:
        ConfigError: as in `edited`, or the constraints cannot hold together.
    """
    found = edited(constraints, action, result)
    usual = Edited(found, diarizer.finish(artifacts, count, found))
    limit = MOST_MOVED_S if isinstance(action, LOCAL) else MOST_OTHERS_S
    if isinstance(action, Split | Apart) or _moved(action, result, usual.result) <= limit:
        return usual
    found = edited(constraints, action, result, is_firm=True)
    firm = Edited(found, diarizer.finish(artifacts, count, found))
    return min(usual, firm, key=lambda each: _moved(action, result, each.result))


def _moved(action: Action, before: Result, after: Result) -> float:
    """Seconds of turns that were lost or are new, outside of what the action is about.

    Where a speaker gets a stretch, only what others get counts.
    """
    names: dict[str, str] = {}
    about: list[Segment] = []
    if isinstance(action, Rename):
        names = {action.speaker: action.name}
    elif isinstance(action, Merge):
        left = [name for name in action.speakers if name in after.speakers]
        names = dict.fromkeys(action.speakers, left[0] if left else "")
    elif isinstance(action, Boundary):
        edges = (action.start, action.end, action.to)
        about = [Segment(min(edges), max(edges))]
    elif isinstance(action, Silence | Assign):
        about = [Segment(action.start, action.end)]
    old, new = _by_speaker(before, names), _by_speaker(after, {})
    ways, speakers = [(old, new), (new, old)], old.keys() | new.keys()
    if isinstance(action, Assign):
        ways, speakers = ways[1:], speakers - {action.speaker}
    return sum(
        segment.duration
        for name in speakers
        for one, other in ways
        for segment in without(without(one.get(name, []), other.get(name, [])), about)
    )


def _by_speaker(result: Result, names: Mapping[str, str]) -> dict[str, list[Segment]]:
    found: dict[str, list[Segment]] = {}
    for turn in result.exclusive_turns:
        name = names.get(turn.speaker, turn.speaker)
        found.setdefault(name, []).append(Segment(turn.start, turn.end))
    return found
