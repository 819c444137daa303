"""Recordings of known people, cut from a panel that is shipped with its truth."""

from pathlib import Path

import numpy as np
import soundfile

from tests.places import CLIPS

RATE = 16_000
LATER_S = 19.4  # the panel from here on is the meeting; what comes before is for enrolment
ANNA_S = ((4.2, 7.2), (11.95, 13.65))
BEN_S = ((7.7, 11.0), (14.1, 18.9))


def write_people(folder: Path) -> None:
    """Write anna.flac, ben.flac and meeting.flac, in which both speak later on."""
    panel, rate = soundfile.read(CLIPS / "panel03.flac", dtype="float32")
    assert rate == RATE
    for name, spans in (("anna", ANNA_S), ("ben", BEN_S)):
        parts = [panel[round(first * RATE) : round(last * RATE)] for first, last in spans]
        soundfile.write(folder / f"{name}.flac", np.concatenate(parts), RATE)
    soundfile.write(folder / "meeting.flac", panel[round(LATER_S * RATE) :], RATE)
