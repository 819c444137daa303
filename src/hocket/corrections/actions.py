"""What a person can do to a result in an editor: actions, as values.

An action states what was done, such as a turn that was split. `hocket.corrections.edits` makes
constraints of it.
"""

import json
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from difflib import get_close_matches
from typing import Any, ClassVar, TypeAlias

from hocket.corrections.constraints import NUMBERED, Segment, checked_name
from hocket.errors import ConfigError
from hocket.lanes import clock

EDGES = ("start", "end")
MOST_MERGED = 100  # speakers of one action


@dataclass(frozen=True)
class Rename:
    """A speaker gets another name.

    Raises:
        ConfigError: a name is not valid, or is one of those that hocket gives.
    """

    kind: ClassVar[str] = "rename"
    speaker: str
    name: str

    def __post_init__(self) -> None:
        _check_names(self, "speaker", "name")
        if NUMBERED.fullmatch(self.name) and self.name != self.speaker:
            raise ConfigError(
                f"{self.name} is a name that hocket gives; give another one, or undo the change "
                "that replaced it"
            )

    @property
    def label(self) -> str:
        """What a menu calls it."""
        return f"Rename {self.speaker} to {self.name}"


@dataclass(frozen=True)
class Merge:
    """Two or more speakers are one person; ConfigError if there are fewer, or a name is invalid."""

    kind: ClassVar[str] = "merge"
    speakers: tuple[str, ...]

    def __post_init__(self) -> None:
        if not isinstance(self.speakers, list | tuple):
            raise ConfigError(f'speakers is {_shown(self.speakers)}; give names, as in ["A", "B"]')
        names = tuple(dict.fromkeys(map(checked_name, self.speakers)))
        if not 2 <= len(names) <= MOST_MERGED:
            raise ConfigError(f"{len(names)} speakers to merge; give 2 to {MOST_MERGED}")
        object.__setattr__(self, "speakers", names)

    @property
    def label(self) -> str:
        """What a menu calls it."""
        *others, last = self.speakers
        return f"Merge {', '.join(others)} and {last}"


@dataclass(frozen=True)
class Split:
    """Different people speak in a turn before and after a time.

    Raises:
        ConfigError: a value is not valid, or the time does not lie within the turn.
    """

    kind: ClassVar[str] = "split"
    speaker: str
    start: float
    end: float
    at: float

    def __post_init__(self) -> None:
        _check_names(self, "speaker")
        _check_times(self, "start", "end", "at")
        turn = Segment(self.start, self.end)
        if not self.start < self.at < self.end:
            raise ConfigError(f"cannot split {turn} at {self.at:g}; give a time within it")

    @property
    def label(self) -> str:
        """What a menu calls it."""
        return f"Split a turn of {self.speaker} at {clock(self.at)}"


@dataclass(frozen=True)
class Boundary:
    """An edge of a turn is moved.

    Raises:
        ConfigError: a value is not valid, or the turn would end before it starts.
    """

    kind: ClassVar[str] = "boundary"
    speaker: str
    start: float
    end: float
    edge: str
    to: float

    def __post_init__(self) -> None:
        _check_names(self, "speaker")
        _check_times(self, "start", "end", "to")
        turn = Segment(self.start, self.end)
        if self.edge not in EDGES:
            raise ConfigError(f"edge is {_shown(self.edge)}; give {' or '.join(EDGES)}")
        if (self.to >= self.end) if self.edge == "start" else (self.to <= self.start):
            raise ConfigError(
                f"cannot move the {self.edge} of {turn} to {self.to:g}, past its other end; "
                "to remove the turn, state that nobody speaks there"
            )

    @property
    def label(self) -> str:
        """What a menu calls it."""
        return f"Move the {self.edge} of a turn of {self.speaker} to {clock(self.to)}"


@dataclass(frozen=True)
class Assign:
    """A speaker, who may be new, speaks in a stretch; ConfigError if a value is not valid."""

    kind: ClassVar[str] = "assign"
    start: float
    end: float
    speaker: str

    def __post_init__(self) -> None:
        _check_times(self, "start", "end")
        _check_names(self, "speaker")
        Segment(self.start, self.end)

    @property
    def label(self) -> str:
        """What a menu calls it."""
        return f"Assign {clock(self.start)} to {clock(self.end)} to {self.speaker}"


@dataclass(frozen=True)
class Silence:
    """Nobody speaks in a stretch; ConfigError if a time is not valid."""

    kind: ClassVar[str] = "silence"
    start: float
    end: float

    def __post_init__(self) -> None:
        _check_times(self, "start", "end")
        Segment(self.start, self.end)

    @property
    def label(self) -> str:
        """What a menu calls it."""
        return f"Nobody from {clock(self.start)} to {clock(self.end)}"


@dataclass(frozen=True)
class Apart:
    """Different people speak in two stretches; ConfigError if these are not valid, or overlap."""

    kind: ClassVar[str] = "apart"
    one: tuple[float, float]
    other: tuple[float, float]

    def __post_init__(self) -> None:
        for name in ("one", "other"):
            value = getattr(self, name)
            if not isinstance(value, list | tuple) or len(value) != 2:
                raise ConfigError(f"{name} is {_shown(value)}; give two times, as in [3.2, 5.0]")
            Segment(*value)
            object.__setattr__(self, name, (float(value[0]), float(value[1])))
        if Segment(*self.one).overlap(Segment(*self.other)):
            raise ConfigError(
                f"{Segment(*self.one)} and {Segment(*self.other)} overlap; give two stretches "
                "without a common part"
            )

    @property
    def label(self) -> str:
        """What a menu calls it."""
        return f"Different people at {clock(self.one[0])} and {clock(self.other[0])}"


Action: TypeAlias = Rename | Merge | Split | Boundary | Assign | Silence | Apart
ACTIONS: Mapping[str, type[Action]] = {
    each.kind: each for each in (Rename, Merge, Split, Boundary, Assign, Silence, Apart)
}


def action_of(given: Mapping[str, Any]) -> Action:
    """An action from plain values: its kind, and the fields of that action.

    Raises:
        ConfigError: there is no such kind, a field is missing or unknown, or a value is not valid.
    """
    if not isinstance(given, Mapping):
        raise ConfigError(f"found {_shown(given)}; give an object with a kind of action")
    kind = given.get("kind")
    if not isinstance(kind, str) or kind not in ACTIONS:
        near = get_close_matches(str(kind), ACTIONS, 1)
        hint = f"did you mean '{near[0]}'?" if near else f"give one of {', '.join(ACTIONS)}"
        raise ConfigError(f"there is no action of kind {_shown(kind)}; {hint}")
    action = ACTIONS[kind]
    names = [each.name for each in fields(action) if each.default is MISSING]
    values = {name: value for name, value in given.items() if name != "kind"}
    if set(values) != set(names):
        wrong = [*(n for n in names if n not in values), *(n for n in values if n not in names)]
        raise ConfigError(
            f"the action '{kind}' has {', '.join(names)}; look at {_shown(str(wrong[0]))}"
        )
    return action(**values)


def _check_names(action: object, *names: str) -> None:
    for name in names:
        object.__setattr__(action, name, checked_name(getattr(action, name)))


def _check_times(action: object, *names: str) -> None:
    """Raise ConfigError unless these are times; a segment's own check says what one is."""
    for name in names:
        value = getattr(action, name)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e9:
            raise ConfigError(f"{name} is {_shown(value)}; give a time in seconds, 0 or more")
        object.__setattr__(action, name, float(value))


def _shown(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, default=repr)
    return text if len(text) <= 40 else f"{text[:40]}…"
