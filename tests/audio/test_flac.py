"""The length that a FLAC states is a hint."""

import io

import numpy as np
import pytest
import soundfile

from hocket.audio.flac import last_frame, stream_info
from tests.helpers.audio import RATE, encode, noise, read


def with_length(content: bytes, frames: int) -> bytes:
    """A FLAC that states another number of frames."""
    changed = bytearray(content)
    changed[21] = changed[21] & 0xF0 | frames >> 32
    changed[22:26] = (frames & 0xFFFFFFFF).to_bytes(4)
    return bytes(changed)


@pytest.mark.parametrize("rate", [8_000, 11_025, 16_000, 44_100, 96_000, 12_345])
@pytest.mark.parametrize("frames", [1, 100, 4_096, 4_097, 500_000])
def test_the_last_frame_ends_where_the_sound_does(frames: int, rate: int) -> None:
    for subtype, channels in (("PCM_16", 1), ("PCM_24", 2)):
        file = io.BytesIO(encode(noise(frames, channels), rate, "FLAC", subtype))
        info = stream_info(file)
        assert info is not None
        assert (info.rate, info.total) == (rate, frames)
        assert last_frame(file, info) == frames


@pytest.mark.parametrize("stated_s", [0.1, 1, 4.9])
@pytest.mark.parametrize("behind", [b"", b"TAG" + bytes(125)])
def test_a_length_that_is_too_small_ends_nothing(stated_s: float, behind: bytes) -> None:
    content = encode(noise(5 * RATE), kind="FLAC")
    expected, _ = soundfile.read(io.BytesIO(content), dtype="float32")
    recording = read(with_length(content, round(stated_s * RATE)) + behind)
    np.testing.assert_array_equal(recording.samples, expected)
    [notice] = recording.notices
    assert notice.kind == "header"
    assert notice.text == f"its header states {stated_s:.1f} s, but 5.0 s are there; all were read"


def test_a_length_that_is_not_stated_is_no_fault() -> None:
    recording = read(with_length(encode(noise(5 * RATE), kind="FLAC"), 0))
    assert len(recording.samples) == 5 * RATE
    assert recording.notices == ()


def test_a_lost_beginning_moves_nothing() -> None:
    sound = noise(20 * RATE)
    content = encode(sound, kind="FLAC")
    begin = len(content) // 50
    recording = read(content[:begin] + content[len(content) // 4 :])
    expected = read(content).samples
    np.testing.assert_array_equal(recording.samples[-12 * RATE :], expected[-12 * RATE :])
    assert recording.duration == 20
    assert {notice.kind for notice in recording.notices} <= {"damaged", "gap"}
    assert sum((each.end or 0) - (each.start or 0) for each in recording.notices) > 4


@pytest.mark.parametrize("content", [b"", b"fLaC", b"fLaC" + bytes([4]) + bytes(60), bytes(100)])
def test_what_states_nothing_has_no_length(content: bytes) -> None:
    assert stream_info(io.BytesIO(content)) is None


def test_no_frame_is_found_in_what_is_none() -> None:
    content = encode(noise(RATE), kind="FLAC")
    info = stream_info(io.BytesIO(content))
    assert info is not None
    junk = (
        np.random.default_rng(0).bytes(200_000).replace(b"\xff\xf8", b"").replace(b"\xff\xf9", b"")
    )
    assert last_frame(io.BytesIO(content[:42] + junk), info) == 0
    assert last_frame(io.BytesIO(content[:42] + b"\xff\xf8" * 50_000), info) == 0
