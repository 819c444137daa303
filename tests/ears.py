"""Graphs that hear by rule: quick, of any geometry, and never content with another's samples."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import cache

import numpy as np
from numpy.typing import NDArray

from hocket.arrays import Waveform
from hocket.audio.reading import AudioStream
from hocket.config import Config, Runtime
from hocket.geometry import Geometry
from hocket.graph import SPECS, GraphSpec, Tensors
from hocket.offline.inference import Ears

SHIPPED = Geometry(16_000, 160_000, 270, 991, 589, 3)


@cache
def weights_of(samples: int) -> NDArray[np.float64]:
    """A weight for every place, none like another."""
    return np.sin(np.arange(1, 1 + samples, dtype=np.float64))


def nothing() -> None:
    """Before a call of a graph."""


@dataclass(eq=False)
class RuleSegmentation:
    """Hears of each frame the power-set class that its middle sample names, none from 0.5 down.

    What it says changes a little with every sample of the window and with the frame's place in it.

    before: called before it looks at what it is given.
    calls: windows per call.
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
        return {"log_probs": np.stack([self._said(window) for window in windows])}

    def _said(self, window: Waveform) -> NDArray[np.float32]:
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
    """Means of what the masks show: of the sound, of its squares, and of it where it lies when.

    before: called before it looks at what it is given.
    sound_step: if it can tell sounds apart, what they lie on; masks then have a frame per sample.
    lengths: samples per call.
    """

    frame_step: int
    least: int = 1
    sound_step: int | None = None
    before: Callable[[], None] = nothing
    lengths: list[int] = field(default_factory=list)
    spec: GraphSpec = SPECS["embedding"]

    @property
    def metadata(self) -> Mapping[str, str]:
        facts = {"dimension": "4", "least_samples": str(self.least)}
        if self.sound_step:
            facts |= {"sound_step": str(self.sound_step), "mask_step": "1"}
        return facts

    def run(self, inputs: Tensors) -> dict[str, NDArray[np.float32]]:
        self.before()
        self.spec.check_inputs(inputs, {"samples": self.least})
        (sound,), masks = inputs["waveform"][0], inputs["masks"][0]
        self.lengths.append(len(sound))
        step = 1 if self.sound_step else self.frame_step
        seen = np.repeat(masks, step, axis=1)[:, : len(sound)].astype(np.float64)
        places = np.cumsum(seen, axis=1)
        total = seen.sum(axis=1)
        columns = [seen @ sound, seen @ sound**2, (seen * np.sin(places)) @ sound, total]
        found = np.stack(columns, axis=1) / np.maximum(total, 1)[:, None]  # nothing under no mask
        return {"embeddings": found[None].astype(np.float32)}


def ears_of(
    geometry: Geometry = SHIPPED,
    *,
    config: Config | None = None,
    threads: int = 1,
    crop_s: float = 2.0,
    before: Callable[[], None] = nothing,
    sound_step: int | None = None,
) -> Ears:
    """Ears of graphs by rule."""
    config = config or Config()
    return Ears(
        RuleSegmentation(geometry, before),
        RuleEmbedding(geometry.frame_step, before=before, sound_step=sound_step),
        config.windows.batch,
        crop_s,
        config,
        Runtime(threads=threads),
    )


def sound_of(classes: Iterable[tuple[int, int]], seed: int = 0) -> Waveform:
    """A recording that is to be heard as these classes, each for so many samples."""
    parts = [np.full(length, number, np.float32) for number, length in classes]
    sound = np.concatenate([np.zeros(0, np.float32), *parts])
    rng = np.random.default_rng(seed)
    return sound + rng.uniform(-0.3, 0.3, len(sound)).astype(np.float32)


def stream_in(sound: Waveform, lengths: Iterable[int], announced: int | None = None) -> AudioStream:
    """A recording in blocks of these lengths and one of the rest, each gone when the next comes."""

    def blocks() -> Iterator[Waveform]:
        done = 0
        for length in [*lengths, len(sound)]:
            yield sound[done : done + length].copy()
            done += length

    return AudioStream("sound", announced, blocks())


def dawdling(seed: int) -> Callable[[], None]:
    """Now and then waits some milliseconds, so that who asked last may be answered first."""
    rng = np.random.default_rng(seed)
    return lambda: time.sleep(float(rng.choice([0, 0, 0.001, 0.004])))
