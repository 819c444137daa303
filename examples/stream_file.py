"""Stream a recording in chunks of 100 ms, as a microphone would deliver it.

python stream_file.py [RECORDING]

Then process it again as a whole, which is more accurate.
"""

import sys
from importlib.resources import files

import soundfile

from hocket import Stream
from hocket.online.tracker import Update

EXAMPLE = files("hocket") / "example" / "conversation.flac"


def show(update: Update) -> None:
    """Print the turns that have become final."""
    for turn in update.final:
        print(f"{update.time:7.2f}: {turn.start:7.2f} {turn.end:7.2f} {turn.speaker}")


def main(recording: str) -> None:
    """Stream `recording`, and refine the result at the end."""
    with soundfile.SoundFile(recording) as sound, Stream(sound.samplerate) as stream:
        for block in sound.blocks(blocksize=sound.samplerate // 10, dtype="float32"):
            for update in stream.feed(block):
                show(update)
        result = stream.finish(refine=True)
    print("refined:")
    print(result.to_rttm(), end="")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else str(EXAMPLE))
