"""A short recording, made of one that is shipped."""

from pathlib import Path

import pytest
import soundfile

from tests.places import CONVERSATION

RATE = 16_000


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Twelve seconds of the conversation."""
    samples, rate = soundfile.read(CONVERSATION, dtype="float32", frames=12 * RATE)
    path = tmp_path / "clip.wav"
    soundfile.write(path, samples, rate)
    return path
