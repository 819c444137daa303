"""Transcribe a recording while its words are recognized, and write subtitles and a report.

python transcribe_file.py [RECORDING]

A recognizer must be installed, and its model on this machine or named by HOCKET_ASR_MODEL.
"""

import sys
from importlib.resources import files
from pathlib import Path

from hocket import diarize, transcribe
from hocket.formats import written
from hocket.report.page import report_page
from hocket.transcript import Segment

EXAMPLE = files("hocket") / "example" / "conversation.flac"


def show(segment: Segment) -> None:
    """Print a segment as soon as it is complete."""
    print(f"{segment.turn.start:8.2f} {segment.turn.speaker}: {segment.text}")


def main(recording: str) -> None:
    """Transcribe `recording`; both files are written to the current folder."""
    result = diarize(recording)
    transcript = transcribe(recording, result=result, on_segment=show)
    for place, content in (
        (Path(f"{transcript.uri}.srt"), written(transcript, "srt")),
        (Path(f"{transcript.uri}.report.html"), report_page(transcript, recording)),
    ):
        place.write_text(str(content), encoding="utf-8")
        print(f"wrote {place}")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else str(EXAMPLE))
