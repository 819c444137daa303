"""The pipeline of pyannote.audio for speaker diarization, computed by hocket."""

import logging
import os
import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from functools import cache
from itertools import count
from typing import Any, Self

from hocket.arguments import check_callable, check_type, known_names_only
from hocket.bridges import extra
from hocket.errors import ConfigError
from hocket.offline.diarizer import Diarizer
from hocket.pyannote.files import AudioFile, given
from hocket.pyannote.hooks import Hook, Steps
from hocket.pyannote.output import DiarizeOutput, annotation_with, discrete, output_of

NAME = re.compile(r"speaker-diarization(?:[-@](?P<release>[\w.-]+))?")
KNOWN = "pyannote/speaker-diarization-3.1", "pyannote/speaker-diarization-community-1"
_SEGMENTATION = {"min_duration_off": 0.0}
# as published with the pipelines of both names
DEFAULTS: Mapping[int, Mapping[str, Mapping[str, Any]]] = {
    3: {
        "segmentation": _SEGMENTATION,
        "clustering": {
            "method": "centroid",
            "min_cluster_size": 12,
            "threshold": 0.7045654963945799,
        },
    },
    4: {
        "segmentation": _SEGMENTATION,
        "clustering": {"threshold": 0.6, "Fa": 0.07, "Fb": 0.8},
    },
}
PARAMETERS = {
    "segmentation": ("min_duration_off", "threshold"),
    "clustering": ("method", "min_cluster_size", "threshold", "Fa", "Fb"),
}
"""Names of all parameters, which are pyannote's: none has an effect."""

_log = logging.getLogger("hocket")


