"""The frame grid: read from a graph's metadata, whole samples throughout."""

import pytest

from hocket.errors import ModelError
from hocket.geometry import Geometry

METADATA = {
    "sample_rate": "16000",
    "window_samples": "160000",
    "frame_step": "270",
    "receptive_field": "991",
    "window_frames": "589",
    "slots": "3",
}
SHIPPED = Geometry.from_metadata(METADATA)


def test_metadata_is_read_by_name_and_the_rest_ignored() -> None:
    shuffled = {"source": "somewhere", **dict(reversed(METADATA.items()))}
    assert Geometry.from_metadata(shuffled) == Geometry(
        sample_rate=16_000,
        window_samples=160_000,
        frame_step=270,
        receptive_field=991,
        window_frames=589,
        slots=3,
    )


@pytest.mark.parametrize("name", METADATA)
def test_a_missing_number_is_named(name: str) -> None:
    metadata = {key: value for key, value in METADATA.items() if key != name}
    with pytest.raises(ModelError, match=rf"geometry.*{name}.*rebuild") as caught:
        Geometry.from_metadata(metadata)
    assert isinstance(caught.value.__cause__, KeyError)


@pytest.mark.parametrize("value", ["", "270.5", "two", "27\n0"])
def test_what_is_not_a_whole_number_is_shown(value: str) -> None:
    with pytest.raises(ModelError) as caught:
        Geometry.from_metadata({**METADATA, "frame_step": value})
    assert repr(value) in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_frames_lie_next_to_each_other_around_their_centres() -> None:
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
