"""Random actions of a person at an editor."""

from random import Random

from hocket import Result
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
from hocket.turns import Turn

LEAST_S = 0.3  # of a turn that somebody edits


def random_action(random: Random, result: Result) -> Action:
    """An action that a result allows; it need not be true of the recording."""
    turns = [turn for turn in result.turns if turn.duration >= LEAST_S]
    found = None
    while found is None and turns:
        kind = random.choice((_rename, _merge, _split, _boundary, _assign, _apart, _silence))
        found = kind(random, result, turns)
    return found or Silence(0.0, random.uniform(0.5, 2))


def _rename(random: Random, result: Result, _turns: list[Turn]) -> Action:
    return Rename(random.choice(result.speakers), _new_name(random))


def _merge(random: Random, result: Result, _turns: list[Turn]) -> Action | None:
    return Merge(tuple(random.sample(result.speakers, 2))) if len(result.speakers) > 1 else None


def _split(random: Random, _result: Result, turns: list[Turn]) -> Action:
    turn = random.choice(turns)
    at = turn.start + turn.duration * random.uniform(0.25, 0.75)
    return Split(turn.speaker, turn.start, turn.end, at)


def _boundary(random: Random, result: Result, turns: list[Turn]) -> Action:
    turn, edge = random.choice(turns), random.choice(("start", "end"))
    most = min(1.0, turn.duration * 0.7)
    if edge == "start":
        to = max(0.0, turn.start + random.uniform(-1, most))
    else:
        to = min(result.duration, turn.end + random.uniform(-most, 1))
    return Boundary(turn.speaker, turn.start, turn.end, edge, to)


def _assign(random: Random, result: Result, turns: list[Turn]) -> Action:
    turn = random.choice(turns)
    length = random.uniform(LEAST_S, turn.duration)
    start = random.uniform(turn.start, turn.end - length)
    name = random.choice((*result.speakers, _new_name(random)))
    return Assign(start, start + length, name)


def _apart(random: Random, _result: Result, turns: list[Turn]) -> Action | None:
    one, other = random.choice(turns), random.choice(turns)
    if one.start < other.end and other.start < one.end:
        return None
    return Apart((one.start, one.end), (other.start, other.end))


def _silence(random: Random, result: Result, _turns: list[Turn]) -> Action:
    start = random.uniform(0, result.duration - 1)
    return Silence(start, start + random.uniform(0.2, 1))


def _new_name(random: Random) -> str:
    return f"Person {random.randrange(10**9)}"
