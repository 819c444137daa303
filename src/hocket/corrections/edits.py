"""Actions of a person at an editor, as constraints on the result.

Constraints say who speaks where, and hocket finds the speakers of the whole recording again. So
that an action changes what it is about and little else, every speaker of the result is held by its
clearest stretches. A later action wins: earlier constraints are trimmed, or dropped, where it says
something else.
"""

import math
from collections.abc import Iterable, Sequence
from difflib import get_close_matches

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
from hocket.corrections.constraints import (
    NUMBERED,
    Absent,
    Constraint,
    Different,
    Named,
    Nobody,
    Same,
    Segment,
)
from hocket.corrections.gathering import gather
from hocket.corrections.trimming import consistent, cut, joined, shared, with_names, without
from hocket.errors import ConfigError
from hocket.renaming import renamed
from hocket.result import Result
from hocket.turns import Turn

HELD_S = 4.0  # of speech, by which a speaker is held; half of its speech if that is less
LONGEST_S = 5.0  # of a stretch that holds a speaker
MARGIN_S = 0.15  # from the edges of a turn to a stretch that holds its speaker


def edited(
    constraints: Iterable[Constraint], action: Action, result: Result, *, is_firm: bool = False
) -> tuple[Constraint, ...]:
    """All constraints after an action.

    Args:
        constraints: of the actions before; none: the result is the one without constraints.
        action: what a person did.
        result: with these constraints, which the person saw.
        is_firm: whether speakers are held by all of their speech, so that the action changes
            nothing elsewhere. Otherwise the rest may follow, as where one turn of a new speaker
            shows that others are that speaker's too.

    Raises:
        ConfigError: the action is about a speaker or a turn that the result does not have, or gives
            a name that another speaker has.
    """
    draft = _Draft(tuple(constraints), result, is_firm)
    if isinstance(action, Rename):
        found = draft.renamed(action)
    elif isinstance(action, Merge):
        found = draft.merged(action)
    elif isinstance(action, Split):
        found = draft.split(action)
    elif isinstance(action, Boundary):
        found = draft.moved(action)
    elif isinstance(action, Assign):
        found = draft.assigned(action)
    elif isinstance(action, Silence):
        found = draft.silenced(action)
    else:
        found = draft.apart(action)
    return tuple(consistent(joined(found)))


