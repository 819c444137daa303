"""hocket answers "who spoke when" in a recording, on the user's own machine.

>>> from hocket import diarize
>>> for turn in diarize("meeting.flac").turns:
...     print(turn.start, turn.end, turn.speaker)

Names are imported when first used, so that `import hocket` costs next to nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hocket.config import Config
    from hocket.errors import HocketError
    from hocket.offline.diarize import diarize
    from hocket.offline.diarizer import Diarizer
    from hocket.online.stream import Stream
    from hocket.recognition.settings import RecognitionConfig
    from hocket.recognition.transcribe import Transcriber, transcribe
    from hocket.result import Result
    from hocket.speakers import SpeakerStore
    from hocket.speakers.enroll import enroll, verify
    from hocket.transcript import Transcript
    from hocket.turns import Turn
    from hocket.version import __version__ as __version__

__all__ = [
    "Config",
    "Diarizer",
    "HocketError",
    "RecognitionConfig",
    "Result",
    "SpeakerStore",
    "Stream",
    "Transcriber",
    "Transcript",
    "Turn",
    "diarize",
    "enroll",
    "transcribe",
    "verify",
]

_HOMES = {
    "Config": "hocket.config",
    "Diarizer": "hocket.offline.diarizer",
    "HocketError": "hocket.errors",
    "RecognitionConfig": "hocket.recognition.settings",
    "Result": "hocket.result",
    "SpeakerStore": "hocket.speakers",
    "Stream": "hocket.online.stream",
    "Transcriber": "hocket.recognition.transcribe",
    "Transcript": "hocket.transcript",
    "Turn": "hocket.turns",
    "diarize": "hocket.offline.diarize",
    "enroll": "hocket.speakers.enroll",
    "transcribe": "hocket.recognition.transcribe",
    "verify": "hocket.speakers.enroll",
}


def __getattr__(name: str) -> Any:
    home = "hocket.version" if name == "__version__" else _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'hocket' has no attribute '{name}'")
    globals()[name] = getattr(import_module(home), name)
    return globals()[name]


def __dir__() -> list[str]:
    return sorted(__all__)
