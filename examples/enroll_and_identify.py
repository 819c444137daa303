"""Enroll the speakers of a recording, and recognize them in a part of it.

python enroll_and_identify.py [RECORDING]

In practice, the recording to recognize speakers in is another one.
"""

import sys
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory

from hocket import Diarizer, SpeakerStore
from hocket.audio.reading import read_audio
from hocket.speakers import name_speakers

EXAMPLE = files("hocket") / "example" / "conversation.flac"
NAMES = ("Anna", "Ben", "Cleo", "Dan", "Eva", "Finn")
LEAST_S = 5.0  # of speech; less does not describe a voice well


def main(recording: str) -> None:
    """Enroll whoever speaks long enough in `recording`, and diarize its second half."""
    diarizer = Diarizer()
    result = diarizer(recording)
    whole = read_audio(recording, target_rate=16_000)
    half = whole.samples[len(whole.samples) // 2 :]
    with TemporaryDirectory() as folder, SpeakerStore(Path(folder) / "team.db") as store:
        for speaker, name in zip(result.speakers, NAMES, strict=False):
            speech = sum(t.duration for t in result.exclusive_turns if t.speaker == speaker)
            if speech >= LEAST_S:
                store.enroll_cluster(name, result, speaker, consent="an example")
        found = diarizer(half, sample_rate=16_000, name="second half")
        matches = store.identify(found)
        for match in matches:
            known = match.speaker.name if match.speaker else "not in the store"
            print(f"{match.cluster}: {known}, distance {match.distance:.2f}")
        for turn in name_speakers(found, matches).turns:
            print(f"{turn.start:7.2f} {turn.end:7.2f} {turn.speaker}")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else str(EXAMPLE))
