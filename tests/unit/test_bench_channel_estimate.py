"""`bench channels`: drawn channels, and what is learnt from voices over them."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from bench import channel_estimate
from bench.__main__ import main
from bench.channel_estimate import (
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
from bench.people_voices import find_voices
from hocket.embedding.bands import band_levels
from hocket.embedding.channels import ChannelModel, free, membership
from tests.speech import RATE, speech, write_cast

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


def made_up(voices_of_it: int = VOICES) -> tuple[Passages, np.ndarray]:
    """Voices over all channels, and the (3, dimension) vectors that channels add."""
    rng = np.random.default_rng(3)
    added = 0.8 * unit(rng.normal(size=(3, DIMENSION)))
    voices = {f"v{n:03d}": unit(rng.normal(size=DIMENSION)) for n in range(voices_of_it)}
    drawn, full = [], {}
    for name, voice in voices.items():
        said = voice + 0.05 * rng.normal(size=(20, DIMENSION))
        full[name] = unit(said).mean(axis=0)
        for number, levels in enumerate(LEVELS.values()):
            over = said + (added[number - 1] if number else 0)
            drawn.append(Passage(name, np.array(levels, np.float32), unit(over)))
    return Passages(full, drawn), added


def test_what_channels_add_is_found_and_taken_from_voices_nobody_learnt_from() -> None:
    passages, added = made_up()
    names = sorted(passages.full)
    model = estimate(passages.of(names[: VOICES // 2]))
    assert (np.einsum("ij,ij->i", unit(model.offsets), unit(added)) > 0.9).all()
    before, after = np.array(cosines(model, passages.of(names[VOICES // 2 :]))).T
    assert len(before) == 3 * VOICES // 2  # full band is not among them
    assert before.mean() < 0.85
    assert after.mean() > 0.93
    assert (after > before).all()


def test_the_map_takes_what_offsets_leave() -> None:
    """Channels that weaken one direction of voices, which no offset brings back."""
    passages, _ = made_up(300)
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
    assert gained[:, 1].mean() > 0.02


def test_an_estimate_takes_full_band_for_the_measure() -> None:
    passages, _ = made_up()
    model = estimate(passages)
    for each in passages.drawn:
        vectors = each.vectors.astype(np.float32)
        freed = free(vectors, membership(np.repeat(each.levels[None], len(vectors), 0)), model)
        assert (freed is vectors) == (each.levels.tolist() == list(LEVELS["full"]))


def test_a_channel_is_the_same_again_and_another_by_draw_seed_and_voice() -> None:
    sound = speech(3.0, 5)
    first, again = (over_drawn_channel(sound, channel_rng("a", 1, 0)) for _ in range(2))
    assert first.tobytes() == again.tobytes()
    for name, seed, draw in (("b", 1, 0), ("a", 2, 0), ("a", 1, 1)):
        assert over_drawn_channel(sound, channel_rng(name, seed, draw)).tobytes() != first.tobytes()


def test_channels_of_all_classes_are_drawn_and_none_changes_the_length(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sound = speech(1.5, 6)
    codecs, usual = Counter[str](), channel_estimate._encoded

    def counted(sound: np.ndarray, codec: str, rng: np.random.Generator) -> np.ndarray:
        codecs[codec] += 1
        return usual(sound, codec, rng)

    monkeypatch.setattr(channel_estimate, "_encoded", counted)
    classes = Counter[str]()
    for draw in range(100):
        found = over_drawn_channel(sound, channel_rng("a", 4, draw))
        assert found.shape == sound.shape
        assert found.dtype == np.float32
        assert np.isfinite(found).all()
        (weights,) = membership(band_levels(found, RATE)[None])
        classes[NAMES[int(weights.argmax())]] += 1
    assert set(codecs) == set(CODECS)
    assert set(classes) == set(LEVELS)
    assert min(classes.values()) >= 3


def rule(sound: np.ndarray) -> np.ndarray:
    """Vectors of half seconds, by their spectrum."""
    pieces = sound[: len(sound) // 8000 * 8000].reshape(-1, 8000)
    spectra = np.abs(np.fft.rfft(pieces, axis=1))[:, 1:4001].reshape(len(pieces), -1, 100)
    return np.log(1e-3 + spectra.mean(axis=2)).astype(np.float32)


def test_every_other_voice_is_held_back_in_turn(folder: Path) -> None:
    said: list[str] = []
    model, told = measure_channels(find_voices(folder), 7, 2, said.append, rule)
    assert len(said) == 9
    assert (told["voices"], told["draws"], told["seed"], told["passages"]) == (9, 2, 7, 18)
    assert 0 < told["held_back"] <= 18
    assert told["cosine_after"] > told["cosine_before"]
    assert model.offsets.shape == (3, 40)


def test_the_command_writes_a_model_of_the_voices(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channel_estimate, "hocket_units", lambda: rule)
    written = []
    for options in ([], [], ["--seed", "5"], ["--half", "tune"]):
        output = tmp_path / f"{len(written)}.npz"
        command = ["channels", str(folder), "--draws", "2", "--output", str(output), *options]
        result = CliRunner().invoke(main, command)
        assert result.exit_code == 0, result.output
        assert "cosine_after" in result.output
        written.append(output.read_bytes())
        assert ChannelModel.from_bytes(written[-1]).left.shape == (40, 16)
    assert written[0] == written[1]
    assert len(set(written)) == 3


def test_too_few_voices_are_one_line(folder: Path, tmp_path: Path) -> None:
    (name, files), *_ = find_voices(folder).items()
    with pytest.raises(BenchError, match="1 of 1 voices can be embedded; give 2 or more"):
        measure_channels({name: files}, 7, 1, lambda text: None, rule)
    with pytest.raises(BenchError, match="0 of 1 voices can be embedded"):
        measure_channels({name: files}, 7, 1, lambda text: None, lambda sound: rule(sound)[:2])
    command = ["channels", str(folder), "--half", "best", "--output", str(tmp_path / "a.npz")]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 1
    assert result.output.startswith("Error: best: no such half; choose one of tune, held")
