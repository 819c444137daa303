"""The value of `hocket review`: confusion in its segments, and in random ones of their length."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from bench.accuracy.calibration import Values
from bench.accuracy.confidence import GRID_S, compared
from bench.annotations import Region, Turn
from bench.corpus import Recording
from bench.report import Progress
from hocket import Diarizer
from hocket.report.review import review
from hocket.result import Result

DRAWS = 20  # of random segments for every recording


def measure_review(
    recordings: Sequence[Recording], seconds: float, progress: Progress
) -> dict[str, Any]:
    """Confusion that correcting the selected segments removes, and that random ones remove.

    A correction removes all confusion inside its segment, and none elsewhere.
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
        files[recording.uri] = value_of(
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


def value_of(
    result: Result,
    reference: Sequence[Turn],
    regions: Sequence[Region],
    seconds: float,
    rng: np.random.Generator,
) -> dict[str, float]:
    """Seconds of confusion in a recording, in its selected segments, and in random segments."""
    turns = [Turn(turn.start, turn.end, turn.speaker) for turn in result.turns]
    confused: Values = GRID_S * compared(turns, reference, regions).confused.astype(np.float64)
    selected = review(result, seconds=seconds)
    places = [(segment.start, segment.end) for segment in selected.segments]
    lengths = [end - start for start, end in places]
    chance = [_inside(confused, _scattered(lengths, result.duration, rng)) for _ in range(DRAWS)]
    return {
        "confusion_s": float(confused.sum()),
        "removed_s": _inside(confused, places),
        "removed_by_chance_s": float(np.mean(chance)),
        "selected_s": selected.seconds,
        "segments": float(len(selected.segments)),
    }


def _inside(confused: Values, places: Sequence[tuple[float, float]]) -> float:
    inside = np.zeros(len(confused), np.bool_)
    for start, end in places:
        inside[round(start / GRID_S) : round(end / GRID_S)] = True
    return float(confused[inside].sum())


def _scattered(
    lengths: Sequence[float], duration_s: float, rng: np.random.Generator
) -> list[tuple[float, float]]:
    """Segments of these lengths at random places, in random order, without overlap."""
    order = rng.permutation(np.asarray(lengths))
    gaps = np.diff(
        np.sort(rng.uniform(0, max(0.0, duration_s - order.sum()), len(order))), prepend=0
    )
    starts = np.cumsum(gaps) + np.cumsum(order) - order
    return list(zip(starts.tolist(), (starts + order).tolist(), strict=True))
