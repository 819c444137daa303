"""Known speakers: a store of their voices in one file, for use across recordings."""

from hocket.speakers.exchange import Existing, export_speakers, import_speakers, read_document
from hocket.speakers.naming import LEAST_SPEECH_S, name_speakers, unnamed
from hocket.speakers.store import SpeakerStore
from hocket.speakers.values import (
    ID_PREFIX,
    MOST_EXEMPLARS,
    Exemplar,
    Match,
    Speaker,
    Verification,
    checked_name,
)

__all__ = [
    "ID_PREFIX",
    "LEAST_SPEECH_S",
    "MOST_EXEMPLARS",
    "Exemplar",
    "Existing",
    "Match",
    "Speaker",
    "SpeakerStore",
    "Verification",
    "checked_name",
    "export_speakers",
    "import_speakers",
    "name_speakers",
    "read_document",
    "unnamed",
]
