"""Measurements of a store of known speakers, part by part."""

from pathlib import Path
from typing import Any

from bench.people.voices import find_voices
from bench.report import Progress

ADDITIONS_A_SEED = 10  # right ones, and as many wrong ones


def measure_part(
    part: str,
    folder: Path,
    seeds: int,
    minutes: float,
    threads: int | None,
    progress: Progress,
) -> dict[str, Any]:
    """Measure one of PARTS; all but `file` use the voices in `folder`."""
    if part == "file":
        from bench.people.file import measure_file

        return measure_file(progress)
    voices = find_voices(folder)
    if part == "verify":
        from bench.people.verify import measure_verification

        return measure_verification(voices, threads, progress)
    if part == "additions":
        from bench.people.additions import measure_additions

        return measure_additions(voices, ADDITIONS_A_SEED * seeds, threads, progress)
    if part == "online":
        from bench.people.online import measure_online_names

        return measure_online_names(voices, seeds, minutes, threads, progress)
    from bench.people.names import measure_names

    return measure_names(voices, seeds, minutes, threads, progress)
