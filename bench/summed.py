"""Amounts that are counted recording by recording."""

from dataclasses import dataclass, fields
from typing import Self


@dataclass(frozen=True)
class Summed:
    """Numbers that add up, field by field."""

    def __add__(self, other: Self) -> Self:
        """The sum of both."""
        return type(self)(
            *(getattr(self, each.name) + getattr(other, each.name) for each in fields(self))
        )
