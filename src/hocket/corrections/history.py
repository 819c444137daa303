"""What was done to a result, step by step, to be undone and redone."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from hocket.corrections.constraints import Constraint, constraints_of, entries_of
from hocket.errors import ConfigError, EditError

MOST_STEPS = 1_000  # that can be undone
MOST_KEPT = 200_000  # constraints of all steps together


@dataclass(frozen=True)
class Step:
    """All constraints after an action.

    label: what was done, as a menu calls it; empty for the result without constraints.
    """

    label: str
    constraints: tuple[Constraint, ...]


@dataclass(frozen=True)
class History:
    """Steps, of which one is the current one.

    steps: in order; the oldest are left out once there are too many.
    current: number of the current step, from 0.
    revision: number of changes so far; undoing is one too, so it always grows.
    """

    steps: tuple[Step, ...] = (Step("", ()),)
    current: int = 0
    revision: int = 0

    @property
    def constraints(self) -> tuple[Constraint, ...]:
        """Those of the current step."""
        return self.steps[self.current].constraints

    @property
    def undo_label(self) -> str | None:
        """What would be undone; None: nothing."""
        return self.steps[self.current].label if self.current else None

    @property
    def redo_label(self) -> str | None:
        """What would be done again; None: nothing."""
        later = self.steps[self.current + 1 :]
        return later[0].label if later else None

    def did(self, label: str, constraints: Iterable[Constraint]) -> Self:
        """The history with a new step after the current one; undone steps are lost."""
        steps = [*self.steps[: self.current + 1], Step(label, tuple(constraints))]
        total = sum(len(step.constraints) for step in steps)
        while len(steps) > 2 and (len(steps) > MOST_STEPS + 1 or total > MOST_KEPT):
            total -= len(steps.pop(0).constraints)
        return replace(self, steps=tuple(steps), current=len(steps) - 1, revision=self.revision + 1)

    def undone(self) -> Self:
        """The history one step back; EditError if there is none."""
        if self.undo_label is None:
            raise EditError("there is nothing to undo")
        return replace(self, current=self.current - 1, revision=self.revision + 1)

    def redone(self) -> Self:
        """The history one step on; EditError if there is none."""
        if self.redo_label is None:
            raise EditError("there is nothing to redo")
        return replace(self, current=self.current + 1, revision=self.revision + 1)

    def to_dict(self) -> dict[str, Any]:
        """Everything, as plain values; a constraint of several steps stands there once."""
        places: dict[Constraint, int] = {}
        rows = [
            {
                "label": step.label,
                "constraints": [places.setdefault(c, len(places)) for c in step.constraints],
            }
            for step in self.steps
        ]
        return {
            "revision": self.revision,
            "current": self.current,
            "constraints": entries_of(places),
            "steps": rows,
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """A history from what `to_dict` returned; ConfigError if it is none."""
        try:
            every = constraints_of(content["constraints"])
            steps = [
                Step(str(row["label"]), tuple(every[int(place)] for place in row["constraints"]))
                for row in content["steps"]
            ]
            current, revision = int(content["current"]), int(content["revision"])
            if not 0 <= current < len(steps):
                raise ConfigError(f"step {current} of {len(steps)} is current")
        except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
            raise ConfigError(
                f"not a history of edits ({error}); delete it, or undo them"
            ) from error
        return cls(tuple(steps), current, revision)
