"""Sizes read from the metadata of graphs, and the frame grid in whole samples."""

from collections.abc import Mapping

import pytest

from hocket import models
from hocket.config import GraphConfig, Runtime
from hocket.errors import ModelError
from hocket.geometry import EmbeddingInfo, Geometry, SegmentationInfo, SincInfo
from tests.helpers.geometry import SHIPPED

METADATA = {
    "sample_rate": "16000",
    "window_samples": "160000",
    "frame_step": "270",
    "receptive_field": "991",
    "window_frames": "589",
    "slots": "3",
}


def test_metadata_is_read_by_name_and_the_rest_ignored() -> None:
    shuffled = {"source": "somewhere", **dict(reversed(METADATA.items()))}
    assert Geometry.from_metadata(shuffled) == SHIPPED


@pytest.mark.parametrize("name", METADATA)
def test_a_missing_number_is_named(name: str) -> None:
    metadata = {key: value for key, value in METADATA.items() if key != name}
    with pytest.raises(ModelError, match=rf"segmentation graph: .*{name}.*rebuild") as caught:
        Geometry.from_metadata(metadata)
    assert isinstance(caught.value.__cause__, KeyError)


@pytest.mark.parametrize("value", ["", "270.5", "two", "27\n0"])
def test_a_value_that_is_not_whole_is_shown(value: str) -> None:
    with pytest.raises(ModelError) as caught:
        Geometry.from_metadata({**METADATA, "frame_step": value})
    assert repr(value) in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_a_segmentation_states_its_grid_and_the_shortest_sound() -> None:
    found = SegmentationInfo.from_metadata(METADATA | {"least_samples": "1261"})
    assert found == SegmentationInfo(SHIPPED, 1_261)
    # without it, and at least, a sound has to fill one receptive field
    assert SegmentationInfo.from_metadata(METADATA).least_samples == 991
    assert SegmentationInfo.from_metadata(METADATA | {"least_samples": "2"}).least_samples == 991


def test_an_embedding_states_its_dimension_and_how_it_separates_sounds() -> None:
    one_sound = {"dimension": "192", "least_samples": "400", "mask_step": "320"}
    assert EmbeddingInfo.from_metadata(one_sound) == EmbeddingInfo(192, 400)
    assert EmbeddingInfo.from_metadata({"dimension": "4"}) == EmbeddingInfo(4, 1, None, None)
    several = one_sound | {"sound_step": "6400"}
    assert EmbeddingInfo.from_metadata(several) == EmbeddingInfo(192, 400, 6_400, 320)


def test_sinc_filters_state_step_and_field() -> None:
    assert SincInfo.from_metadata({"place_step": "30", "place_field": "271"}) == SincInfo(30, 271)


@pytest.mark.parametrize(
    ("kind", "graph", "metadata"),
    [
        (SegmentationInfo, "segmentation", METADATA | {"least_samples": "few"}),
        (SegmentationInfo, "segmentation", METADATA | {"slots": "3.5"}),
        (EmbeddingInfo, "embedding", {}),
        (EmbeddingInfo, "embedding", {"dimension": "4", "sound_step": "7"}),
        (EmbeddingInfo, "embedding", {"dimension": "4", "least_samples": ""}),
        (SincInfo, "sinc", {"place_step": "30"}),
        (SincInfo, "sinc", {"place_step": "30", "place_field": "x"}),
    ],
)
def test_sizes_that_are_missing_or_not_whole_name_the_graph(
    kind: type[SegmentationInfo] | type[EmbeddingInfo] | type[SincInfo],
    graph: str,
    metadata: dict[str, str],
) -> None:
    with pytest.raises(ModelError, match=rf"^{graph} graph: no usable sizes .*; rebuild it"):
        kind.from_metadata(metadata)


@pytest.mark.parametrize("embedding", ["campplus", "campplus-local"])
def test_shipped_graphs_state_what_the_engine_needs(embedding: str) -> None:
    def metadata(graph: str) -> Mapping[str, str]:
        return models.load(graph, GraphConfig(embedding, "float32"), Runtime(threads=1)).metadata

    for graph in ("segmentation", "segmentation_from_peaks"):
        assert SegmentationInfo.from_metadata(metadata(graph)).geometry == SHIPPED
    found = EmbeddingInfo.from_metadata(metadata("embedding"))
    assert (found.dimension, found.least_samples) == (192, 400)
    assert (found.gate_samples is not None) == (embedding == "campplus-local")
    assert SincInfo.from_metadata(metadata("sinc_peaks")) == SincInfo(30, 271)


def test_frames_are_adjacent_and_stand_around_their_centers() -> None:
    for frame in (0, 1, 588, 589, 100_000):
        start, end = SHIPPED.frame_start(frame), SHIPPED.frame_start(frame + 1)
        assert end - start == 270
        assert start + 135 == 495 + 270 * frame


def test_the_frames_of_a_window_lie_inside_it() -> None:
    assert SHIPPED.frame_start(0) >= 0
    assert SHIPPED.frame_start(SHIPPED.window_frames) <= SHIPPED.window_samples


@pytest.mark.parametrize(
    ("seconds", "frames"), [(0.0, 0), (0.008, 0), (0.009, 1), (0.3, 18), (2.5, 148), (10.0, 593)]
)
def test_durations_are_rounded_to_the_nearest_frame(seconds: float, frames: int) -> None:
    assert SHIPPED.frames_of(seconds) == frames
    assert abs(frames * 270 / 16_000 - seconds) <= 135 / 16_000


def test_samples_become_seconds() -> None:
    assert SHIPPED.seconds_of(0) == 0
    assert SHIPPED.seconds_of(24_000) == 1.5
