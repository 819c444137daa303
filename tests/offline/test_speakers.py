"""`find_speakers`: embeddings of a recording to its speakers, as a pure function."""

from dataclasses import fields, replace

import numpy as np
import pytest

from hocket import Diarizer
from hocket.arrays import Bands, unit_length
from hocket.clustering import TwoSpeakers
from hocket.config import SpeakerCount
from hocket.embedding.channels import ChannelModel, compensate_subsegments
from hocket.errors import ConfigError
from hocket.offline.artifacts import Artifacts
from hocket.offline.speakers import ClusteringModels, FoundSpeakers, find_speakers
from tests.helpers.artifacts import DIMENSION, artifacts_of, with_embeddings, with_voices
from tests.helpers.settings import CALIBRATION, clustering

MODELS = ClusteringModels(TwoSpeakers.of(CALIBRATION), None, None)
ANY = SpeakerCount()


CONFIG = clustering()


def arrays_of(artifacts: Artifacts) -> list[bytes]:
    arrays = [artifacts.regions, artifacts.embeddings]
    arrays += [*artifacts.subsegments, *artifacts.segmentation]
    return [array.tobytes() for array in arrays]


def bytes_of(found: FoundSpeakers) -> list[bytes]:
    assert found.odds is not None
    arrays = [*found.voices[:5], found.selection.labels, found.selection.spurious]
    return [np.asarray(array).tobytes() for array in (*arrays, found.centroids, *found.odds)]


@pytest.mark.parametrize("count", [ANY, SpeakerCount(2, 2), SpeakerCount(4)], ids=str)
def test_equal_arguments_give_equal_results_and_stay_unchanged(count: SpeakerCount) -> None:
    artifacts = with_voices(0, 1, 0, 1, 2)
    before = arrays_of(artifacts)
    first = find_speakers(artifacts, CONFIG, MODELS, count)
    find_speakers(with_voices(2, 2, 1, 0, 0), CONFIG, MODELS, ANY)  # keeps nothing
    again = find_speakers(with_voices(0, 1, 0, 1, 2), CONFIG, MODELS, count)
    assert bytes_of(again) == bytes_of(first)
    assert arrays_of(artifacts) == before


def test_speakers_are_those_of_the_result() -> None:
    artifacts = with_voices(2, 0, 2, 1, 0)
    found = find_speakers(artifacts, CONFIG, MODELS, ANY)
    result = Diarizer().finish(artifacts)
    assert sorted(found.centroids.argmax(axis=1).tolist()) == [0, 1, 2]
    assert sorted(found.centroids.tolist()) == sorted(result.embeddings.tolist())
    by_speaker = found.centroids.argmax(axis=1)[found.selection.labels]
    assert by_speaker.tolist() == artifacts.embeddings.argmax(axis=1).tolist()


def test_parts_divide_all_regions_among_the_speakers() -> None:
    artifacts = with_voices(0, 1, 0, 1, 2)
    found = find_speakers(artifacts, CONFIG, MODELS, ANY)
    parts = found.parts(artifacts)
    assert list(zip(parts.first, parts.last, strict=True)) == list(map(tuple, artifacts.regions))
    assert found.centroids.argmax(axis=1)[parts.cluster].tolist() == [0, 1, 0, 1, 2]


def test_subsegments_that_are_not_trusted_create_no_speaker_unless_too_few_are_left() -> None:
    artifacts = with_voices(0, 1, 2, 1, 0)  # the third speaks for 0.8 s
    doubted = clustering(min_trusted_s=0.9, min_speaker_s=0.0)
    found = find_speakers(artifacts, doubted, MODELS, ANY)
    third = artifacts.subsegments.region == 2
    assert (found.selection.labels[third] == -1).all()
    assert len(found.centroids) == 2
    none_trusted = clustering(min_trusted_s=100.0, min_speaker_s=0.0)
    assert len(find_speakers(artifacts, none_trusted, MODELS, ANY).centroids) == 3


def test_unusable_embeddings_have_no_speaker_and_alone_give_one_with_a_zero_embedding() -> None:
    found = find_speakers(with_embeddings(np.nan, 0.3), CONFIG, MODELS, ANY)
    usable = np.isfinite(with_embeddings(np.nan, 0.3).embeddings).all(axis=1)
    assert (found.selection.labels[~usable] == -1).all()
    assert (found.selection.labels[usable] >= 0).all()
    nothing = find_speakers(with_embeddings(0.0), CONFIG, MODELS, ANY)
    assert nothing.centroids.tolist() == [[0.0] * DIMENSION]
    assert nothing.selection.spurious.tolist() == [0]


def test_without_subsegments_there_is_nobody() -> None:
    found = find_speakers(artifacts_of([]), CONFIG, MODELS, ANY)
    assert found.centroids.shape[1] == DIMENSION
    assert found.selection.labels.shape == (0,)
    assert all(len(column) == 0 for column in found.parts(artifacts_of([])))


def test_channels_are_compensated_before_clustering() -> None:
    rng = np.random.default_rng(3)
    shapes = [(3, DIMENSION), (DIMENSION,), (DIMENSION, 2), (2, DIMENSION)]
    model = ChannelModel(*(0.3 * rng.normal(size=shape).astype(np.float32) for shape in shapes))
    artifacts = with_voices(0, 1, 0, 1, 2)
    number = len(artifacts.embeddings)
    telephone = np.tile(np.float32([-25, -60, -65]), (number, 1))
    bands = Bands(np.arange(number), telephone, np.full(number, 100.0))
    called = replace(artifacts, bands=bands)
    plain = find_speakers(called, CONFIG, MODELS, ANY).voices
    found = find_speakers(called, CONFIG, MODELS._replace(channels=model), ANY).voices
    expected = compensate_subsegments(unit_length(artifacts.embeddings), bands, model).vectors
    np.testing.assert_array_equal(plain.vectors, unit_length(artifacts.embeddings))
    np.testing.assert_array_equal(found.vectors, expected)
    assert np.abs(found.vectors - plain.vectors).max() > 0.1
    assert found.telephone.all()
    unknown = find_speakers(artifacts, CONFIG, MODELS._replace(channels=model), ANY).voices
    np.testing.assert_array_equal(unknown.vectors, plain.vectors)


def test_an_unknown_clusterer_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match="method is 'magic'; give one of agglomerative"):
        find_speakers(artifacts_of([]), clustering(method="magic"), MODELS, ANY)


def test_every_threshold_is_a_number_once_resolved() -> None:
    values = {each.name: getattr(CONFIG, each.name) for each in fields(CONFIG)}
    assert [name for name, value in values.items() if value is None] == ["plda"]
