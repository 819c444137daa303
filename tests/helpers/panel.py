"""Clips of two known speakers and a meeting of both, cut from a panel with a reference."""

from pathlib import Path

import numpy as np
import soundfile

from tests.helpers.paths import CLIPS

RATE = 16_000
MEETING_S = 19.4  # the meeting starts here; clips come from before it
ANNA_S = ((4.2, 7.2), (11.95, 13.65))
BEN_S = ((7.7, 11.0), (14.1, 18.9))


def write_clips(folder: Path) -> None:
    """Write anna.flac, ben.flac and meeting.flac, in which both speak."""
    panel, rate = soundfile.read(CLIPS / "panel03.flac", dtype="float32")
    assert rate == RATE
    for name, crops in (("anna", ANNA_S), ("ben", BEN_S)):
        parts = [panel[round(first * RATE) : round(last * RATE)] for first, last in crops]
        soundfile.write(folder / f"{name}.flac", np.concatenate(parts), RATE)
    soundfile.write(folder / "meeting.flac", panel[round(MEETING_S * RATE) :], RATE)
