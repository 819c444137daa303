"""hocket answers "who spoke when" in a recording, on the user's own machine.

>>> from hocket import diarize
>>> for turn in diarize("meeting.flac").turns:
...     print(turn.start_s, turn.end_s, turn.speaker)
"""

from hocket.audio import Recording, read_audio
from hocket.config import Config, Runtime, SpeakerCount
from hocket.errors import HocketError
from hocket.pipeline import Artifacts, Diarizer, diarize
from hocket.result import Result, Turn
from hocket.version import __version__

__all__ = [
    "Artifacts",
    "Config",
    "Diarizer",
    "HocketError",
    "Recording",
    "Result",
    "Runtime",
    "SpeakerCount",
    "Turn",
    "__version__",
    "diarize",
    "read_audio",
]
