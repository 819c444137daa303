"""Power-set classes to probabilities: which slots of a window speak, and how many speakers do.

The classes are those of pyannote's segmentation models (Plaquet and Bredin 2023, "Powerset
multi-class cross entropy loss for neural speaker diarization", arXiv:2310.13025).
"""

import numpy as np
from numpy.typing import NDArray

from hocket.arrays import LogProbs

SLOTS_OF_CLASS = np.array(
    [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (1, 0, 1), (0, 1, 1)], np.float32
)
"""Which of three slots speak in each power-set class, in the network's order, (7, 3)."""

# column n: classes in which n slots speak; the network models at most two at once
_COUNT_OF_CLASS = np.eye(3, dtype=np.float32)[SLOTS_OF_CLASS.sum(axis=1).astype(int)]


def slot_activity(log_probs: LogProbs) -> NDArray[np.float32]:
    """Probability that each slot speaks, (windows, frames, slots)."""
    activity: NDArray[np.float32] = np.exp(log_probs) @ SLOTS_OF_CLASS
    return activity


def occupancy(log_probs: LogProbs) -> NDArray[np.float32]:
    """Probability that no speaker, one speaker and two speakers speak, (windows, frames, 3)."""
    speakers: NDArray[np.float32] = np.exp(log_probs) @ _COUNT_OF_CLASS
    return speakers
