"""What channels add to embeddings: known voices over drawn channels, and a least-squares fit."""

import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, sosfilt

from bench.errors import BenchError
from bench.people.voices import RATE, Clips, Sound, read_clip
from bench.report import Progress
from bench.simulation.bands import TELEPHONE_RATE, resampled
from bench.simulation.codecs import AMR, AMR_BIT_RATES, MP3, OPUS, through_codec, through_file
from hocket.embedding.bands import band_levels
from hocket.embedding.channels import ChannelModel, compensate, membership

NO_LOW_CUT, LOW_CUT_HZ = 0.35, (60.0, 330.0)
NO_HIGH_CUT, HIGH_CUT_HZ = 0.25, (3000.0, 7500.0)
ORDERS = (2, 7)  # of the Butterworth filters
TILTED, TILT_HZ, TILT = 0.3, (500.0, 3000.0), (-0.5, 1.5)  # gain of an added first-order low-pass
CODECS = {"none": 0.35, "g711": 0.2, "gsm": 0.1, "amr": 0.15, "opus": 0.15, "mp3": 0.05}
ONLY_RATE = 0.2  # share of sounds without a codec that are resampled to 8 kHz and back
OPUS_BIT_RATES = (6_000, 8_000, 10_000, 12_000, 16_000)
MP3_BIT_RATE = 32_000
PEAK = 0.7  # of the input of encoders

RANK, RIDGE = 16, 60.0
OFFSET_RIDGE = 1e-3
LEAST_SUBSEGMENTS = 3
NARROWED = 0.5  # weight of full band from which a passage is not mapped and not checked

Vectors = NDArray[np.float64]
Embed = Callable[[Sound], NDArray[np.float32]]


class Passage(NamedTuple):
    """A voice over a channel.

    voice: its name.
    levels: (3,) band levels in dB of the whole passage.
    vectors: (subsegments, dimension), unit length.
    """

    voice: str
    levels: NDArray[np.float32]
    vectors: Vectors

    @property
    def weights(self) -> Vectors:
        """Weights of full, medium and narrow band and telephone, (4,)."""
        (found,) = membership(self.levels[None])
        return np.asarray(found)


class Passages(NamedTuple):
    """Mean vectors of voices in full band, (dimension,), and passages over drawn channels."""

    full: Mapping[str, Vectors]
    drawn: Sequence[Passage]

    def of(self, voices: Sequence[str]) -> "Passages":
        """The passages of some voices."""
        full = {name: self.full[name] for name in voices}
        return Passages(full, [each for each in self.drawn if each.voice in full])


def measure_channels(
    clips: Clips,
    seed: int,
    draws: int,
    progress: Progress,
    embed: Embed | None = None,
) -> tuple[ChannelModel, dict[str, Any]]:
    """What channels add to embeddings of voices, and how well that holds for other voices.

    Args:
        clips: files of every voice, of which the first is used.
        seed: seed of the channels.
        draws: channels drawn for every voice.
        progress: receives every voice.
        embed: returns the vectors of the trusted subsegments of a sound, (subsegments, dimension);
            None: hocket.

    Raises:
        BenchError: a clip cannot be read, or there are too few voices.
    """
    passages = passages_of(clips, seed, draws, progress, embed or hocket_embed())
    voices = sorted(passages.full)
    halves = voices[::2], voices[1::2]
    if not halves[1]:
        raise BenchError(f"{len(voices)} of {len(clips)} voices can be embedded; give 2 or more")
    checked = [
        *cosines(estimate(passages.of(halves[0])), passages.of(halves[1])),
        *cosines(estimate(passages.of(halves[1])), passages.of(halves[0])),
    ]
    before, after = np.mean(checked, axis=0).tolist() if checked else (None, None)
    return estimate(passages), {
        "voices": len(voices),
        "draws": draws,
        "seed": seed,
        "passages": len(passages.drawn),
        "held_back": len(checked),
        "cosine_before": before,
        "cosine_after": after,
    }


def passages_of(clips: Clips, seed: int, draws: int, progress: Progress, embed: Embed) -> Passages:
    """The first clip of every voice, in full band and over `draws` channels."""
    full: dict[str, Vectors] = {}
    drawn: list[Passage] = []
    for name, files in sorted(clips.items()):
        clip = read_clip(files[0])
        vectors = _unit_length(embed(clip))
        if len(vectors) < LEAST_SUBSEGMENTS:
            progress(f"{name}: skipped, has {len(vectors)} subsegments")
            continue
        full[name] = vectors.mean(axis=0)
        for draw in range(draws):
            sound = over_drawn_channel(clip, channel_rng(name, seed, draw))
            vectors = _unit_length(embed(sound))
            if len(vectors) >= LEAST_SUBSEGMENTS:
                drawn.append(Passage(name, band_levels(sound, RATE), vectors))
        progress(f"{name}: {len(full)} of {len(clips)} voices")
    return Passages(full, drawn)


def channel_rng(name: str, seed: int, draw: int) -> np.random.Generator:
    """A generator for a channel of a voice, independent of other voices."""
    return np.random.default_rng([seed, draw, zlib.crc32(name.encode())])


