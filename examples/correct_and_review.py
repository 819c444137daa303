"""Find the segments that are most likely wrong, correct one, and solve the recording again.

python correct_and_review.py [RECORDING]
"""

import sys
from importlib.resources import files

from hocket import Diarizer
from hocket.audio.reading import read_audio
from hocket.corrections.constraints import Named, Segment
from hocket.report.review import review

EXAMPLE = files("hocket") / "example" / "conversation.flac"


def main(recording: str) -> None:
    """Review `recording`, and give the first segment to its likeliest alternative."""
    diarizer = Diarizer()
    artifacts = diarizer.infer(read_audio(recording, target_rate=16_000))
    result = diarizer.finish(artifacts)
    found = review(result, seconds=30)
    print(f"{found.expected_error:.1f} s are expected to be wrong")
    for segment in found.segments:
        others = ", ".join(segment.alternatives) or "nobody"
        print(
            f"{segment.start:7.2f} {segment.end:7.2f} {segment.speaker} "
            f"({segment.confidence:.0%}), or {others}"
        )
    answers = [
        Named(Segment(segment.start, segment.end), segment.alternatives[0])
        for segment in found.segments[:1]
        if segment.alternatives
    ]
    for turn in diarizer.finish(artifacts, constraints=answers).turns:
        print(f"{turn.start:7.2f} {turn.end:7.2f} {turn.speaker} {turn.confidence:.0%}")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else str(EXAMPLE))
