"""hocket answers "who spoke when" in a recording, on the user's own machine.

>>> from hocket import diarize
>>> for turn in diarize("meeting.flac").turns:
...     print(turn.start_s, turn.end_s, turn.speaker)

Names are imported when first used, so that `import hocket` costs next to nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hocket.artifacts import Artifacts
    from hocket.audio import Recording, read_audio
    from hocket.config import Config, Runtime, SpeakerCount
    from hocket.enrolment import enrol, verify
    from hocket.errors import HocketError
    from hocket.pipeline import Diarizer, diarize
    from hocket.result import Result, Turn
    from hocket.speakers import SpeakerStore, name_speakers
    from hocket.stream import Stream, follow, updates_of
    from hocket.tracking import Known, State, Update
    from hocket.version import __version__

__all__ = [
    "Artifacts",
    "Config",
    "Diarizer",
    "HocketError",
    "Known",
    "Recording",
    "Result",
    "Runtime",
    "SpeakerCount",
    "SpeakerStore",
    "State",
    "Stream",
    "Turn",
    "Update",
    "__version__",
    "diarize",
    "enrol",
    "follow",
    "name_speakers",
    "read_audio",
    "updates_of",
    "verify",
]

_HOMES = (
    "enrolment",
    "stream",
    "tracking",
    "speakers",
    "pipeline",
    "artifacts",
    "result",
    "config",
    "audio",
    "errors",
    "version",
)


def __getattr__(name: str) -> Any:
    if name in __all__:
        for home in map(import_module, (f"hocket.{module}" for module in reversed(_HOMES))):
            if name in vars(home):
                globals()[name] = vars(home)[name]
                return globals()[name]
    raise AttributeError(f"module 'hocket' has no attribute '{name}'")
