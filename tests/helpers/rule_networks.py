"""Networks that compute by rule: fast, on any grid, and sensitive to every sample."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from threading import Event

import numpy as np
from numpy.typing import NDArray

from hocket.arrays import Waveform
from hocket.audio.reading import AudioStream
from hocket.config import Config, ResolvedConfig, Runtime
from hocket.embedding.embedder import Embedder
from hocket.geometry import Geometry
from hocket.graph import SPECS, GraphSpec, Tensors
from hocket.offline.inference import InferenceOutput, Networks, infer
from hocket.offline.progress import Progress, ProgressCallback
from hocket.timing import Stopwatch
from tests.helpers.geometry import SHIPPED
from tests.helpers.settings import resolved


@cache
def weights_of(samples: int) -> NDArray[np.float64]:
    """A weight for every sample, no two alike."""
    return np.sin(np.arange(1, 1 + samples, dtype=np.float64))


def nothing() -> None:
    """Called before a graph runs, by default."""


@dataclass(eq=False)
class RuleSegmentation:
    """The power-set class of a frame is its middle sample, rounded; 0 up to 0.5.

    Log-probabilities change a little with every sample of the window and with the frame's position.

    before: called before each call.
    calls: number of windows of each call.
    """

    geometry: Geometry
    before: Callable[[], None] = nothing
    calls: list[int] = field(default_factory=list)
    spec: GraphSpec = SPECS["segmentation"]

    @property
    def metadata(self) -> Mapping[str, str]:
        return {name: str(value) for name, value in asdict(self.geometry).items()}

    def run(self, inputs: Tensors) -> dict[str, NDArray[np.float32]]:
        self.before()
        self.spec.check_inputs(inputs)
        windows = inputs["waveform"][:, 0]
        self.calls.append(len(windows))
        return {"log_probs": np.stack([self._log_probs(window) for window in windows])}

    def _log_probs(self, window: Waveform) -> NDArray[np.float32]:
        frames = np.arange(self.geometry.window_frames)
        middles = window[self.geometry.receptive_field // 2 + frames * self.geometry.frame_step]
        trace = float(window.astype(np.float64) @ weights_of(len(window)))
        classes = np.clip(np.rint(middles), 0, 6).astype(int)
        scores = 0.05 * np.cos(trace + 0.1 * frames[:, None] * np.arange(7))
        scores[frames, classes] += 4
        total = np.log(np.exp(scores).sum(axis=1, keepdims=True))
        return (scores - total).astype(np.float32)


@dataclass(eq=False)
class RuleEmbedding:
    """Four means under each mask: of the sound, its squares, and weighted by position.

    before: called before each call.
    gate_samples: length of a context gate, if the network keeps the sounds of one input apart;
        masks then have a frame per sample.
    lengths: number of samples of each call.
    """

    frame_step: int
    least: int = 1
    gate_samples: int | None = None
    before: Callable[[], None] = nothing
    lengths: list[int] = field(default_factory=list)
    spec: GraphSpec = SPECS["embedding"]

    @property
    def metadata(self) -> Mapping[str, str]:
        facts = {"dimension": "4", "least_samples": str(self.least)}
        if self.gate_samples:
            facts |= {"sound_step": str(self.gate_samples), "mask_step": "1"}
        return facts

    def run(self, inputs: Tensors) -> dict[str, NDArray[np.float32]]:
        self.before()
        self.spec.check_inputs(inputs, {"samples": self.least})
        (sound,), masks = inputs["waveform"][0], inputs["masks"][0]
        self.lengths.append(len(sound))
        step = 1 if self.gate_samples else self.frame_step
        seen = np.repeat(masks, step, axis=1)[:, : len(sound)].astype(np.float64)
        positions = np.cumsum(seen, axis=1)
        total = seen.sum(axis=1)
        columns = [seen @ sound, seen @ sound**2, (seen * np.sin(positions)) @ sound, total]
        found = np.stack(columns, axis=1) / np.maximum(total, 1)[:, None]  # zero under no mask
        return {"embeddings": found[None].astype(np.float32)}


@dataclass(eq=False)
class RuleInference:
    """Both rule networks, and what `infer` needs besides."""

    geometry: Geometry
    config: ResolvedConfig
    runtime: Runtime
    segmentation: RuleSegmentation
    embedding: RuleEmbedding

    @property
    def networks(self) -> Networks:
        subsegments = self.config.subsegments
        embedder = Embedder(self.embedding, self.geometry, subsegments)
        return Networks(self.segmentation, self.geometry, self.config.windows.batch, embedder)

    def infer(
        self,
        stream: AudioStream,
        watch: Stopwatch | None = None,
        progress: ProgressCallback | None = None,
        cancel: Event | None = None,
    ) -> InferenceOutput:
        return infer(
            stream,
            self.networks,
            self.config,
            self.runtime,
            watch or Stopwatch(),
            Progress(stream.samples, progress),
            cancel,
        )


def rule_inference(
    geometry: Geometry = SHIPPED,
    *,
    config: Config | None = None,
    threads: int = 1,
    before: Callable[[], None] = nothing,
    gate_samples: int | None = None,
) -> RuleInference:
    """Inference with the rule networks."""
    return RuleInference(
        geometry,
        resolved(config),
        Runtime(threads=threads),
        RuleSegmentation(geometry, before),
        RuleEmbedding(geometry.frame_step, before=before, gate_samples=gate_samples),
    )


def sound_of(classes: Iterable[tuple[int, int]], seed: int = 0) -> Waveform:
    """A recording that the rule segments as these classes, each for so many samples."""
    parts = [np.full(length, number, np.float32) for number, length in classes]
    sound = np.concatenate([np.zeros(0, np.float32), *parts])
    rng = np.random.default_rng(seed)
    return sound + rng.uniform(-0.3, 0.3, len(sound)).astype(np.float32)


def stream_in(sound: Waveform, lengths: Iterable[int], announced: int | None = None) -> AudioStream:
    """A recording in blocks of these lengths, the rest in one; no block outlives the next."""

    def blocks() -> Iterator[Waveform]:
        done = 0
        for length in [*lengths, len(sound)]:
            yield sound[done : done + length].copy()
            done += length

    return AudioStream("sound", announced, blocks())


def delays(seed: int) -> Callable[[], None]:
    """Wait some milliseconds now and then, so that calls finish out of order."""
    rng = np.random.default_rng(seed)
    return lambda: time.sleep(float(rng.choice([0, 0, 0.001, 0.004])))
