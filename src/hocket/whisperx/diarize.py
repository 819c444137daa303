"""What finds the turns, in the form of whisperX's `diarize` module."""

import os
from collections.abc import Callable
from typing import Any

import numpy as np

from hocket.arguments import check_callable, check_type, known_names_only
from hocket.arrays import Waveform
from hocket.bridges import extra
from hocket.offline.progress import ProgressCallback
from hocket.pyannote.pipeline import Pipeline, version_of
from hocket.whisperx.audio import SAMPLE_RATE
from hocket.whisperx.table import table_of
from hocket.whisperx.words import assign_word_speakers

__all__ = ["DiarizationPipeline", "assign_word_speakers"]

Percent = Callable[[float], Any]


class DiarizationPipeline:
    """A drop-in for `whisperx.diarize.DiarizationPipeline`.

    hocket computes everything, on the CPU, without a token or a download.

    Args:
        model_name: name of a pipeline of pyannote, accepted without effect, as all that follow.
        token: access token.
        device: where to compute.
        cache_dir: folder of downloads.
        use_auth_token: the token, by its name in earlier versions.

    Attributes:
        model: a `hocket.pyannote.Pipeline`, whose `diarizer` computes. Another one may take its
            place: `diarize_model.model.diarizer = Diarizer(preset="fast")`.

    Raises:
        ArgumentError: an argument is unknown or of the wrong type.
        ConfigError: the name is not that of a pipeline for speaker diarization.
        ExtraError: pandas is not installed.
    """

    @known_names_only
    def __init__(
        self,
        model_name: str | os.PathLike[str] | None = None,
        token: str | bool | None = None,
        device: Any = "cpu",
        cache_dir: str | os.PathLike[str] | None = None,
        *,
        use_auth_token: str | bool | None = None,
    ) -> None:
        check_type("model_name", model_name, str | os.PathLike | None)
        for title, value in (("token", token), ("use_auth_token", use_auth_token)):
            check_type(title, value, str | bool | None)
        check_type("cache_dir", cache_dir, str | os.PathLike | None)
        if model_name is not None:
            version_of(os.fspath(model_name))
        extra("pandas", "pandas")  # rather than after the first recording
        self.model = Pipeline().to(device)

    @known_names_only
    def __call__(
        self,
        audio: str | os.PathLike[str] | Waveform,
        num_speakers: int | None = None,
        min_speakers: int | None = None,
        max_speakers: int | None = None,
        return_embeddings: bool = False,
        progress_callback: Percent | None = None,
    ) -> Any:
        """Find who speaks when.

        Args:
            audio: a path, or what `load_audio` returns: float32 (samples,) of 16 kHz.
            num_speakers: exact number of speakers, if known; the others are without effect then.
            min_speakers: fewest speakers to find.
            max_speakers: most speakers to find.
            return_embeddings: whether embeddings of the speakers are returned too.
            progress_callback: called with the percent that are done, 0 to 100.

        Returns:
            A `pandas.DataFrame` with a row a turn and the columns `segment`, `label`, `speaker`,
            `start` and `end`. With `return_embeddings` also a dictionary: the embedding of each
            speaker, as a list.

        Raises:
            ArgumentError: an argument is unknown or of the wrong type.
            HocketError: as for `Diarizer.__call__`.
        """
        check_type("audio", audio, str | os.PathLike | np.ndarray)
        check_type("return_embeddings", return_embeddings, bool)
        check_callable("progress_callback", progress_callback)
        result = self.model.diarizer(
            audio,
            num_speakers=num_speakers or None,
            min_speakers=None if num_speakers else min_speakers or None,
            max_speakers=None if num_speakers else max_speakers or None,
            sample_rate=SAMPLE_RATE if isinstance(audio, np.ndarray) else None,
            progress=None if progress_callback is None else _in_percent(progress_callback),
        )
        if progress_callback is not None:
            progress_callback(100.0)
        table = table_of(result.turns)
        if not return_embeddings:
            return table
        return table, dict(zip(result.speakers, result.embeddings.tolist(), strict=True))


def _in_percent(callback: Percent) -> ProgressCallback:
    """Progress of both networks as one number below 100 that never falls."""
    shares = {"segmentation": 0.0, "embedding": 0.0}
    shown = 0.0

    def advance(stage: str, done: int, total: int) -> None:
        nonlocal shown
        shares[stage] = done / max(1, total)
        # the total of embeddings is that of what is segmented so far
        embedded = min(shares["embedding"], shares["segmentation"])
        percent = 50 * shares["segmentation"] + 49 * embedded
        if percent > shown:
            shown = percent
            callback(percent)

    return advance
