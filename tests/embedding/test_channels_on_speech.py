"""Telephone voices come nearer to themselves and not to others; full band stays as it is."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from bench.annotations import read_rttm
from bench.simulation.bands import in_telephone_band
from bench.simulation.codecs import through_file
from hocket import Config, Diarizer, SpeakerStore, Stream, models
from hocket.arrays import Subsegments, unit_length
from hocket.config import GraphConfig
from hocket.embedding.bands import band_levels
from hocket.embedding.channels import compensate_subsegments, membership, weights_of
from hocket.errors import ModelError
from hocket.formats import FORMATS
from hocket.offline.artifacts import Artifacts
from hocket.online.tracker import WindowResult
from hocket.speakers.enroll import Enrollment, extract_voice
from tests.helpers.documents import document
from tests.helpers.panel import ANNA_S, BEN_S
from tests.helpers.paths import CLIPS, CONVERSATION
from tests.helpers.shared import RATE, artifacts_of, diarizer_of, samples_of

PANEL = CLIPS / "panel03.flac"
FULL_BAND = sorted(CLIPS.glob("*.flac"))
ANNA, BEN = "1992", "4898"
WINDOW_S, NEW_S = 7.5, 1.8

Sound = NDArray[np.float32]


def by_telephone(sound: Sound) -> Sound:
    """300 to 3400 Hz, G.711."""
    return np.ascontiguousarray(through_file(in_telephone_band(sound), "ULAW"))


def without_model(diarizer: Diarizer) -> Diarizer:
    """The same graphs without a model of channels."""
    other = Diarizer(diarizer.config, diarizer.runtime)
    other.segmentation_graph = diarizer.segmentation_graph
    other.embedding_graph = diarizer.embedding_graph
    other.channel_model = None
    return other


@pytest.fixture(scope="module")
def diarizer() -> Diarizer:
    return diarizer_of()


@pytest.fixture(scope="module")
def raw(diarizer: Diarizer) -> Diarizer:
    return without_model(diarizer)


# Recordings


@pytest.fixture(scope="module")
def called(diarizer: Diarizer) -> Artifacts:
    """The panel by telephone."""
    return diarizer.infer(by_telephone(samples_of(PANEL)))


@pytest.mark.parametrize("clip", FULL_BAND, ids=lambda path: path.stem)
def test_full_band_recordings_are_as_they_were_to_the_bit(
    diarizer: Diarizer, raw: Diarizer, clip: Path
) -> None:
    artifacts = artifacts_of(clip)
    assert artifacts.bands is not None
    assert (weights_of(artifacts.bands)[:, 0] == 1).all()
    found, before = (each.finish(artifacts) for each in (diarizer, raw))
    for name in FORMATS:
        assert document(found, name) == document(before, name)
    assert found.embeddings.tobytes() == before.embeddings.tobytes()


def test_artifacts_keep_the_networks_output_and_count_as_full_band_without_bands(
    diarizer: Diarizer, raw: Diarizer, called: Artifacts
) -> None:
    again = raw.infer(by_telephone(samples_of(PANEL)))
    assert called.embeddings.tobytes() == again.embeddings.tobytes()
    unknown = replace(called, bands=None)
    one, other = diarizer.finish(unknown), raw.finish(called)
    assert one.embeddings.tobytes() == other.embeddings.tobytes()
    assert one.turns == other.turns
    assert diarizer.finish(called).embeddings.tobytes() != one.embeddings.tobytes()


def cosines(one: Artifacts, other: Artifacts, diarizer: Diarizer) -> NDArray[np.float32]:
    """Cosines of Anna's and Ben's mean directions in two versions of the panel, (2, 2)."""
    turns = read_rttm(PANEL.with_suffix(".rttm"))
    means = []
    for artifacts in (one, other):
        subsegments, model = artifacts.subsegments, diarizer.channel_model
        middles = (subsegments.first + subsegments.last) / 2 * 270 / RATE
        vectors = compensate_subsegments(
            unit_length(artifacts.embeddings), artifacts.bands, model
        ).vectors
        for who in (ANNA, BEN):
            spoken = [(t.start < middles) & (middles < t.end) for t in turns if t.speaker == who]
            means.append(vectors[np.any(spoken, axis=0)].mean(axis=0))
    directions = unit_length(np.stack(means))
    return directions[:2] @ directions[2:].T


def test_a_voice_by_telephone_is_nearer_to_itself_in_full_band(
    diarizer: Diarizer, raw: Diarizer, called: Artifacts
) -> None:
    before, after = (cosines(artifacts_of(PANEL), called, each) for each in (raw, diarizer))
    assert (np.diag(after) > np.diag(before) + 0.05).all()


def test_two_voices_on_one_telephone_are_less_alike(
    diarizer: Diarizer, raw: Diarizer, called: Artifacts
) -> None:
    before, after = (cosines(called, called, each)[0, 1] for each in (raw, diarizer))
    assert after < before - 0.04


def test_a_real_call_is_narrow_band_and_its_voices_become_less_alike(
    diarizer: Diarizer, raw: Diarizer
) -> None:
    """It keeps its low frequencies, as most recordings at 8 kHz do."""
    artifacts = artifacts_of(CONVERSATION)
    assert artifacts.bands is not None
    weights = weights_of(artifacts.bands)
    assert (weights[:, 2] > 0.9).all()
    before, after = (each.finish(artifacts).embeddings for each in (raw, diarizer))
    assert len(before) == len(after) == 2
    assert after[0] @ after[1] < before[0] @ before[1] - 0.1


# Streams


def window_of(sound: Sound, diarizer: Diarizer) -> WindowResult:
    """The first window of a stream, of which only the last seconds are new."""
    stream = Stream(RATE, refinable=False)
    channel = stream._channels.one
    channel.networks = replace(channel.networks, channels=diarizer.channel_model)
    length = round(WINDOW_S * RATE) // 270 * 270
    channel._next, channel._processed = length, length - round(NEW_S * RATE)
    channel.add(sound[:length])
    (process,) = channel.due()
    return process(None)


@pytest.fixture(scope="module")
def panel_from() -> Sound:
    """The panel from where Ben speaks at the end of the window."""
    return samples_of(PANEL)[round(2.5 * RATE) :]


def test_subsegments_of_a_stream_are_compensated_before_they_are_tracked(
    diarizer: Diarizer, raw: Diarizer, panel_from: Sound
) -> None:
    called, full = by_telephone(panel_from), window_of(panel_from, raw).subsegments
    before, after = (window_of(called, each).subsegments for each in (raw, diarizer))
    assert len(before.vectors) == len(after.vectors) >= 1
    np.testing.assert_allclose(np.linalg.norm(after.vectors, axis=1), 1, atol=1e-5)
    nearer = [
        unit_length(subsegments.vectors.mean(axis=0)) @ unit_length(full.vectors.mean(axis=0))
        for subsegments in (before, after)
    ]
    assert nearer[1] > nearer[0] + 0.05


def test_levels_of_a_subsegment_are_its_own_and_those_of_its_window(
    diarizer: Diarizer, panel_from: Sound
) -> None:
    """Its own levels, pulled towards those of the window with the weight of one second."""
    stream = Stream(RATE, refinable=False)
    sound = by_telephone(panel_from)[: round(WINDOW_S * RATE)]
    sound[: 3 * RATE] = panel_from[: 3 * RATE]
    subsegments = Subsegments(np.array([0, 1]), np.array([30, 90]), np.array([100, 160]))
    bands = stream._channels.one.networks._bands(subsegments, sound, 250)
    assert bands is not None
    np.testing.assert_array_equal(bands.usual, band_levels(sound, RATE))
    np.testing.assert_allclose(bands.seconds, 70 * 270 / RATE)
    for index, first in enumerate((280, 340)):
        start, end = (360 + frame * 270 for frame in (first, first + 70))
        np.testing.assert_allclose(bands.levels[index], band_levels(sound[start:end], RATE), atol=2)
    assert (bands.levels[:, 1] < -44).all()
    assert bands.usual is not None
    assert bands.usual[1] > -30
    own, around = (np.clip(levels, (-40, -70, -70), 0) for levels in (bands.levels, bands.usual))
    expected = membership((own * 70 * 270 / RATE + around) / (70 * 270 / RATE + 1))
    np.testing.assert_allclose(weights_of(bands), expected, atol=1e-6)
    assert (
        stream._channels.one.networks._bands(Subsegments(*np.zeros((3, 0), np.int64)), sound, 250)
        is None
    )
    assert (
        replace(stream._channels.one.networks, channels=None)._bands(subsegments, sound, 250)
        is None
    )


@pytest.mark.parametrize("clip", FULL_BAND[:2], ids=lambda path: path.stem)
def test_full_band_streams_are_as_they_were(clip: Path) -> None:
    found = []
    for channels in (True, False):
        stream = Stream(RATE, refinable=False)
        if not channels:
            stream._channels.one.networks = replace(stream._channels.one.networks, channels=None)
        updates = [*stream.feed(samples_of(clip)[: 12 * RATE]), *stream.finish()]
        found.append((updates, stream.state.to_bytes()))
    assert found[0][0]
    assert found[0] == found[1]


# The store


def speech_of(crops: tuple[tuple[float, float], ...]) -> Sound:
    panel = samples_of(PANEL)
    return np.concatenate([panel[round(a * RATE) : round(b * RATE)] for a, b in crops])


@pytest.fixture(scope="module")
def voices(diarizer: Diarizer, raw: Diarizer) -> dict[tuple[str, str], Enrollment]:
    """Anna in full band and by telephone, with and without the model of channels."""
    anna = speech_of(ANNA_S)
    return {
        (band, model): extract_voice(sound, each, sample_rate=RATE)
        for band, sound in (("full", anna), ("telephone", by_telephone(anna)))
        for model, each in (("model", diarizer), ("none", raw))
    }


def test_exemplars_of_a_telephone_voice_are_compensated(
    voices: dict[tuple[str, str], Enrollment],
) -> None:
    full, before, after = (
        voices[key].embedding
        for key in (("full", "none"), ("telephone", "none"), ("telephone", "model"))
    )
    assert np.linalg.norm(after) == pytest.approx(1, abs=1e-5)
    assert full @ after > full @ before + 0.05


def test_full_band_exemplars_are_as_they_were_to_the_bit(
    voices: dict[tuple[str, str], Enrollment],
) -> None:
    found, before = (voices["full", model].exemplars for model in ("model", "none"))
    assert [e.embedding.tobytes() for e in found] == [e.embedding.tobytes() for e in before]


def test_enrolled_in_full_band_a_voice_is_nearer_by_telephone(
    voices: dict[tuple[str, str], Enrollment], tmp_path: Path
) -> None:
    distances = {}
    for model in ("model", "none"):
        full, called = voices["full", model], voices["telephone", model]
        with SpeakerStore(tmp_path / f"{model}.db") as store:
            store.enroll("Anna", full.exemplars, full.model)
            distances[model] = store.verify("Anna", called.embedding, called.model).distance
    assert distances["model"] < distances["none"] - 0.05


def test_the_embedder_itself_does_not_compensate(diarizer: Diarizer, raw: Diarizer) -> None:
    voice = by_telephone(speech_of(BEN_S))
    found, before = (each.embedder.embed_sound(voice) for each in (diarizer, raw))
    assert found.tobytes() == before.tobytes()


# The file


def test_the_model_of_channels_is_loaded_with_the_graphs_and_refused_if_altered(
    copied: Path,
) -> None:
    path = copied / "channels-campplus.npz"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    for embedding in ("campplus", "campplus-local"):
        chosen = Diarizer(Config(graphs=GraphConfig(embedding)))
        with pytest.raises(ModelError, match=r"channels-campplus\.npz: found sha256"):
            chosen.load()
    with pytest.raises(ModelError, match="found sha256"):
        Stream(RATE)
    path.unlink()
    with pytest.raises(ModelError, match="No such file"):
        Diarizer().load()
    assert models.channel_model("wespeaker-resnet34") is None
