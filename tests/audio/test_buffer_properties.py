"""The buffer returns the recording, however it was divided into blocks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hocket.audio.buffer import SampleBuffer, fill, joined

LENGTHS = st.lists(st.integers(0, 30), max_size=20)


def buffer_of(lengths: list[int]) -> tuple[SampleBuffer, np.ndarray]:
    sound = np.arange(sum(lengths), dtype=np.float32)
    buffer = SampleBuffer()
    for block in np.split(sound, np.cumsum(lengths)[:-1]) if lengths else []:
        buffer.append(block)
    return buffer, sound


@given(LENGTHS, st.data())
def test_pieces_join_to_the_recording_in_order(lengths: list[int], data: st.DataObject) -> None:
    buffer, sound = buffer_of(lengths)
    assert buffer.end == len(sound)
    released = data.draw(st.integers(0, len(sound)))
    buffer.release(released)
    for _ in range(3):
        start = data.draw(st.integers(released, len(sound)))
        end = data.draw(st.integers(start, len(sound)))
        pieces = buffer.pieces(start, end)
        assert [value for piece in pieces for value in piece] == sound[start:end].tolist()
        if start < end:
            assert all(len(piece) and np.shares_memory(piece, sound) for piece in pieces)


@given(LENGTHS, st.data())
def test_a_block_is_freed_once_all_of_it_is_released(
    lengths: list[int], data: st.DataObject
) -> None:
    buffer, sound = buffer_of(lengths)
    released = data.draw(st.integers(0, len(sound)))
    buffer.release(released)
    held = sum(len(block) for block in buffer._blocks)
    kept = [end for end in np.cumsum(lengths) if end > released]
    first = kept[0] if kept else len(sound)
    block = lengths[list(np.cumsum(lengths)).index(first)] if kept else 0
    assert held == len(sound) - first + block
    buffer.release(0)  # releasing less is no error and brings nothing back
    assert buffer.end == len(sound)


@given(LENGTHS, st.integers(0, 9))
def test_a_row_is_filled_with_pieces_and_then_zeros(lengths: list[int], spare: int) -> None:
    pieces = [np.ones(length, np.float32) for length in lengths]
    row = np.full(sum(lengths) + spare, 7, np.float32)
    assert fill(row, pieces) == 4 * sum(lengths)
    assert row.tolist() == [1.0] * sum(lengths) + [0.0] * spare


def test_one_piece_is_returned_without_a_copy_and_several_are_joined_with_one() -> None:
    one = np.arange(5, dtype=np.float32)
    whole, copied = joined([one])
    assert whole is one
    assert copied == 0
    whole, copied = joined([one, one[:2]])
    assert whole.tolist() == [0, 1, 2, 3, 4, 0, 1]
    assert copied == whole.nbytes == 28


@pytest.mark.parametrize("start", [0, 10, 19])
def test_pieces_stay_valid_after_the_buffer_released_them(start: int) -> None:
    buffer, sound = buffer_of([10, 10, 10])
    pieces = buffer.pieces(start, start + 11)
    buffer.release(30)
    buffer.append(np.zeros(10, np.float32))
    assert np.concatenate(pieces).tolist() == sound[start : start + 11].tolist()