class _Draft:
    """The constraints and the result before an action, and what each action makes of them."""

    def __init__(self, constraints: tuple[Constraint, ...], result: Result, is_firm: bool) -> None:
        self._result, self._is_firm = result, is_firm
        self._constraints = self._settled(constraints)

    def renamed(self, action: Rename) -> list[Constraint]:
        self._check(action.speaker)
        if action.name in self._result.speakers and action.name != action.speaker:
            raise ConfigError(
                f"{action.name} is the name of another speaker; merge the two if they are one "
                "person, or give another name"
            )
        names = {action.speaker: action.name}
        result = renamed(self._result, names, as_labels=True)
        return self._held(with_names(self._constraints, names), result)

    def merged(self, action: Merge) -> list[Constraint]:
        for name in action.speakers:
            self._check(name)
        name, result = self._name_of(action.speakers), self._result
        names = dict.fromkeys(action.speakers, name)
        after = renamed(result, names, as_labels=True)
        kept = with_names(self._unvoiced(action.speakers), names)
        others = [
            each.segment
            for each in kept
            if isinstance(each, Nobody) or (isinstance(each, Named) and each.name != name)
        ]
        runs = without(_runs(result.exclusive_turns, action.speakers), sorted(others))
        return [*self._held(kept, after), *_speaks(runs, name)]

    def _unvoiced(self, speakers: Sequence[str]) -> list[Constraint]:
        """The constraints, with nobody where one of the speakers is absent, and nobody else speaks.

        Who is absent is not absent as one of those who are one speaker now.
        """
        spoken = sorted(map(_segment, self._result.turns))
        found: list[Constraint] = []
        for each in self._constraints:
            if isinstance(each, Absent) and each.name in speakers:
                found += map(Nobody, without([each.segment], spoken))
            else:
                found.append(each)
        return found

    def split(self, action: Split) -> list[Constraint]:
        self._check_turn(action.speaker, action.start, action.end)
        halves = Segment(action.start, action.at), Segment(action.at, action.end)
        own = self._segments(action.speaker)
        before, after = (shared([half], own) or [half] for half in halves)
        shorter = min(halves, key=lambda half: half.duration)
        kept = self._held(cut(self._constraints, [shorter]), avoiding=halves)
        sides = [[Same(tuple(each))] if len(each) > 1 else [] for each in (before, after)]
        return [*kept, *sides[0], *sides[1], Different(_longest(before), _longest(after))]

    def moved(self, action: Boundary) -> list[Constraint]:
        self._check_turn(action.speaker, action.start, action.end)
        edge = action.start if action.edge == "start" else action.end
        if edge == action.to:
            return list(self._constraints)
        stretch = Segment(min(edge, action.to), max(edge, action.to))
        kept = self._held(cut(self._constraints, [stretch]), avoiding=[stretch])
        if (action.to < edge) == (action.edge == "start"):
            return [*kept, *_speaks([stretch], action.speaker)]
        return [*kept, Absent(stretch, action.speaker)]

    def assigned(self, action: Assign) -> list[Constraint]:
        stretch, name = Segment(action.start, action.end), action.speaker
        if name not in self._result.speakers and NUMBERED.fullmatch(name):
            raise self._unknown(name)
        kept = self._held(cut(self._constraints, [stretch]), avoiding=[stretch])
        return [*kept, *_speaks([stretch], name), *self._taken(stretch, name)]

    def _taken(self, stretch: Segment, name: str) -> list[Constraint]:
        """That those who spoke most in a stretch do not, where somebody spoke beside them."""
        found: list[Constraint] = []
        for other in self._result.speakers:
            if other != name:
                own = shared([stretch], self._segments(other))
                beside = [
                    _segment(each)
                    for each in self._result.turns
                    if each.speaker not in (name, other)
                ]
                found += [Absent(each, other) for each in shared(own, beside)]
        return found

    def silenced(self, action: Silence) -> list[Constraint]:
        stretch = Segment(action.start, action.end)
        kept = self._held(cut(self._constraints, [stretch]), avoiding=[stretch])
        return [*kept, Nobody(stretch)]

    def apart(self, action: Apart) -> list[Constraint]:
        both = [Segment(*action.one), Segment(*action.other)]
        wanted, kept = Different(*both), list(self._constraints)
        try:
            gather([*kept, wanted])
        except ConfigError:
            kept = cut(kept, sorted(both))
        return [*self._held(kept, avoiding=both), wanted]

    def _held(
        self,
        constraints: Sequence[Constraint],
        result: Result | None = None,
        avoiding: Iterable[Segment] = (),
    ) -> list[Constraint]:
        """The constraints, before them clear stretches of speakers who have not enough of them.

        Args:
            constraints: which name speakers as the result does.
            result: with the names after the action.
            avoiding: stretches that are not to be used.
        """
        result, taken = result or self._result, list(avoiding)
        seconds: dict[str, float] = {}
        for each in constraints:
            taken += each.segments
            if isinstance(each, Named):
                seconds[each.name] = seconds.get(each.name, 0.0) + each.segment.duration
        held: list[Constraint] = []
        for name in result.speakers:
            if self._is_firm:
                turns = [_segment(each) for each in result.exclusive_turns if each.speaker == name]
                held += _speaks(without(turns, sorted(taken)), name)
                continue
            missing = _enough(result, name) - seconds.get(name, 0.0)
            held += _speaks(_clear(result, name, taken, missing), name)
        return [*held, *constraints]

    def _segments(self, name: str, *, exclusive: bool = True) -> list[Segment]:
        turns = self._result.exclusive_turns if exclusive else self._result.turns
        return [_segment(turn) for turn in turns if turn.speaker == name]

    def _name_of(self, speakers: Sequence[str]) -> str:
        """The name of speakers who become one: one that a person gave, the last of these."""
        given = [name for name in speakers if not NUMBERED.fullmatch(name)]
        if given:
            return given[-1]
        return max(speakers, key=lambda name: _total(self._segments(name)))

    def _settled(self, constraints: Sequence[Constraint]) -> list[Constraint]:
        """The constraints with the speakers who were found for segments that are only compared.

        Two that had to differ are two speakers now, and stay those of the result.
        """
        named = [each for each in constraints if isinstance(each, Named | Nobody)]
        taken, found = sorted(each.segment for each in named), list[Constraint]()
        for each in constraints:
            if isinstance(each, Named | Nobody | Absent):
                found.append(each)
                continue
            for segment in each.segments:
                turns = shared([segment], self._segments(self._speaker_of(segment)))
                found += _speaks(without(turns, taken), self._speaker_of(segment))
        return found

    def _speaker_of(self, segment: Segment) -> str:
        """Who speaks most in a segment."""

        def seconds(name: str) -> float:
            return _total(shared([segment], self._segments(name)))

        return max(self._result.speakers, key=seconds, default="")

    def _check(self, name: str) -> None:
        if name not in self._result.speakers:
            raise self._unknown(name)

    def _unknown(self, name: str) -> ConfigError:
        names = self._result.speakers
        near = get_close_matches(name, names, 1)
        hint = f"did you mean '{near[0]}'?" if near else f"it has {', '.join(names) or 'nobody'}"
        return ConfigError(f"the result has no speaker '{name}'; {hint}")

    def _check_turn(self, name: str, start: float, end: float) -> None:
        self._check(name)
        turn = Segment(start, end)
        if not shared([turn], self._segments(name, exclusive=False)):
            raise ConfigError(
                f"{name} has no turn in {turn}; look at the turns of the result again"
            )


