"""Show the progress of a recording, and cancel it if it takes too long.

python progress_and_cancel.py [RECORDING] [SECONDS]
"""

import sys
from importlib.resources import files
from threading import Event, Timer

from hocket import Diarizer
from hocket.errors import Cancelled

EXAMPLE = files("hocket") / "example" / "conversation.flac"


def show(stage: str, done: int, total: int) -> None:
    """Print one line for each advance; the total grows until the recording is read."""
    print(f"{stage:<12} {done:>5} of {total}")


def main(recording: str, limit_s: float) -> None:
    """Diarize `recording` in at most `limit_s` seconds."""
    cancel = Event()
    timer = Timer(limit_s, cancel.set)
    timer.start()
    try:
        print(Diarizer()(recording, progress=show, cancel=cancel))
    except Cancelled as error:
        print(error)
    finally:
        timer.cancel()


if __name__ == "__main__":
    main(
        sys.argv[1] if len(sys.argv) > 1 else str(EXAMPLE),
        float(sys.argv[2]) if len(sys.argv) > 2 else 600.0,
    )
