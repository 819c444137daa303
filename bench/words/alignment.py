"""Words of two transcripts, compared: pairs of equal words near in time, and word errors."""

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hocket.transcript import Word

NEAR_S = 1.5  # largest distance of the middles of two words that are the same
PUNCTUATION = re.compile(r"[^\w']+")

Pairs = list[tuple[int, int]]
Numbers = NDArray[np.int64]


def in_order(words: Sequence[Word]) -> list[Word]:
    """Words in order of start time; those that are punctuation only are left out."""
    kept = (word for word in words if normalized(word.text))
    return sorted(kept, key=lambda word: (word.start, word.end))


def normalized(text: str) -> str:
    """A word in lower case, without punctuation but for apostrophes inside it."""
    return PUNCTUATION.sub("", text.lower()).strip("'")


def aligned(reference: Sequence[Word], found: Sequence[Word]) -> Pairs:
    """Indices of the same words in two transcripts.

    The same words are equal after `normalized`, and their middles are less than 1.5 s apart. Pairs
    do not cross. Of all such alignments it is one with the most pairs, and of these the one whose
    words are nearest in time.

    Args:
        reference: in order of start time.
        found: the same.
    """
    worth = _worth(reference, found)
    best = np.zeros((worth.shape[0] + 1, worth.shape[1] + 1))
    for row, values in enumerate(worth):
        paired = np.where(values > 0, best[row, :-1] + values, 0.0)
        best[row + 1, 1:] = np.maximum.accumulate(np.maximum(best[row, 1:], paired))
    pairs: Pairs = []
    one, other = worth.shape
    while one and other:
        if best[one, other] == best[one - 1, other]:
            one -= 1
        elif best[one, other] == best[one, other - 1]:
            other -= 1
        else:
            one, other = one - 1, other - 1
            pairs.append((one, other))
    return pairs[::-1]


def word_errors(reference: Sequence[Word], found: Sequence[Word]) -> int:
    """Substitutions, deletions and insertions between two sequences of words (Levenshtein)."""
    truth, words = _numbered(reference, found)
    steps = np.arange(len(words) + 1)
    errors = steps
    for number in truth:
        changed = np.minimum(errors[:-1] + (words != number), errors[1:] + 1)
        # a row of insertions: the smallest of all errors before, and one for each step since
        errors = np.minimum.accumulate(np.append(errors[0] + 1, changed) - steps) + steps
    return int(errors[-1])


def _worth(reference: Sequence[Word], found: Sequence[Word]) -> NDArray[np.float64]:
    """What a pair is worth, (reference, found): 1 and a bit more if it is near; 0 if it is none."""
    truth, words = _numbered(reference, found)
    apart = np.abs(_middles(reference)[:, None] - _middles(found))
    same = (truth[:, None] == words) & (apart < NEAR_S)
    # less than 1 in all pairs together, so that no pair is given up for nearer ones
    bit = 1 / (min(same.shape, default=0) + 1)
    return np.where(same, 1 + bit * (1 - apart / NEAR_S), 0.0)


def _numbered(reference: Sequence[Word], found: Sequence[Word]) -> tuple[Numbers, Numbers]:
    """A number for each word, equal for equal words."""
    known: dict[str, int] = {}
    one, other = (
        np.array([known.setdefault(normalized(word.text), len(known)) for word in words], np.int64)
        for words in (reference, found)
    )
    return one, other


def _middles(words: Sequence[Word]) -> NDArray[np.float64]:
    return np.array([(word.start + word.end) / 2 for word in words], np.float64)
