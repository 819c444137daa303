"""Confidence in a stream: the probability that a speaker speaks in a frame.

It uses the windows that cover a frame before it becomes final, and waits for no others
(docs/confidence.md).
"""

from collections.abc import Mapping
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from hocket.online.state import State
from hocket.segmentation.windows import LEAST_WEIGHT

LEAST_PROBABILITY = 1e-3  # of speech and silence, before log odds are computed
LEAST_LEARNED_S = 0.3


class FrameModel(NamedTuple):
    """Logistic regression of "the speaker speaks" on features of a frame, a weight for each.

    margin: votes for the speaker less those for the likeliest other speaker.
    speech: natural log odds of speech.
    learnt: natural logarithm of the seconds of speech that updated the speaker's embedding.
    alone: 1 if it is the only speaker so far, else 0.
    """

    bias: float
    margin: float
    speech: float
    learnt: float
    alone: float

    @classmethod
    def of(cls, calibration: Mapping[str, float]) -> Self:
        """The regression with an embedding model's `stream_turn_*` weights, from the manifest."""
        return cls(*(calibration[f"stream_turn_{name}"] for name in cls._fields))


def frame_confidence(state: State, model: FrameModel) -> NDArray[np.float64]:
    """Probability that each speaker speaks in each frame that is not final, (frames, speakers).

    Args:
        state: with the votes of windows for these frames.
        model: weights.
    """
    weight = np.maximum(state.occupancy[:, 3:], LEAST_WEIGHT)
    share = state.votes.astype(np.float64) / weight
    silence = state.occupancy[:, :1] / weight
    speech = np.clip(1 - silence, LEAST_PROBABILITY, 1 - LEAST_PROBABILITY)
    learned = np.log(np.maximum(state.seconds, LEAST_LEARNED_S))
    log_odds = model.bias + model.margin * _margins(share) + model.learnt * learned
    log_odds += model.speech * np.log(speech / (1 - speech)) + model.alone * (len(learned) == 1)
    found: NDArray[np.float64] = 0.5 * (1 + np.tanh(0.5 * log_odds))
    return found


def _margins(share: NDArray[np.float64]) -> NDArray[np.float64]:
    """Votes for each speaker less the most votes for any other speaker, (frames, speakers)."""
    if share.shape[1] < 2:
        return share
    second, most = np.partition(share, -2, axis=1)[:, -2:].T[:, :, None]
    found: NDArray[np.float64] = share - np.where(share == most, second, most)
    return found
