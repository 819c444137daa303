"""Pictures look as they did. `python -m tests.helpers.pictures` makes the golden ones again."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from hocket.report.plot import plot_against, plot_embeddings, plot_turns
from tests.helpers.artifacts import with_voices
from tests.helpers.pictures import FOUND, PICTURES, REFERENCE, VOICES, golden, pixels, pixels_of

ALIKE = 3.0  # mean difference of a pixel, of 255; with a font with serifs it is 1.6
ALIKE_IN_COLOR = 0.15  # text has none; bars that move by 0.1 s of 30 s make 0.18

Pixels = NDArray[np.float64]


def expected(name: str) -> Pixels:
    return pixels_of(golden(name).read_bytes())


def difference(one: Pixels, other: Pixels) -> float:
    assert one.shape == other.shape
    return float(np.abs(one - other).mean())


def difference_in_color(one: Pixels, other: Pixels) -> float:
    """That of how far pixels are from gray."""
    return difference(np.ptp(one, axis=2), np.ptp(other, axis=2))


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_looks_as_it_did(name: str) -> None:
    found = pixels(PICTURES[name]())
    assert difference(found, expected(name)) < ALIKE
    assert difference_in_color(found, expected(name)) < ALIKE_IN_COLOR


def test_a_lane_that_moves_is_seen() -> None:
    names = {"SPEAKER_00": "SPEAKER_01", "SPEAKER_01": "SPEAKER_00"}
    moved = [
        *FOUND[:2],
        *(replace(turn, speaker=names.get(turn.speaker, turn.speaker)) for turn in FOUND[2:]),
    ]
    later = [replace(turn, start=turn.start + 0.3, end=turn.end + 0.3) for turn in FOUND]
    for turns in (moved, later):
        lanes = pixels(plot_turns(turns, 30.0, title="turns"))
        assert difference_in_color(lanes, expected("plot-turns")) > ALIKE_IN_COLOR
        pairs = pixels(plot_against(turns, REFERENCE, 30.0, title="against"))
        assert difference_in_color(pairs, expected("plot-against")) > ALIKE_IN_COLOR


def test_points_that_move_are_seen() -> None:
    other = plot_embeddings(VOICES, with_voices(2, 0, 1, 1, 0), title="embeddings")
    found = difference_in_color(pixels(other), expected("plot-embeddings"))
    assert found > ALIKE_IN_COLOR
