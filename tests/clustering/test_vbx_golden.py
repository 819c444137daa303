"""The mixture compared with VBx in pyannote.audio 4.0.7.

vbx.npz: `features` with `phi` between speakers, initial clusters `init`, `Fa` and `Fb`, the output
`gamma` and `pi`, and the speakers that features were drawn from, `truth`. Eight iterations of 20
allowed reproduce responsibilities, priors, speakers and log(prior + 1e-8) exactly.
"""

import numpy as np
import pytest
from numpy.typing import NDArray

from hocket.clustering.vbx import LEAST_PRIOR, Mixture, infer
from tests.helpers.paths import GOLDEN


@pytest.fixture
def golden() -> dict[str, NDArray]:
    with np.load(GOLDEN / "vbx.npz") as recorded:
        return dict(recorded)


def fit(golden: dict[str, NDArray], **settings: float | int) -> Mixture:
    scales = {"fa": float(golden["Fa"]), "fb": float(golden["Fb"])}
    return infer(golden["features"], golden["phi"], golden["init"], **scales, **settings)


def test_responsibilities_and_priors_equal_pyannotes(golden: dict[str, NDArray]) -> None:
    found = fit(golden)
    np.testing.assert_allclose(found.responsibilities, golden["gamma"], rtol=0, atol=1e-6)
    np.testing.assert_allclose(found.priors, golden["pi"], rtol=0, atol=1e-8)
    np.testing.assert_allclose(found.priors, golden["pi"], rtol=1e-6)  # of faded clusters too


def test_it_stops_when_the_evidence_has_converged(golden: dict[str, NDArray]) -> None:
    settled = fit(golden)
    eight, seven = fit(golden, iterations=8), fit(golden, iterations=7)
    np.testing.assert_array_equal(settled.responsibilities, eight.responsibilities)
    assert settled.evidence == eight.evidence
    assert abs(eight.evidence - seven.evidence) < 1e-4


def test_the_planted_speakers_are_left(golden: dict[str, NDArray]) -> None:
    found = fit(golden)
    kept = np.flatnonzero(found.priors > LEAST_PRIOR)
    assert len(kept) == len(np.unique(golden["truth"])) < golden["init"].max() + 1
    labels = found.responsibilities[:, kept].argmax(axis=1)
    together = labels[:, None] == labels
    np.testing.assert_array_equal(together, golden["truth"][:, None] == golden["truth"])
