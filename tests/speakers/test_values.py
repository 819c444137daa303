"""What may enter a store."""

from pathlib import Path

import numpy as np

from hocket.speakers import Exemplar, SpeakerStore
from tests.helpers.voice_vectors import DIMENSION, MODEL


def test_an_exemplar_that_is_not_float32_becomes_float32(tmp_path: Path) -> None:
    wide = Exemplar(np.ones(DIMENSION), 5.0, "a.wav", 0, 5)  # type: ignore[arg-type]
    with SpeakerStore(tmp_path / "team.db") as store:
        store.enroll("Anna", [wide], MODEL)
        assert store.exemplars("Anna")[0].embedding.dtype == np.float32
