"""Power-set classes to probabilities: who of a window's slots speaks, and how many people do."""

import numpy as np
from numpy.typing import NDArray

from hocket.arrays import LogProbs

SLOTS_OF_CLASS = np.array(
    [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (1, 0, 1), (0, 1, 1)], np.float32
)
"""Which of three slots speak in each of the power-set classes, in the network's order."""

# column n: classes in which n people speak; the network knows of no more than two at once
_PEOPLE_OF_CLASS = np.eye(3, dtype=np.float32)[SLOTS_OF_CLASS.sum(axis=1).astype(int)]


def slot_activity(log_probs: LogProbs) -> NDArray[np.float32]:
    """Probability that a slot speaks, (windows, frames, slots)."""
    activity: NDArray[np.float32] = np.exp(log_probs) @ SLOTS_OF_CLASS
    return activity


def occupancy(log_probs: LogProbs) -> NDArray[np.float32]:
    """Probability that nobody, one person and two people speak, (windows, frames, 3)."""
    people: NDArray[np.float32] = np.exp(log_probs) @ _PEOPLE_OF_CLASS
    return people
