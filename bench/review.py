"""What `hocket review` is worth: confusion in what it asks, and in random stretches as long."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from bench.annotations import Region, Turn
from bench.calibration import Values
from bench.confidence import GRID_S, compared
from bench.corpus import Recording
from hocket import Diarizer
from hocket.report.review import review
from hocket.result import Result

DRAWS = 20  # of random stretches for every recording


def measure_review(
    recordings: Sequence[Recording], seconds: float, progress: Callable[[str], None]
) -> dict[str, Any]:
    """Confusion of recordings that answers to the questions remove, with what chance removes.

    An answer is the truth for its stretch: all that is confused there is put right, and nothing
    elsewhere follows from it.
    """
    from hocket.audio.reading import read_audio

    diarizer = Diarizer().load()
    rng = np.random.default_rng(0)
    files: dict[str, dict[str, float]] = {}
    for recording in recordings:
        rate = diarizer.geometry.sample_rate
        result = diarizer(
            read_audio(str(recording.audio), target_rate=rate).samples, sample_rate=rate
        )
        files[recording.uri] = worth_of(
            result, recording.turns(), recording.regions(), seconds, rng
        )
        progress(recording.uri)
    total = {name: sum(row[name] for row in files.values()) for name in next(iter(files.values()))}
    whole = max(total["confusion_s"], GRID_S)
    return {
        "seconds": seconds,
        "audio_minutes": round(sum(each.duration_s() for each in recordings) / 60, 3),
        "removed_percent": 100 * total["removed_s"] / whole,
        "removed_by_chance_percent": 100 * total["removed_by_chance_s"] / whole,
        "all": total,
        "files": files,
    }


def worth_of(
    result: Result,
    reference: Sequence[Turn],
    regions: Sequence[Region],
    seconds: float,
    rng: np.random.Generator,
) -> dict[str, float]:
    """Seconds of confusion in a recording, in its questions, and in random stretches as long."""
    turns = [Turn(turn.start, turn.end, turn.speaker) for turn in result.turns]
    confused: Values = GRID_S * compared(turns, reference, regions).confused.astype(np.float64)
    asked = review(result, seconds=seconds)
    lengths = [question.end - question.start for question in asked.questions]
    places = [(question.start, question.end) for question in asked.questions]
    chance = [_inside(confused, _scattered(lengths, result.duration_s, rng)) for _ in range(DRAWS)]
    return {
        "confusion_s": float(confused.sum()),
        "removed_s": _inside(confused, places),
        "removed_by_chance_s": float(np.mean(chance)),
        "asked_s": asked.seconds,
        "questions": float(len(asked.questions)),
    }


def _inside(confused: Values, places: Sequence[tuple[float, float]]) -> float:
    inside = np.zeros(len(confused), np.bool_)
    for start, end in places:
        inside[round(start / GRID_S) : round(end / GRID_S)] = True
    return float(confused[inside].sum())


def _scattered(
    lengths: Sequence[float], duration_s: float, rng: np.random.Generator
) -> list[tuple[float, float]]:
    """Segments of these lengths in any order, anywhere, that do not overlap."""
    order = rng.permutation(np.asarray(lengths))
    gaps = np.diff(
        np.sort(rng.uniform(0, max(0.0, duration_s - order.sum()), len(order))), prepend=0
    )
    starts = np.cumsum(gaps) + np.cumsum(order) - order
    return list(zip(starts.tolist(), (starts + order).tolist(), strict=True))