def over_drawn_channel(sound: Sound, rng: np.random.Generator) -> Sound:
    """Apply a drawn low and high cut, tilt and codec to a sound, (samples,) at 16 kHz."""
    low = 0.0 if rng.random() < NO_LOW_CUT else rng.uniform(*LOW_CUT_HZ)
    high = 0.0 if rng.random() < NO_HIGH_CUT else rng.uniform(*HIGH_CUT_HZ)
    codec = str(rng.choice(list(CODECS), p=list(CODECS.values())))
    order = int(rng.integers(*ORDERS, endpoint=True))
    if low:
        sound = _filtered(sound, order, low, "high")
    if high:
        sound = _filtered(sound, order, high, "low")
    if rng.random() < TILTED:
        lows = _filtered(sound, 1, rng.uniform(*TILT_HZ), "low")
        sound = sound + np.float32(rng.uniform(*TILT)) * lows
    return np.ascontiguousarray(_encoded(sound, codec, rng), np.float32)


def estimate(passages: Passages, ridge: float = RIDGE, rank: int = RANK) -> ChannelModel:
    """What the channels of passages add to voices, by least squares.

    Offsets are the differences between the mean vector of a voice over a channel and its mean in
    full band. The map takes single subsegments, without the offsets, to that mean. The `rank`
    directions that change the subsegments most are kept.
    """
    centre = np.mean(list(passages.full.values()), axis=0)
    means = np.array([each.vectors.mean(axis=0) for each in passages.drawn])
    own = np.array([passages.full[each.voice] for each in passages.drawn])
    shares = np.array([each.weights[1:] for each in passages.drawn])
    penalty = OFFSET_RIDGE * np.eye(shares.shape[1])
    offsets = np.linalg.solve(shares.T @ shares + penalty, shares.T @ (means - own))
    found, wanted = [np.zeros((0, len(centre)))], [np.zeros((0, len(centre)))]
    for each in passages.drawn:
        if each.weights[0] <= NARROWED:
            found.append(each.vectors - each.weights[1:] @ offsets - centre)
            wanted.append(np.repeat((passages.full[each.voice] - centre)[None], len(found[-1]), 0))
    inputs, targets = np.concatenate(found), np.concatenate(wanted)
    correction = np.linalg.solve(
        inputs.T @ inputs + ridge * np.eye(len(centre)), inputs.T @ (targets - inputs)
    )
    _, _, directions = np.linalg.svd(inputs @ correction, full_matrices=False)
    kept = directions[:rank]
    arrays = (offsets, centre, correction @ kept.T, kept)
    return ChannelModel(*(np.ascontiguousarray(array, np.float32) for array in arrays))


def cosines(model: ChannelModel, passages: Passages) -> list[tuple[float, float]]:
    """Cosines of voices over channels that lack a band to the same voices in full band.

    Returns:
        For each passage the cosine before and after compensation.
    """
    found = []
    for each in passages.drawn:
        if each.weights[0] < NARROWED:
            vectors = each.vectors.astype(np.float32)
            weights = np.repeat(each.weights[None], len(vectors), 0)
            after = compensate(vectors, weights, model)
            own = passages.full[each.voice]
            found.append((_cosine(vectors.mean(axis=0), own), _cosine(after.mean(axis=0), own)))
    return found


def hocket_embed() -> Embed:
    """Embed with hocket, in float32 so that the processor does not matter.

    Only subsegments that are trusted to create a speaker are returned.
    """
    # imported here: graphs import their runtimes
    from hocket.config import Config, GraphConfig
    from hocket.offline.diarizer import Diarizer

    diarizer = Diarizer(Config(graphs=GraphConfig(precision="float32")))
    config = diarizer.config.clustering

    def embed(sound: Sound) -> NDArray[np.float32]:
        artifacts = diarizer.infer(sound)
        subsegments, alone = artifacts.subsegments, artifacts.segmentation.occupancy[:, 1]
        least = artifacts.geometry.frames_of(config.min_trusted_s)
        bounds = zip(subsegments.first.tolist(), subsegments.last.tolist(), strict=True)
        trusted = [
            last - first >= least and alone[first:last].mean() >= config.min_trusted_probability
            for first, last in bounds
        ]
        return artifacts.embeddings[np.array(trusted, np.bool_)]

    return embed


def _encoded(sound: Sound, codec: str, rng: np.random.Generator) -> Sound:
    if codec == "none":
        if rng.random() >= ONLY_RATE:
            return sound
        return resampled(resampled(sound, RATE, TELEPHONE_RATE), TELEPHONE_RATE, RATE)
    given = sound * np.float32(PEAK / max(float(np.abs(sound).max(initial=0.0)), 1e-9))
    if codec == "g711":
        return through_file(given, "ULAW" if rng.random() < 0.5 else "ALAW")
    if codec == "gsm":
        return through_file(given, "GSM610")
    if codec == "amr":
        return through_codec(given, AMR, int(rng.choice(AMR_BIT_RATES)))
    if codec == "opus":
        return through_codec(given, OPUS, int(rng.choice(OPUS_BIT_RATES)))
    return through_codec(given, MP3, MP3_BIT_RATE)


def _filtered(sound: Sound, order: int, hertz: float, kind: Literal["low", "high"]) -> Sound:
    sections = butter(order, hertz, kind, fs=RATE, output="sos")
    return np.asarray(sosfilt(sections, sound), np.float32)


def _unit_length(vectors: NDArray[np.float32]) -> Vectors:
    """Vectors of unit length in float64; those without a direction are dropped."""
    lengths = np.linalg.norm(vectors.astype(np.float64), axis=1)
    usable = np.isfinite(lengths) & (lengths > 0)
    found: Vectors = vectors[usable] / lengths[usable, None]
    return found


def _cosine(one: NDArray[np.floating], other: NDArray[np.floating]) -> float:
    return float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))
