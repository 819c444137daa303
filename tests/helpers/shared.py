"""Results on the clips, computed once for all tests that only read them."""

from functools import cache
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from hocket import Config, Diarizer, Result
from hocket.config import Runtime
from hocket.offline.artifacts import Artifacts

RATE = 16_000
ONE_THREAD = Runtime(threads=1)


@cache
def samples_of(path: Path) -> NDArray[np.float32]:
    """A recording at RATE; not to be changed."""
    samples, rate = soundfile.read(path, dtype="float32")
    assert rate == RATE
    samples.flags.writeable = False
    return samples


@cache
def diarizer_of(preset: str = "balanced") -> Diarizer:
    """A diarizer with its graphs open; not to be changed."""
    return Diarizer(Config.preset(preset)).load()


@cache
def artifacts_of(path: Path, preset: str = "balanced") -> Artifacts:
    """What the networks made of a recording; not to be changed."""
    return diarizer_of(preset).infer(samples_of(path))


@cache
def result_of(path: Path, preset: str = "balanced") -> Result:
    """The result of a file."""
    return diarizer_of(preset)(path)
