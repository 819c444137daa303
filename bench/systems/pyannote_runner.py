"""pyannote.audio with the settings of its pipeline 3.1, to measure its speed only.

Its embedding has weights drawn by rule (see pyannote_models.py).
"""

import os
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from bench.systems.protocol import Engine, Turns, serve

MODELS = Path(__file__).resolve().parents[2] / "build" / "compare" / "pyannote"
BATCH = 32  # of either network, as published
# as published with pyannote/speaker-diarization-3.1.
PARAMETERS = {
    "segmentation": {"min_duration_off": 0.0},
    "clustering": {"method": "centroid", "min_cluster_size": 12, "threshold": 0.7045654963945799},
}


def load(threads: int) -> Engine:
    """Create the pipeline."""
    os.environ["PYANNOTE_METRICS_ENABLED"] = "0"  # otherwise it reports its use
    torch: Any = import_module("torch")
    torch.set_num_threads(threads)
    if torch.version.cuda is None:
        _leave_out_compiled_part()
    import soundfile

    pipelines, plda = _package("pipelines"), _package("core.plda")

    class NoPlda(plda.PLDA):  # type: ignore[misc,name-defined] # no types here
        """Required by the pipeline, but not used by its clusterer."""

        def __init__(self) -> None:
            pass

    pipeline = pipelines.SpeakerDiarization(
        segmentation=_segmentation(),
        embedding=_embedding(),
        plda=NoPlda(),
        clustering="AgglomerativeClustering",
        embedding_exclude_overlap=True,
        segmentation_batch_size=BATCH,
        embedding_batch_size=BATCH,
    ).instantiate(PARAMETERS)

    def diarize(audio: str) -> Turns:
        samples, rate = soundfile.read(audio, dtype="float32")
        given = {"waveform": torch.from_numpy(samples)[None], "sample_rate": rate}
        found = pipeline(given).speaker_diarization
        return [(turn.start, turn.end, who) for turn, _, who in found.itertracks(yield_label=True)]

    settings: dict[str, object] = {
        **PARAMETERS,
        "batch": BATCH,
        "threads": threads,
        "embedding weights": "drawn by rule: speed only",
    }
    return Engine(diarize, settings)


def _segmentation() -> Any:
    task = _package("core.task")
    network = _package("models.segmentation").PyanNet(lstm={"num_layers": 4})
    network.specifications = task.Specifications(
        problem=task.Problem.MONO_LABEL_CLASSIFICATION,
        resolution=task.Resolution.FRAME,
        duration=10.0,
        classes=["1", "2", "3"],
        powerset_max_classes=2,
        permutation_invariant=True,
    )
    network.build()
    network.load_state_dict(_tensors("segmentation"))
    return network.eval()


def _embedding() -> Any:
    network = _package("models.embedding").WeSpeakerResNet34()
    # not strict, since counters of training steps are missing
    missing, unknown = network.resnet.load_state_dict(_tensors("embedding"), strict=False)
    if unknown or not all(name.endswith("num_batches_tracked") for name in missing):
        raise RuntimeError(f"found other weights than those of {network.resnet}; delete {MODELS}")
    return network.eval()


def _package(name: str) -> Any:
    return import_module(f"pyannote.audio.{name}")


def _tensors(name: str) -> Any:
    torch: Any = import_module("torch")
    return torch.load(MODELS / f"{name}.pt", weights_only=True)


def _leave_out_compiled_part() -> None:
    """Disable torchaudio's library, which is built for torch with CUDA and fails to load here.

    Without the file torchaudio uses Python for everything that pyannote.audio needs.
    """
    found = find_spec("torchaudio")
    for place in (found.submodule_search_locations or []) if found else []:
        for library in Path(place, "lib").glob("_torchaudio*.so"):
            library.rename(library.with_suffix(".unused"))


if __name__ == "__main__":
    serve(load)
