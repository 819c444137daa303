"""Every kind of source becomes a finite mono waveform at the target rate, or raises HocketError."""

import gzip
import io
import os
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hocket.audio.reading import read_audio
from hocket.errors import AudioContentError, AudioFormatError, ConfigError
from tests.helpers.audio import RATE, Pipe, Samples, encode, noise, read, wav

# --- sources and names


@pytest.mark.parametrize(
    "name",
    [
        "a b.wav",
        'it\'s "q".wav',
        "new\nline.wav",
        "é日本.wav",
        os.fsdecode(b"\xff\xfe.wav"),
        "w.raw",
    ],
)
def test_unusual_file_names_are_kept_and_errors_stay_one_line(
    name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / name
    path.write_bytes(wav(bytes(200), 9999))
    for source in (path, str(path)):
        recording = read(source)
        assert recording.name == str(path)
        assert len(recording.samples) == 100
        assert not set(recording.stem) & set(" \n\udcff")
        assert recording.stem.encode()
    assert len(caplog.messages) == 2
    assert "".join(caplog.messages).isprintable()
    path.write_bytes(b"nothing")
    with pytest.raises(AudioFormatError) as caught:
        read(path)
    assert str(caught.value).isprintable()


def test_bytes_and_file_objects_are_read(tmp_path: Path) -> None:
    samples = noise(RATE)
    data = encode(samples, subtype="FLOAT")
    path = tmp_path / "a.wav"
    path.write_bytes(data)
    packed = io.BytesIO(gzip.compress(data))
    packed.name = str(path)
    skipped = io.BytesIO(b"junk" + data)
    skipped.seek(4)
    sources = [data, bytearray(data), memoryview(data), io.BytesIO(data), Pipe(data), skipped]
    for source in [*sources, gzip.GzipFile(fileobj=packed)]:
        np.testing.assert_array_equal(read(source).samples, samples)
        assert read_audio(data, target_rate=RATE).name == "audio"
    assert read(Pipe(data), name="stdin").name == "stdin"


def test_open_files_are_read_from_their_position_and_stay_open(tmp_path: Path) -> None:
    samples = noise(RATE)
    path = tmp_path / "a.wav"
    path.write_bytes(b"junk" + encode(samples, subtype="FLOAT"))
    with path.open("rb") as file:
        file.seek(4)
        np.testing.assert_array_equal(read(file).samples, samples)
    path.write_bytes(encode(samples, subtype="FLOAT"))
    for buffering in (-1, 0):
        with path.open("rb", buffering=buffering) as file:
            recording = read(file)
            np.testing.assert_array_equal(recording.samples, samples)
            assert (recording.name, recording.stem, file.closed) == (str(path), "a", False)


def test_a_named_pipe_is_read(tmp_path: Path) -> None:
    samples = noise(RATE)
    path = tmp_path / "fifo"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=[encode(samples, subtype="FLOAT")])
    writer.start()
    np.testing.assert_array_equal(read(path).samples, samples)
    writer.join()


# --- arrays


@pytest.mark.parametrize("dtype", ["i1", "i2", ">i2", "i4", "u1", "u2", "u4"])
def test_integer_arrays_are_scaled_to_plus_minus_one(dtype: str) -> None:
    limits = np.iinfo(dtype)
    middle = 0 if limits.min else (limits.max + 1) // 2
    samples = np.array([limits.min, middle, limits.max], dtype)
    result = read(samples, sample_rate=RATE).samples
    np.testing.assert_allclose(result, [-1, 0, 1], atol=1.01 / 2 ** (limits.bits - 1))
    assert result[0] == -1
    assert result[1] == 0
    assert samples[0] == limits.min


@pytest.mark.parametrize("dtype", ["f2", "f8", ">f4"])
def test_float_arrays_are_converted(dtype: str) -> None:
    samples = noise(100).astype(dtype)
    result = read(samples, sample_rate=RATE).samples
    np.testing.assert_array_equal(result, samples.astype("f4"))


@pytest.mark.parametrize("dtype", ["?", "O", "c8", "U3", "i8", "u8", "M8[s]"])
def test_arrays_of_other_types_are_refused(dtype: str) -> None:
    with pytest.raises(AudioContentError, match=r"is an array of .*give floats"):
        read(np.zeros(9, dtype), sample_rate=RATE)


@pytest.mark.parametrize("shape", [(), (2, 2), (33, 40), (40, 33), (2, 3, 4)])
def test_arrays_of_ambiguous_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(AudioContentError, match="is an array of shape"):
        read(np.zeros(shape, "f4"), sample_rate=RATE)


@pytest.mark.parametrize("shape", [(0,), (0, 2), (2, 0), (0, 0)])
def test_arrays_without_samples_give_an_empty_waveform(shape: tuple[int, ...]) -> None:
    assert read(np.zeros(shape), sample_rate=44100).samples.shape == (0,)


def test_sample_rate_is_required_for_arrays_and_refused_elsewhere() -> None:
    with pytest.raises(ConfigError, match="pass sample_rate="):
        read(noise(10))
    with pytest.raises(ConfigError, match="is for arrays; leave it out"):
        read(encode(noise(10)), sample_rate=RATE)


@pytest.mark.parametrize("shape", [(100,), (100, 1), (1, 100)])
def test_arrays_that_need_no_conversion_are_neither_copied_nor_changed(
    shape: tuple[int, ...],
) -> None:
    samples = noise(100).reshape(shape)
    result = read(samples, sample_rate=RATE).samples
    assert np.shares_memory(result, samples)
    assert result.shape == (100,)
    assert samples.flags.writeable
    assert not result.flags.writeable


@pytest.mark.parametrize("change", [lambda x: x[::2], lambda x: x * 9, lambda x: x / 0])
def test_other_arrays_are_copied_and_not_changed(change: Callable[[Samples], Samples]) -> None:
    with np.errstate(divide="ignore"):
        samples = change(np.append(noise(99), np.float32(1)))
    samples[0] = 0.25
    before = samples.copy()
    result = read(samples, sample_rate=RATE).samples
    assert not np.shares_memory(result, samples)
    np.testing.assert_array_equal(samples, before)
