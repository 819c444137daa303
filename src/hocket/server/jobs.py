"""Jobs: a recording, what is to be done with it, and how far that has come."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, get_args

Status: TypeAlias = Literal["queued", "running", "done", "failed", "cancelled"]
STATUSES: tuple[Status, ...] = get_args(Status)
ENDED: tuple[Status, ...] = ("done", "failed", "cancelled")


@dataclass(frozen=True)
class Job:
    """A job, as it was when it was read.

    id: letters and digits; also the name of its files in the spool.
    status: queued, running, done, failed or cancelled.
    name: of the recording, as the user gave it; never part of a path.
    options: what is to be done, as plain values.
    size: bytes of the recording.
    created, started, finished: seconds since 1970; None if that has not happened.
    stage, done, total: how far it has come; empty and 0 before it starts.
    problem: why it failed, one line; empty otherwise.
    error: name of the class of that error, where it was one of hocket's; empty otherwise.
    is_cancelling: whether it runs, and is to end.
    attempts: how often it was started.
    crashes: how often its worker ended.
    worker: that runs it, or has run it last.
    """

    id: str
    status: Status
    name: str
    size: int
    created: float
    options: Mapping[str, Any] = field(default_factory=dict)
    started: float | None = None
    finished: float | None = None
    stage: str = ""
    done: int = 0
    total: int = 0
    problem: str = ""
    error: str = ""
    is_cancelling: bool = False
    attempts: int = 0
    crashes: int = 0
    worker: str = ""

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will be done."""
        return self.status in ENDED
