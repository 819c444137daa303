"""Audio read in blocks equals audio read at once."""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hocket.audio import containers, sndfile
from hocket.audio import reading as audio
from hocket.audio.reading import AudioStream, open_audio, read_audio, stream_of
from hocket.errors import AudioContentError, AudioFormatError, AudioNotFoundError, ConfigError
from tests.helpers.audio import RATE, encode, noise

BLOCK = 1_000


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sndfile, "BLOCK_FRAMES", BLOCK)
    monkeypatch.setattr(containers, "BLOCK_FRAMES", BLOCK)
    monkeypatch.setattr(audio, "BLOCK_FRAMES", BLOCK)


def values_of_int16() -> NDArray[np.float32]:
    """int16 values as floats; the last is the loudest."""
    return np.concatenate([30_000 * noise(3_500), [-20_000]]).astype(np.float32)


SOURCES: dict[str, bytes] = {
    "wav": encode(noise(4_321), RATE),
    "stereo 44100 Hz": encode(noise(9_000, 2), 44_100),
    "8000 Hz": encode(noise(4_321), 8_000),
    "flac": encode(noise(4_000), RATE, "FLAC"),
    "ogg": encode(noise(9_321), RATE, "OGG"),
    "mp3": encode(noise(20_000), RATE, "MP3"),
    "float wav": encode(noise(4_321), RATE, subtype="FLOAT"),
    "wrong scale": encode(values_of_int16(), RATE, subtype="FLOAT"),
    "wrong scale, 48000 Hz": encode(values_of_int16(), 48_000, subtype="DOUBLE"),
    "some NaN": encode(
        np.where(np.arange(4_000) == 2_500, np.nan, noise(4_000)), RATE, subtype="FLOAT"
    ),
    "no frame": encode(noise(0), RATE),
    "one frame": encode(noise(1), RATE),
}


def joined(stream: AudioStream) -> NDArray[np.float32]:
    blocks = list(stream.blocks)  # keeping them shows that no block is overwritten by the next
    return np.concatenate([np.zeros(0, np.float32), *blocks])


@pytest.mark.parametrize("name", SOURCES)
def test_blocks_join_to_what_is_read_at_once(name: str) -> None:
    expected = read_audio(SOURCES[name], target_rate=RATE).samples
    with open_audio(SOURCES[name], target_rate=RATE) as stream:
        found = joined(stream)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("rate", [RATE, 48_000])
def test_an_array_streams_as_it_is_read(rate: int) -> None:
    samples = noise(9_001)
    expected = read_audio(samples, sample_rate=rate, target_rate=RATE).samples
    with open_audio(samples, sample_rate=rate, target_rate=RATE) as stream:
        assert stream.samples == len(expected)
        np.testing.assert_array_equal(joined(stream), expected)


def test_an_array_that_needs_no_conversion_streams_as_views() -> None:
    samples = noise(2_500)
    with open_audio(samples, sample_rate=RATE, target_rate=RATE) as stream:
        blocks = list(stream.blocks)
    assert [len(block) for block in blocks] == [1_000, 1_000, 500]
    assert all(np.shares_memory(block, samples) for block in blocks)


def test_a_recording_streams_as_views_of_itself() -> None:
    recording = read_audio(SOURCES["wav"], target_rate=RATE, name="talk.wav")
    stream = stream_of(recording)
    assert (stream.name, stream.samples) == ("talk.wav", 4_321)
    blocks = list(stream.blocks)
    assert all(np.shares_memory(block, recording.samples) for block in blocks)
    np.testing.assert_array_equal(np.concatenate(blocks), recording.samples)


def test_a_wrong_scale_is_corrected_from_the_first_block_on() -> None:
    with open_audio(SOURCES["wrong scale"], target_rate=RATE) as stream:
        found = joined(stream)
    scale = values_of_int16()[0] / found[0]
    assert np.log2(scale) == round(np.log2(scale))
    np.testing.assert_array_equal(found[:-1], values_of_int16()[:-1] / scale)
    assert 0.03 < np.median(np.abs(found)) < 0.3


@pytest.mark.parametrize(
    ("name", "samples"),
    [
        ("wav", 4_321),
        ("flac", 4_000),
        ("stereo 44100 Hz", 9_000 * RATE // 44_100),
        ("8000 Hz", 8_642),
        ("no frame", 0),
    ],
)
def test_the_number_of_samples_is_announced_from_the_header(name: str, samples: int) -> None:
    with open_audio(SOURCES[name], target_rate=RATE) as stream:
        assert stream.samples == samples
        assert abs(len(joined(stream)) - samples) <= 1


def test_a_flac_written_to_a_pipe_announces_no_number_of_samples() -> None:
    data = bytearray(SOURCES["flac"])
    data[21] &= 0xF0  # the 36 bits of the number of frames
    data[22:26] = bytes(4)
    with open_audio(bytes(data), target_rate=RATE) as stream:
        assert stream.samples is None
        assert len(joined(stream)) == 4_000


@pytest.mark.parametrize("taken", [0, 1, 2, 100])
def test_files_are_closed_when_reading_stops_early(
    taken: int, files: list[Any], tmp_path: Path
) -> None:
    path = tmp_path / "talk.wav"
    path.write_bytes(SOURCES["wav"])
    with open_audio(path, target_rate=RATE) as stream:
        assert len(list(itertools.islice(stream.blocks, taken))) == min(taken, 5)
        assert not any(file.closed for file in files)
    assert len(files) == 2
    assert all(file.closed for file in files)


def test_files_are_closed_after_an_error(files: list[Any], tmp_path: Path) -> None:
    path = tmp_path / "talk.wav"
    path.write_bytes(SOURCES["wav"])

    def fail() -> None:
        with open_audio(path, target_rate=RATE) as stream:
            next(stream.blocks)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert len(files) == 2
    assert all(file.closed for file in files)


def test_a_recording_of_only_nan_is_refused_at_its_end() -> None:
    data = encode(np.full(2_500, np.nan), RATE, subtype="FLOAT")
    taken: list[NDArray[np.float32]] = []
    with (
        open_audio(data, target_rate=RATE, name="odd.wav") as stream,
        pytest.raises(AudioContentError, match=r"^odd\.wav: all its samples are NaN"),
    ):
        taken.extend(stream.blocks)
    assert [len(block) for block in taken] == [1_000, 1_000, 500]
    assert not np.concatenate(taken).any()


def test_a_truncated_file_gives_its_decodable_part_and_a_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    data = SOURCES["wav"][: len(SOURCES["wav"]) // 2]
    with open_audio(data, target_rate=RATE, name="cut.wav") as stream:
        found = joined(stream)
    whole = read_audio(SOURCES["wav"], target_rate=RATE).samples
    assert 2_000 < len(found) < 2_200
    np.testing.assert_array_equal(found, whole[: len(found)])
    assert caplog.messages == ["cut.wav: ends after 0.1 s; its header states 0.3 s"]


def test_a_source_that_cannot_be_opened_raises_before_the_first_block(tmp_path: Path) -> None:
    cases = [
        (tmp_path / "none.wav", {}, AudioNotFoundError),
        (b"", {}, AudioFormatError),
        (b"no audio, but text", {}, AudioFormatError),
        (SOURCES["wav"], {"sample_rate": RATE}, ConfigError),
        (noise(9), {}, ConfigError),
    ]
    for source, options, error in cases:
        with pytest.raises(error), open_audio(source, target_rate=RATE, **options):
            pytest.fail("opened")
