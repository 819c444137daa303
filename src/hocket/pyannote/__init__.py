"""Speaker diarization for code that was written against pyannote.audio 3 or 4.

>>> from hocket.pyannote import Pipeline  # in place of: from pyannote.audio import Pipeline

Nothing else changes: docs/pyannote.md has both versions' examples, and what has no effect here.
"""

from hocket.pyannote.hooks import ArtifactHook, Hooks, ProgressHook, TimingHook
from hocket.pyannote.output import DiarizeOutput
from hocket.pyannote.pipeline import Pipeline

__all__ = ["ArtifactHook", "DiarizeOutput", "Hooks", "Pipeline", "ProgressHook", "TimingHook"]
