"""Speech divided into pieces that become exemplars."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hocket.speakers import MOST_EXEMPLARS
from hocket.speakers.enroll import pieces_of

SEGMENTS = st.lists(st.tuples(st.integers(1, 50), st.integers(1, 400)), max_size=8)


@given(SEGMENTS, st.integers(1, 100), st.integers(0, 100))
def test_pieces_are_speech_in_order_and_bounded_in_length(
    drawn: list[tuple[int, int]], usual: int, more: int
) -> None:
    crops = np.cumsum(np.array(drawn, np.int64).reshape(-1)).reshape(-1, 2)
    speech = {sample for first, last in crops.tolist() for sample in range(first, last)}
    pieces = pieces_of(crops, usual, usual + more)
    taken = [
        [sample for first, last in piece.tolist() for sample in range(first, last)]
        for piece in pieces
    ]
    assert len(pieces) == min(max(1, round(len(speech) / usual)), MOST_EXEMPLARS) * bool(speech)
    assert all(1 <= len(piece) <= usual + more for piece in taken)
    together = [sample for piece in taken for sample in piece]
    assert together == sorted(set(together) & speech)
    if speech and all(len(piece) < usual + more for piece in taken):
        assert set(together) == speech
