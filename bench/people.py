"""What is measured of speakers in a store, part by part."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.people_voices import find_voices


def measure_part(
    part: str,
    folder: Path,
    seeds: int,
    minutes: float,
    threads: int | None,
    progress: Callable[[str], None],
) -> dict[str, Any]:
    """One of `names`, `online`, `verify` and `file`, with voices in a folder, or without any."""
    if part == "file":
        from bench.people_file import measure_file

        return measure_file(progress)
    voices = find_voices(folder)
    if part == "verify":
        from bench.people_verify import measure_verification

        return measure_verification(voices, threads, progress)
    if part == "online":
        from bench.people_online import measure_online_names

        return measure_online_names(voices, seeds, minutes, threads, progress)
    from bench.people_names import measure_names

    return measure_names(voices, seeds, minutes, threads, progress)
