"""Speed of several systems on the same samples, one at a time, without references."""

from collections.abc import Mapping, Sequence
from typing import Any

from bench.accuracy.compare import OURS, SystemRun, run_systems, time_ratios, times_row
from bench.corpus import Recording
from bench.installation import PRESET
from bench.report import Progress


def measure_speeds(
    recordings: Sequence[Recording], commands: Mapping[str, Sequence[str]], progress: Progress
) -> dict[str, Any]:
    """Run every system, as `measure_systems` does, without scoring its turns.

    `times_faster` holds, for hocket and each of its presets, the seconds of the other systems
    divided by its own, on recordings that both processed.
    """
    runs = run_systems(recordings, commands, progress)
    durations = {recording.uri: recording.duration_s() for recording in recordings}
    times = {name: system.times() for name, system in runs.items()}
    ours = [name for name in times if name.partition(PRESET)[0] == OURS]
    return {
        "audio_minutes": round(sum(durations.values()) / 60, 3),
        "systems": {name: _row(system, durations) for name, system in runs.items()},
        "times_faster": {name: _times_faster(times, name) for name in ours},
    }


def _row(system: SystemRun, durations: Mapping[str, float]) -> dict[str, Any]:
    row = times_row(system)
    audio_s = sum(durations[uri] for uri in system.times())
    return {
        "system": system.describe(),
        **row,
        "x_real_time": round(audio_s / row["seconds"], 2) if row["seconds"] else None,
    }


def _times_faster(times: Mapping[str, Mapping[str, float]], us: str) -> dict[str, float]:
    ratios = time_ratios(times, us)
    return {name: round(1 / row["ratio"], 3) for name, row in ratios.items() if row["ratio"]}
