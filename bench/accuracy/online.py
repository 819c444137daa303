"""The online engine: its errors beside those of the offline engine, and its latency."""

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from bench.accuracy.der import Hocket
from bench.accuracy.scoring import PROTOCOL, Score, score, summarize, summarize_named
from bench.annotations import Turn
from bench.corpus import Recording
from bench.report import Progress
from bench.speed.streams import blocks_of

if TYPE_CHECKING:
    from hocket import Stream
    from hocket.online.tracker import Update

BLOCK_S = 10.0
"""Length of the blocks fed to a stream, as by `hocket stream FILE`."""

TENTATIVE_ALLOWED_S, FINAL_ALLOWED_S = 2.0, 10.0
DER_ALLOWED = 5.0  # above that of the offline engine


def measure_online(
    recordings: Sequence[Recording], threads: int | None, progress: Progress
) -> dict[str, Any]:
    """Stream every recording, then diarize it offline.

    Latency is counted in seconds of audio, not of processing: from the arrival of audio to the
    update that first shows it (tentative) or makes it final.
    """
    from hocket import Stream
    from hocket.config import Runtime

    offline = Hocket(threads, oracle=False)
    scores: dict[str, dict[str, Score]] = {"online": {}, "offline": {}}
    waits: list[tuple[float, float]] = []
    audio_s = 0.0
    for recording in recordings:
        progress(recording.uri)
        stream = Stream(16_000, runtime=Runtime(threads=threads), refinable=False)
        updates = _stream(stream, recording)
        waits.append(latencies(updates))
        audio_s += recording.duration_s()
        turns = {
            "online": [_turn(turn) for update in updates for turn in update.final],
            "offline": offline(recording).turns,
        }
        for engine, found in turns.items():
            scores[engine][recording.uri] = score(recording.turns(), found, recording.regions())
    return {
        "protocol": PROTOCOL,
        "audio_minutes": round(audio_s / 60, 3),
        "longest_wait_s": {
            "tentative": round(max(first for first, _ in waits), 3),
            "final": round(max(last for _, last in waits), 3),
        },
        "allowed_wait_s": {"tentative": TENTATIVE_ALLOWED_S, "final": FINAL_ALLOWED_S},
        "engines": {name: summarize(list(found.values())) for name, found in scores.items()},
        "der_above_offline": round(_der(scores["online"]) - _der(scores["offline"]), 3),
        "der_allowed_above_offline": DER_ALLOWED,
        "files": {name: summarize_named(found) for name, found in scores.items()},
    }


def latencies(updates: "Sequence[Update]") -> tuple[float, float]:
    """The longest latency of audio to be shown and to be final: (tentative, final) seconds."""
    shown = [after.time - before.time for before, after in pairwise(updates)]
    final = [update.time - turn.start for update in updates for turn in update.final]
    return max(shown, default=0.0), max(final, default=0.0)


def _stream(stream: "Stream", recording: Recording) -> "list[Update]":
    updates: list[Update] = []
    for block in blocks_of(recording, BLOCK_S):
        updates += stream.feed(block)
    return updates + stream.finish()


def _turn(turn: Any) -> Turn:
    return Turn(turn.start, turn.end, turn.speaker)


def _der(scores: dict[str, Score]) -> float:
    found = summarize(list(scores.values()))["der_percent"]
    return float(found or 0.0)
