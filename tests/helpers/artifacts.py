"""Artifacts of a synthetic recording, made without a network."""

from dataclasses import replace

import numpy as np

from hocket.config import Config
from hocket.embedding.subsegments import plan_subsegments
from hocket.offline.artifacts import Artifacts
from hocket.segmentation.aggregation import Segmentation
from hocket.segmentation.regions import RegionFinder, count_speakers
from tests.helpers.geometry import SHIPPED

DIMENSION = 8

Speech = list[tuple[float, float]]
"""Seconds from which and to which a single speaker speaks."""

DIALOGUE: Speech = [(1.0, 4.0), (4.5, 9.0), (9.5, 10.3), (11.0, 18.0), (18.5, 24.0)]


def artifacts_of(speech: Speech) -> Artifacts:
    """A recording of 25 s in which one slot speaks in all windows; embeddings are zero."""
    starts = np.arange(0, 900, 147, dtype=np.int64)
    spoken = np.zeros(int(starts[-1]) + SHIPPED.window_frames, np.float32)
    for first_s, last_s in speech:
        spoken[SHIPPED.frames_of(first_s) : SHIPPED.frames_of(last_s)] = 1
    windows = [spoken[first : first + SHIPPED.window_frames] for first in starts]
    activity = np.stack(windows)[..., None] * np.array([1, 0, 0])
    occupancy = np.stack([1 - spoken, spoken, 0 * spoken], axis=1)
    config = Config()
    counts = count_speakers(occupancy, config.regions)
    finder = RegionFinder(config.regions, SHIPPED.frames_of(config.regions.longest_s))
    regions = np.concatenate([finder.feed(counts, np.zeros(len(counts))), finder.close()])
    subsegments = plan_subsegments(regions, SHIPPED, config.subsegments)
    return Artifacts(
        uri="talk",
        samples=25 * 16_000,
        geometry=SHIPPED,
        segmentation=Segmentation(starts, activity.astype(np.float16), occupancy),
        regions=regions,
        subsegments=subsegments,
        embeddings=np.zeros((len(subsegments.region), DIMENSION), np.float32),
        seconds={"segmentation": 1.0},
    )


def with_voices(*voices: int) -> Artifacts:
    """The dialogue, each of its regions spoken by the voice of that number."""
    artifacts = artifacts_of(DIALOGUE)
    noise = np.random.default_rng(1).normal(size=artifacts.embeddings.shape) * 0.05
    vectors = np.eye(DIMENSION)[np.array(voices)[artifacts.subsegments.region]] + noise
    return replace(artifacts, embeddings=vectors.astype(np.float32))


def with_embeddings(value: float, share: float = 1.0) -> Artifacts:
    """The dialogue of three voices, with a share of the embeddings set to one value."""
    artifacts = with_voices(0, 1, 0, 1, 2)
    embeddings = artifacts.embeddings.copy()
    embeddings[: round(share * len(embeddings))] = value
    return replace(artifacts, embeddings=embeddings)
