"""How sure a stream is: the probability, in every frame, that a speaker speaks.

It goes by what windows said of the frame until it became final; later windows are not waited for
(docs/confidence.md).
"""

from collections.abc import Mapping
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from hocket.online.state import State
from hocket.segmentation.windows import LEAST_WEIGHT

LEAST_PROBABILITY = 1e-3  # of speech and silence, before odds are taken
LEAST_LEARNT_S = 0.3


class FrameModel(NamedTuple):
    """A logistic regression of "the speaker speaks" on what is known of a frame.

    margin: probability that the speaker speaks, less that of the likeliest other.
    speech: log odds that anybody speaks.
    learnt: logarithm of the seconds that taught the speaker's voice.
    alone: 1 where nobody else was met yet, else 0.
    """

    bias: float
    margin: float
    speech: float
    learnt: float
    alone: float

    @classmethod
    def of(cls, calibration: Mapping[str, float]) -> Self:
        """From the manifest's `live_turn_*` of an embedding model."""
        return cls(*(calibration[f"stream_turn_{name}"] for name in cls._fields))


def frame_confidence(state: State, model: FrameModel) -> NDArray[np.float64]:
    """Probability that each speaker speaks in each frame that is not final, (frames, speakers).

    Args:
        state: with what windows said of these frames.
        model: weights.
    """
    weight = np.maximum(state.occupancy[:, 3:], LEAST_WEIGHT)
    share = state.votes.astype(np.float64) / weight
    silence = state.occupancy[:, :1] / weight
    speech = np.clip(1 - silence, LEAST_PROBABILITY, 1 - LEAST_PROBABILITY)
    learnt = np.log(np.maximum(state.seconds, LEAST_LEARNT_S))
    log_odds = model.bias + model.margin * _margins(share) + model.learnt * learnt
    log_odds += model.speech * np.log(speech / (1 - speech)) + model.alone * (len(learnt) == 1)
    found: NDArray[np.float64] = 0.5 * (1 + np.tanh(0.5 * log_odds))
    return found


def _margins(share: NDArray[np.float64]) -> NDArray[np.float64]:
    """What each speaker has more than the one of the others who has most, (frames, speakers)."""
    if share.shape[1] < 2:
        return share
    second, most = np.partition(share, -2, axis=1)[:, -2:].T[:, :, None]
    found: NDArray[np.float64] = share - np.where(share == most, second, most)
    return found
