"""`bench channels`: drawn channels, and the model learned from voices over them."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from bench.accuracy import channels
from bench.accuracy.channels import (
    CODECS,
    Passage,
    Passages,
    channel_rng,
    cosines,
    estimate,
    measure_channels,
    over_drawn_channel,
)
from bench.errors import BenchError
from bench.people.voices import find_voices
from bench.tests.helpers import run
from bench.tests.speech import RATE, speech, write_cast
from hocket.embedding.bands import band_levels
from hocket.embedding.channels import ChannelModel, compensate, membership

DIMENSION, VOICES = 24, 40
LEVELS = {
    "full": (0.0, -10.0, -15.0),
    "medium": (0.0, -20.0, -65.0),
    "narrow": (0.0, -60.0, -65.0),
    "telephone": (-30.0, -60.0, -65.0),
}
NAMES = list(LEVELS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_cast(tmp_path_factory.mktemp("voices"))


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def synthetic(number: int = VOICES) -> tuple[Passages, np.ndarray]:
    """Voices over all channels, and the (3, dimension) vectors that channels add."""
    rng = np.random.default_rng(3)
    added = 0.8 * unit(rng.normal(size=(3, DIMENSION)))
    voices = {f"v{n:03d}": unit(rng.normal(size=DIMENSION)) for n in range(number)}
    drawn, full = [], {}
    for name, voice in voices.items():
        said = voice + 0.05 * rng.normal(size=(20, DIMENSION))
        full[name] = unit(said).mean(axis=0)
        for place, levels in enumerate(LEVELS.values()):
            over = said + (added[place - 1] if place else 0)
            drawn.append(Passage(name, np.array(levels, np.float32), unit(over)))
    return Passages(full, drawn), added


def test_what_channels_add_is_learned_and_holds_for_other_voices() -> None:
    passages, added = synthetic()
    names = sorted(passages.full)
    model = estimate(passages.of(names[: VOICES // 2]))
    assert (np.einsum("ij,ij->i", unit(model.offsets), unit(added)) > 0.9).all()
    before, after = np.array(cosines(model, passages.of(names[VOICES // 2 :]))).T
    assert len(before) == 3 * VOICES // 2  # full band is not among them
    assert before.mean() < 0.85
    assert after.mean() > 0.93
    assert (after > before).all()


def test_the_map_restores_what_offsets_cannot() -> None:
    """Channels that weaken one direction of voices."""
    passages, _ = synthetic(200)
    drawn = []
    for each in passages.drawn:
        weak = each.vectors.copy()
        if each.weights[0] < 1:
            weak[:, :6] *= 0.3
        drawn.append(each._replace(vectors=unit(weak)))
    weakened = passages._replace(drawn=drawn)
    names = sorted(passages.full)
    held = weakened.of(names[1::2])
    model = estimate(weakened.of(names[::2]))
    without = ChannelModel(model.offsets, model.centre, 0 * model.left, 0 * model.right)
    assert model.left.shape == (DIMENSION, 16)
    gained = np.array(cosines(model, held)) - np.array(cosines(without, held))
    assert gained[:, 1].mean() > 0.01


def test_full_band_is_not_changed() -> None:
    passages, _ = synthetic()
    model = estimate(passages)
    for each in passages.drawn:
        vectors = each.vectors.astype(np.float32)
        weights = membership(np.repeat(each.levels[None], len(vectors), 0))
        freed = compensate(vectors, weights, model)
        assert (freed is vectors) == (each.levels.tolist() == list(LEVELS["full"]))


def test_a_channel_is_the_same_again_and_another_by_draw_seed_and_voice() -> None:
    sound = speech(3.0, 5)
    first, again = (over_drawn_channel(sound, channel_rng("a", 1, 0)) for _ in range(2))
    assert first.tobytes() == again.tobytes()
    for name, seed, draw in (("b", 1, 0), ("a", 2, 0), ("a", 1, 1)):
        assert over_drawn_channel(sound, channel_rng(name, seed, draw)).tobytes() != first.tobytes()


def test_all_classes_of_channels_are_drawn_and_keep_the_length(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sound = speech(1.0, 6)
    codecs, usual = Counter[str](), channels._encoded

    def counted(sound: np.ndarray, codec: str, rng: np.random.Generator) -> np.ndarray:
        codecs[codec] += 1
        return usual(sound, codec, rng)

    monkeypatch.setattr(channels, "_encoded", counted)
    classes = Counter[str]()
    for draw in range(60):
        found = over_drawn_channel(sound, channel_rng("a", 4, draw))
        assert found.shape == sound.shape
        assert found.dtype == np.float32
        assert np.isfinite(found).all()
        (weights,) = membership(band_levels(found, RATE)[None])
        classes[NAMES[int(weights.argmax())]] += 1
    assert set(codecs) == set(CODECS)
    assert set(classes) == set(LEVELS)
    assert min(classes.values()) >= 2


def rule(sound: np.ndarray) -> np.ndarray:
    """Vectors of half seconds, by their spectrum."""
    pieces = sound[: len(sound) // 8000 * 8000].reshape(-1, 8000)
    spectra = np.abs(np.fft.rfft(pieces, axis=1))[:, 1:4001].reshape(len(pieces), -1, 100)
    return np.log(1e-3 + spectra.mean(axis=2)).astype(np.float32)


def test_the_command_learns_from_the_voices(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channels, "hocket_embed", lambda: rule)
    written = []
    for options in ([], [], ["--half", "tune"]):
        output = tmp_path / f"{len(written)}.npz"
        result = run("channels", folder, "--draws", "1", "--output", output, *options)
        assert result.exit_code == 0, result.output
        summary = dict(line.split(" ", 1) for line in result.output.splitlines() if ":" not in line)
        assert float(summary["cosine_after"]) > float(summary["cosine_before"])
        assert 0 < int(summary["held_back"]) <= int(summary["passages"]) <= int(summary["voices"])
        written.append(output.read_bytes())
        assert ChannelModel.from_bytes(written[-1]).left.shape == (40, 16)
    assert written[0] == written[1] != written[2]


def test_too_few_voices_are_one_line(folder: Path, tmp_path: Path) -> None:
    (name, files), *_ = find_voices(folder).items()
    with pytest.raises(BenchError, match="1 of 1 voices can be embedded; give 2 or more"):
        measure_channels({name: files}, 7, 1, lambda text: None, rule)
    with pytest.raises(BenchError, match="0 of 1 voices can be embedded"):
        measure_channels({name: files}, 7, 1, lambda text: None, lambda sound: rule(sound)[:2])
    result = run("channels", folder, "--half", "best", "--output", tmp_path / "a.npz")
    assert result.exit_code == 1
    assert result.output.startswith("Error: best: no such half; choose one of tune, held")
