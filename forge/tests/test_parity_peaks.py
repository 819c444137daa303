"""The checks of the segmentation in two parts notice an altered graph."""

from collections.abc import Callable

import pytest
from onnx import ModelProto

from .alterations import Alteration, assert_noticed, negated, renamed

Exported = Callable[[str], ModelProto]


@pytest.mark.parametrize(
    "alter",
    [
        pytest.param(negated("Conv", 0, 1), id="a filter"),
        pytest.param(renamed("Neg", 0, "Abs"), id="highest absolute, not lowest"),
        pytest.param(renamed("MaxPool", 1, "AveragePool"), id="mean of three"),
    ],
)
def test_one_wrong_thing_in_sinc_peaks_fails(exported: Exported, alter: Alteration) -> None:
    model = exported("sinc_peaks")
    alter(model)
    assert_noticed("sinc_peaks", model, "peaks = NumPy")


@pytest.mark.parametrize(
    "alter",
    [
        pytest.param(renamed("Max", 0, "Min"), id="the lesser of both"),
        pytest.param(renamed("ReduceMean", 0, "ReduceMax"), id="mean of the sound"),
        pytest.param(negated("Mul", 2, 1), id="a filter's sum"),
        pytest.param(negated("LSTM", 0, 1), id="first LSTM"),
    ],
)
def test_one_wrong_thing_in_segmentation_from_peaks_fails(
    exported: Exported, alter: Alteration
) -> None:
    model = exported("segmentation_from_peaks")
    alter(model)
    assert_noticed("segmentation_from_peaks", model, "log-probabilities")