def _speaks(stretches: Iterable[Segment], name: str) -> list[Constraint]:
    return [Named(each, name) for each in stretches]


def _total(segments: Iterable[Segment]) -> float:
    """Length of segments in seconds."""
    return sum(segment.duration for segment in segments)


def _segment(turn: Turn) -> Segment:
    return Segment(turn.start, turn.end)


def _longest(segments: Sequence[Segment]) -> Segment:
    return max(segments, key=lambda each: each.duration)


def _runs(turns: Sequence[Turn], speakers: Sequence[str]) -> list[Segment]:
    """Stretches in which only these speakers have turns, one after the other."""
    runs: list[list[Turn]] = []
    is_inside = False
    for turn in turns:
        if turn.speaker in speakers:
            if not is_inside or turn.start > runs[-1][-1].end:
                runs.append([])
            runs[-1].append(turn)
        is_inside = turn.speaker in speakers
    return [Segment(run[0].start, run[-1].end) for run in runs]


def _enough(result: Result, name: str) -> float:
    """Seconds by which a speaker is held."""
    spoken = sum(turn.duration for turn in result.exclusive_turns if turn.speaker == name)
    return min(HELD_S, spoken / 2)


def _clear(result: Result, name: str, taken: Sequence[Segment], seconds: float) -> list[Segment]:
    """Stretches in which a speaker is surest to speak alone, of so many seconds together."""
    if seconds <= 0:
        return []
    own = [turn for turn in result.exclusive_turns if turn.speaker == name]
    avoided = sorted(taken)
    others = [_segment(turn) for turn in result.turns if turn.speaker != name]
    unsure = [Segment(each.start, each.end) for each in result.uncertain if each.end > each.start]
    for doubts in (sorted([*others, *unsure]), sorted(others), []):
        pieces = [
            ((turn.confidence or 0.5) * min(piece.duration, LONGEST_S), piece)
            for turn in own
            for piece in without(without([_inner(_segment(turn))], avoided), doubts)
        ]
        found: list[Segment] = []
        for _, piece in sorted(pieces, key=lambda each: (-each[0], each[1])):
            if _total(found) >= seconds:
                break
            found.append(_middle(piece))
        if found:
            return sorted(found)
    return []


def _inner(segment: Segment) -> Segment:
    margin = min(MARGIN_S, segment.duration / 4)
    return Segment(segment.start + margin, segment.end - margin)


def _middle(segment: Segment) -> Segment:
    """The middle of a segment, no longer than LONGEST_S, in whole milliseconds."""
    margin = max(0.0, segment.duration - LONGEST_S) / 2
    start, end = segment.start + margin, segment.end - margin
    return Segment(math.ceil(start * 1000) / 1000, math.floor(end * 1000) / 1000)
