"""Diarize a recording, print its turns as a table, and write them as RTTM.

python diarize_file.py [RECORDING]
"""

import sys
from importlib.resources import files
from pathlib import Path

from hocket import diarize

EXAMPLE = files("hocket") / "example" / "conversation.flac"


def main(recording: str) -> None:
    """Diarize `recording`; the RTTM file is written to the current folder."""
    result = diarize(recording)
    for turn in result.turns:
        print(f"{turn.start:8.2f} {turn.end:8.2f} {turn.speaker:<12} {turn.confidence:5.0%}")
    for speaker in result.speakers:
        speech = sum(turn.duration for turn in result.turns if turn.speaker == speaker)
        print(f"{speaker}: {speech:.1f} s")
    place = Path(f"{result.uri}.rttm")
    place.write_text(result.to_rttm(), encoding="utf-8")
    print(f"wrote {place}")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else str(EXAMPLE))
