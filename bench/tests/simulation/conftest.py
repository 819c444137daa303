"""Voices of synthetic speech, made once for all tests of the simulation."""

from pathlib import Path

import numpy as np
import pytest

from bench.simulation.voices import VoicePool
from bench.tests.speech import write_cast


@pytest.fixture(scope="package")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_cast(tmp_path_factory.mktemp("voices"))


@pytest.fixture(scope="package")
def voices(folder: Path) -> VoicePool:
    return VoicePool.of(folder, embed=lambda sound: np.ones(2, np.float32))