class Pipeline:
    """A drop-in for `pyannote.audio.Pipeline` in speaker diarization.

    hocket computes everything, with the networks and settings of its own `Diarizer`, on the CPU.
    The name of a pipeline decides only what calls return, not which networks run. pyannote's
    pipelines have another embedding network and other clustering, so turns differ, and embeddings
    cannot be compared with theirs.

    Args:
        version: of pyannote.audio whose outputs calls return, 3 or 4.

    Attributes:
        diarizer: what computes. Another one may take its place, as `Diarizer(preset="fast")`.
        segmentation_batch_size: accepted without effect.
        embedding_batch_size: accepted without effect.
        device: what `to` got, without effect.
    """

    def __init__(self, version: int = 4) -> None:
        check_type("version", version, int)
        if version not in DEFAULTS:
            raise ConfigError(f"version is {version}; give 3 or 4")
        self.version = version
        self.diarizer = Diarizer()
        self.segmentation_batch_size = self.embedding_batch_size = 32
        self.device: Any = "cpu"
        self._parameters = self.default_parameters()

    @classmethod
    @known_names_only
    def from_pretrained(
        cls,
        checkpoint: str | os.PathLike[str] | None = None,
        *,
        checkpoint_path: str | os.PathLike[str] | None = None,
        revision: str | None = None,
        hparams_file: str | os.PathLike[str] | None = None,
        subfolder: str | None = None,
        token: str | bool | None = None,
        use_auth_token: str | bool | None = None,
        cache_dir: str | os.PathLike[str] | None = None,
    ) -> Self:
        """A pipeline by the name that it has in pyannote.audio. Nothing is downloaded.

        Args:
            checkpoint: a name with `speaker-diarization` in it, or the path of a local copy that
                has that name. Of 2.x or 3.x, calls return an `Annotation`; of community-1, a
                `DiarizeOutput`.
            checkpoint_path: the same, by its name in version 3.
            revision: accepted without effect, as all that follow.
            hparams_file: file of parameters.
            subfolder: folder of the pipeline.
            token: access token.
            use_auth_token: the same, by its name in version 3.
            cache_dir: folder of downloads.

        Raises:
            ArgumentError: an argument is unknown or of the wrong type.
            ConfigError: the name is not that of a pipeline for speaker diarization.
            ExtraError: pyannote.core is not installed.
        """
        name = checkpoint if checkpoint_path is None else checkpoint_path
        check_type("checkpoint", name, str | os.PathLike)
        for title, value in (("token", token), ("use_auth_token", use_auth_token)):
            check_type(title, value, str | bool | None)
        check_type("revision", revision, str | None)
        check_type("subfolder", subfolder, str | None)
        check_type("cache_dir", cache_dir, str | os.PathLike | None)
        check_type("hparams_file", hparams_file, str | os.PathLike | None)
        if hparams_file is not None:
            _log.warning("hparams_file is for pyannote.audio and has no effect in hocket")
        version = version_of(os.fspath(name))  # type: ignore[arg-type] # checked above
        extra("pyannote.core", "pyannote")  # rather than after the first recording
        return cls(version)

    @known_names_only
    def __call__(
        self,
        file: AudioFile,
        *,
        num_speakers: int | None = None,
        min_speakers: int | None = None,
        max_speakers: int | None = None,
        return_embeddings: bool = False,
        hook: Hook | None = None,
        preload: bool = False,
    ) -> Any:
        """Diarize a file.

        Args:
            file: a path, a binary file object, `{"audio": either of them}`, or
                `{"waveform": (channels, samples), "sample_rate": Hz}` with an array or a tensor. A
                mapping may have `uri`, the recording's name, and `channel`, counted from 0;
                messages count from 1.
            num_speakers: exact number of speakers, if known; `min_speakers` and `max_speakers` are
                without effect then.
            min_speakers: fewest speakers to find.
            max_speakers: most speakers to find.
            return_embeddings: whether a call of version 3 returns embeddings too; without effect in
                version 4, whose output has them.
            hook: called with the name of each step, its artifact, and `file`, `total` and
                `completed` by name. Of the steps, `discrete_diarization` gives an artifact.
            preload: accepted without effect.

        Returns:
            In version 4, a `DiarizeOutput`. In version 3, a `pyannote.core.Annotation`; with
            `return_embeddings` that and an array (speakers, dimension) in the order of `labels()`.

        Raises:
            ArgumentError: an argument is unknown or of the wrong type.
            ExtraError: pyannote.core is not installed.
            HocketError: as for `Diarizer.__call__`.
        """
        check_callable("hook", hook)
        check_type("return_embeddings", return_embeddings, bool)
        check_type("preload", preload, bool)
        recording = given(file)
        steps = None if hook is None else Steps(hook, recording.entries)
        with recording.rewound():
            result = self.diarizer(
                recording.source,
                num_speakers=num_speakers or None,
                min_speakers=None if num_speakers else min_speakers or None,
                max_speakers=None if num_speakers else max_speakers or None,
                channels=recording.channels,
                sample_rate=recording.sample_rate,
                name=None if recording.sample_rate is None else recording.uri,
                progress=None if steps is None else steps.advance,
            )
        output = output_of(result, recording.uri)
        if steps is not None:
            turns, geometry = output.speaker_diarization, self.diarizer.geometry
            steps.finish(discrete(turns, result.duration, geometry) if turns else None)
        return self._shaped(output, with_embeddings=return_embeddings)

    def _shaped(self, output: DiarizeOutput, *, with_embeddings: bool) -> Any:
        """What the version returns."""
        if self.version == 3:
            annotation = annotation_with(output)
            return (annotation, output.speaker_embeddings) if with_embeddings else annotation
        if with_embeddings:
            _log.warning("return_embeddings has no effect; use output.speaker_embeddings")
        return output

    def to(self, device: Any) -> Self:
        """This pipeline. The device, of any library, has no effect: hocket runs on the CPU."""
        self.device = device
        if not str(device).startswith("cpu"):
            _note_device()
        return self

    def cuda(self, device: Any = None) -> Self:
        """This pipeline, as `to`."""
        return self.to("cuda" if device is None else device)

    def instantiate(self, params: Mapping[str, Mapping[str, Any]]) -> Self:
        """Keep parameters of pyannote's pipeline for `parameters`. None of them has an effect.

        Args:
            params: by part, `segmentation` or `clustering`, and name.

        Raises:
            ArgumentError: it is no mapping of mappings.
            ConfigError: pyannote's pipelines have no such parameter.
        """
        check_type("params", params, Mapping)
        for part, values in params.items():
            if part not in PARAMETERS:
                raise ConfigError(f"there is no parameter '{part}'; give {' or '.join(PARAMETERS)}")
            check_type(part, values, Mapping)
            for name in values:
                if name not in PARAMETERS[part]:
                    known = ", ".join(PARAMETERS[part])
                    raise ConfigError(f"there is no parameter '{part}.{name}'; {part} has {known}")
        ignored = [f"{part}.{name}" for part, values in params.items() for name in values]
        if ignored:
            named = ", ".join(ignored)
            _log.warning("parameters of pyannote have no effect in hocket: %s", named)
        for part, values in params.items():
            self._parameters[part] |= values
        return self

    def parameters(self, *, instantiated: bool = False) -> dict[str, dict[str, Any]]:
        """The values of all parameters, whether or not `instantiated` is true."""
        check_type("instantiated", instantiated, bool)
        return deepcopy(self._parameters)

    def default_parameters(self) -> dict[str, dict[str, Any]]:
        """The parameters that pyannote publishes with its pipeline; none has an effect here."""
        return {part: dict(values) for part, values in DEFAULTS[self.version].items()}

    @property
    def instantiated(self) -> bool:
        """True: parameters have values."""
        return True

    def classes(self) -> Iterator[str]:
        """Labels of speakers, without end."""
        return (f"SPEAKER_{number:02d}" for number in count())


def version_of(name: str) -> int:
    """Major version of pyannote.audio that a pipeline is of; 2 counts as 3.

    Raises:
        ConfigError: the name is not that of a pipeline for speaker diarization.
    """
    found = [*NAME.finditer(name)]
    release = (found[-1]["release"] or "2") if found else ""
    if release.startswith(("community", "4")):
        return 4
    if release.startswith(("2", "3")):
        return 3
    raise ConfigError(
        f"'{name}' is no pipeline that hocket stands in for; give {' or '.join(map(repr, KNOWN))}"
    )


@cache  # a service may make a pipeline for each recording
def _note_device() -> None:
    _log.warning("hocket runs on the CPU: the device of a pipeline has no effect")
