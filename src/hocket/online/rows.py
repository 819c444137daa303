"""Updates of a stream as plain values, the same for every program that gets them as JSON."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from hocket.notices import Notice
from hocket.online.events import SpeakerEvent
from hocket.online.tracker import Update
from hocket.turns import Turn


class UpdateRows:
    """Makes a row of every update of a stream.

    Args:
        noted: returns all notices so far; each is in the row of one update.
    """

    def __init__(self, noted: Callable[[], Sequence[Notice]]) -> None:
        self._noted = noted
        self._given: list[Notice] = []

    def row(self, update: Update) -> dict[str, Any]:
        """The row of the next update: time, final, tentative, events, notices."""
        new = [notice for notice in self._noted() if notice not in self._given]
        self._given += new
        return {
            "time": round(update.time, 3),
            "final": [turn_row(turn) for turn in update.final],
            "tentative": [turn_row(turn) for turn in update.tentative],
            "events": [_event_row(event) for event in update.events],
            "notices": [asdict(notice) for notice in new],
        }


def turn_row(turn: Turn) -> dict[str, Any]:
    """A turn: start and end in seconds, speaker, id, and where known channel and confidence."""
    times = {"start": round(turn.start, 3), "end": round(turn.end, 3)}
    sure = {} if turn.confidence is None else {"confidence": round(turn.confidence, 3)}
    channel = {} if turn.channel is None else {"channel": turn.channel}
    return {**times, "speaker": turn.speaker, "id": turn.id or turn.speaker, **channel, **sure}


def _event_row(event: SpeakerEvent) -> dict[str, Any]:
    values = {key: getattr(event, key) for key in ("distance", "margin", "threshold")}
    far = {key: round(value, 3) for key, value in values.items() if value is not None}
    return {"kind": event.kind, "id": event.id, "name": event.name, **far}
