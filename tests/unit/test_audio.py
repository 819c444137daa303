"""Every kind of source becomes a finite mono waveform at the target rate, or a HocketError."""

import gzip
import io
import os
import struct
import subprocess
import sys
import threading
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from hocket import audio, decoding
from hocket.audio import Recording, read_audio
from hocket.errors import AudioContentError, AudioFormatError, AudioNotFoundError, ConfigError

RATE = 16000
Samples: TypeAlias = NDArray[Any]


def tone(seconds: float = 1.0, rate: int = RATE, hz: float = 440.0, level: float = 0.5) -> Samples:
    return (level * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)).astype("f4")


def noise(*shape: int) -> Samples:
    return (0.1 * np.random.default_rng(7).standard_normal(shape)).astype(np.float32)


def encode(
    samples: Samples, rate: int = RATE, kind: str = "WAV", subtype: str | None = None
) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=kind, subtype=subtype)
    return file.getvalue()


def wav(data: bytes, size: int, rate: int = RATE) -> bytes:
    header = struct.pack(
        "<4sI8sIHHIIHH", b"RIFF", size, b"WAVEfmt ", 16, 1, 1, rate, rate * 2, 2, 16
    )
    return header + b"data" + struct.pack("<I", size) + data


def read(source: Any, **options: Any) -> Recording:
    recording = read_audio(source, target_rate=RATE, **options)
    samples = recording.samples
    assert samples.dtype == np.float32
    assert samples.ndim == 1
    assert samples.flags.c_contiguous
    assert np.isfinite(samples).all()
    assert recording.sample_rate == RATE
    return recording


def pitch(samples: Samples) -> float:
    return int(np.argmax(np.abs(np.fft.rfft(samples)))) * RATE / len(samples)


class Pipe:
    """A file object that cannot seek."""

    def __init__(self, data: bytes) -> None:
        self.data = io.BytesIO(data)

    def read(self, size: int = -1) -> bytes:
        return self.data.read(size)

    def seekable(self) -> bool:
        return False


# --- files that are not there, not files, not audio


@pytest.mark.parametrize("name", ["no such.wav", "a\0b.wav", "-", "x" * 5000])
def test_missing(name: str) -> None:
    with pytest.raises(AudioNotFoundError, match=r"cannot be opened.*check the path") as caught:
        read(name)
    assert caught.value.source == name
    assert "\0" not in str(caught.value)


def test_no_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(decoding, "open", refuse, raising=False)
    with pytest.raises(AudioNotFoundError, match=r"Permission denied.*permissions"):
        read(tmp_path / "a.wav")


def test_directory(tmp_path: Path) -> None:
    with pytest.raises(AudioFormatError, match="is a directory; give a file, or the files in it"):
        read(tmp_path)


def test_empty(tmp_path: Path) -> None:
    (tmp_path / "a.wav").touch()
    for source in (tmp_path / "a.wav", b"", io.BytesIO(), Pipe(b"")):
        with pytest.raises(AudioFormatError, match="is empty"):
            read(source)


@pytest.mark.parametrize("name", ["a.wav", "a.mp3", "a.raw", "a"])
@pytest.mark.parametrize(
    "data", [b"x", b"hello world\n" * 50, bytes(500), b"\x89PNG\r\n\x1a\n" * 9]
)
def test_not_audio(tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(AudioFormatError, match=r"not audio in a known format|has no audio track"):
        read(tmp_path / name)


@pytest.mark.parametrize("source", [[0.0], 3, None, io.StringIO("RIFF")])
def test_not_a_source(source: Any) -> None:
    with pytest.raises(AudioFormatError, match="not bytes; give a path"):
        read(source)


# --- lengths and levels


@pytest.mark.parametrize("kind", ["WAV", "AIFF", "W64"])
@pytest.mark.parametrize("count", [0, 1, 1600, 14400])
def test_short(kind: str, count: int, caplog: pytest.LogCaptureFixture) -> None:
    samples = noise(count)
    recording = read(encode(samples, kind=kind, subtype="PCM_24"))
    np.testing.assert_allclose(recording.samples, samples, atol=2**-23)
    assert recording.duration_s == count / RATE
    assert caplog.messages == ([] if count else ["audio: holds no samples"])


@pytest.mark.parametrize("value", [0.0, 1.0, -1.0])
def test_silence_and_clipped_dc(value: float) -> None:
    read_back = read(encode(np.full(RATE, value, "f4"), subtype="FLOAT"))
    assert (read_back.samples == np.float32(value)).all()


@pytest.mark.parametrize(("level", "peak"), [(1.4, 1.4), (32767.0, 1.0), (1e30, 1.0)])
def test_only_wrongly_scaled_floats_are_rescaled(level: float, peak: float) -> None:
    samples = tone(hz=1000, level=level)
    for source, options in (
        (samples, {"sample_rate": RATE}),
        (encode(samples, subtype="FLOAT"), {}),
    ):
        result = read(source, **options).samples
        np.testing.assert_allclose(result, samples / level * peak, atol=1e-6)


def test_overshoot_of_resampling_is_kept() -> None:
    square = np.sign(tone(rate=48000, hz=100) + 1e-9).astype("f4")
    result = read(square, sample_rate=48000).samples
    assert 1.05 < result.max() < audio.LOUDEST
    assert np.median(np.abs(result)) == pytest.approx(1, abs=1e-3)


def test_channels_do_not_overflow_their_sum() -> None:
    result = read(np.full((10, 2), 3e38, "f4"), sample_rate=RATE).samples
    np.testing.assert_array_equal(result, np.ones(10))


def test_too_loud_for_float32() -> None:
    with pytest.raises(AudioContentError, match="too loud"):
        read(np.full(9000, 3.4e38, "f4") * np.sign(noise(9000)), sample_rate=44100)


# --- NaN and infinity


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_non_finite_samples_become_zero(bad: float, caplog: pytest.LogCaptureFixture) -> None:
    samples = noise(1000)
    samples[10:20] = bad
    expected = np.nan_to_num(samples, nan=0, posinf=0, neginf=0)
    for source, options in (
        (samples, {"sample_rate": RATE}),
        (encode(samples, subtype="FLOAT"), {}),
    ):
        caplog.clear()
        np.testing.assert_array_equal(read(source, name="x\n", **options).samples, expected)
        assert caplog.messages == [r"x\n: 10 samples (1 %) are NaN or infinite, taken as 0"]
    assert np.isnan(samples[10]) or np.isinf(samples[10])


def test_one_channel_of_nan() -> None:
    samples = np.stack([tone(), np.full(RATE, np.nan, "f4")], axis=1)
    np.testing.assert_allclose(read(samples, sample_rate=RATE).samples, tone() / 2, atol=1e-7)


def test_float64_beyond_float32_counts_as_infinite(caplog: pytest.LogCaptureFixture) -> None:
    assert read(np.array([0.5, 1e300]), sample_rate=RATE).samples.tolist() == [0.5, 0.0]
    assert "(50 %)" in caplog.text


@pytest.mark.parametrize("rate", [RATE, 8000])
def test_nothing_but_nan(rate: int) -> None:
    with pytest.raises(AudioContentError, match="all its samples are NaN"):
        read(np.full((500, 2), np.nan), sample_rate=rate)


# --- damaged files


@pytest.mark.parametrize("kind", ["FLAC", "WAV", "AIFF", "MP3", "RF64", "W64"])
def test_truncated(kind: str, caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    data = encode(noise(5 * RATE), kind=kind)
    whole = read(data).samples
    assert not caplog.messages
    (tmp_path / "cut").write_bytes(data[: len(data) // 2])
    for source in (data[: len(data) // 2], tmp_path / "cut"):
        caplog.clear()
        kept = read(source, name="cut").samples
        assert 0.45 * len(whole) < len(kept) < 0.51 * len(whole)
        np.testing.assert_allclose(kept[:-2000], whole[: len(kept) - 2000], atol=1e-6)
        assert caplog.messages == [
            f"cut: truncated or damaged; kept the first {len(kept) / RATE:.1f} s"
        ]


@pytest.mark.parametrize("data", [wav(b"", 32000), encode(noise(RATE), kind="FLAC")[:2000]])
def test_nothing_left_of_what_the_header_promised(data: bytes) -> None:
    with pytest.raises(AudioFormatError, match="truncated or damaged, nothing"):
        read(data)


@pytest.mark.parametrize("kind", ["OGG", "FLAC"])
def test_damaged_beginning(kind: str) -> None:
    data = encode(noise(RATE), kind=kind)
    with pytest.raises(AudioFormatError, match=f"looks like (?i:{kind}), but .* intact copy"):
        read(data[:20])


@pytest.mark.parametrize("size", [0xFFFFFFFF, 0x7FFFFFFF, 0x7FFFF000])
@pytest.mark.parametrize("count", [0, RATE])
def test_wav_from_a_pipe_announces_no_true_size(
    size: int, count: int, caplog: pytest.LogCaptureFixture
) -> None:
    samples = np.arange(count, dtype="<i2")
    result = read(wav(samples.tobytes(), size)).samples
    np.testing.assert_array_equal(result, samples / np.float32(32768))
    assert "truncated" not in caplog.text


def test_mp3_longer_than_its_header_says(caplog: pytest.LogCaptureFixture) -> None:
    data = encode(noise(9 * RATE), kind="MP3")
    read(data)
    assert not caplog.messages
    read(data + data)
    assert "goes on after the 9.0 s" in caplog.text


# --- formats, types, rates, channels


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
def test_wav_subtypes(subtype: str) -> None:
    step = {"PCM_U8": 2**-7, "PCM_16": 2**-15}.get(subtype, 2**-23)
    samples = noise(RATE)
    np.testing.assert_allclose(read(encode(samples, subtype=subtype)).samples, samples, atol=step)


@pytest.mark.parametrize(("kind", "subtype"), [("MP3", None), ("OGG", "VORBIS"), ("OGG", "OPUS")])
@pytest.mark.parametrize("rate", [16000, 48000])
def test_lossy_formats(
    kind: str, subtype: str | None, rate: int, caplog: pytest.LogCaptureFixture
) -> None:
    recording = read(encode(tone(3, rate), rate, kind, subtype))
    assert recording.duration_s == pytest.approx(3, abs=0.05)
    middle = recording.samples[RATE : 2 * RATE]
    assert pitch(middle) == 440
    assert middle.std() == pytest.approx(0.5 / 2**0.5, rel=0.05)
    assert not caplog.messages


@pytest.mark.parametrize("dtype", ["i1", "i2", ">i2", "i4", "u1", "u2", "u4"])
def test_integer_arrays(dtype: str) -> None:
    limits = np.iinfo(dtype)
    middle = 0 if limits.min else (limits.max + 1) // 2
    samples = np.array([limits.min, middle, limits.max], dtype)
    result = read(samples, sample_rate=RATE).samples
    np.testing.assert_allclose(result, [-1, 0, 1], atol=1.01 / 2 ** (limits.bits - 1))
    assert result[0] == -1
    assert result[1] == 0
    assert samples[0] == limits.min


@pytest.mark.parametrize("dtype", ["f2", "f8", ">f4"])
def test_float_arrays(dtype: str) -> None:
    samples = noise(100).astype(dtype)
    result = read(samples, sample_rate=RATE).samples
    np.testing.assert_array_equal(result, samples.astype("f4"))


@pytest.mark.parametrize("dtype", ["?", "O", "c8", "U3", "i8", "u8", "M8[s]"])
def test_arrays_of_other_types(dtype: str) -> None:
    with pytest.raises(AudioContentError, match=r"is an array of .*give floats"):
        read(np.zeros(9, dtype), sample_rate=RATE)


@pytest.mark.parametrize("shape", [(), (2, 2), (33, 40), (40, 33), (2, 3, 4)])
def test_arrays_of_no_clear_shape(shape: tuple[int, ...]) -> None:
    with pytest.raises(AudioContentError, match="is an array of shape"):
        read(np.zeros(shape, "f4"), sample_rate=RATE)


@pytest.mark.parametrize("shape", [(0,), (0, 2), (2, 0), (0, 0)])
def test_arrays_without_samples(shape: tuple[int, ...]) -> None:
    assert read(np.zeros(shape), sample_rate=44100).samples.shape == (0,)


@pytest.mark.parametrize("channels", [2, 6, 32])
def test_channels_are_averaged(channels: int) -> None:
    samples = noise(100, channels)
    expected = samples.mean(axis=1)
    for source in (samples, samples.T):
        result = read(source, sample_rate=RATE).samples
        np.testing.assert_allclose(result, expected, atol=1e-7)
    result = read(encode(samples, subtype="FLOAT")).samples
    np.testing.assert_allclose(result, expected, atol=1e-7)


@pytest.mark.parametrize("rate", [1000, 8000, 11025, 22050, 44100, 48000, 96000, 768000])
def test_resampling_keeps_length_pitch_level_and_time(rate: int) -> None:
    samples = tone(1.3, rate, hz=300)
    result = read(samples, sample_rate=rate).samples
    assert abs(len(result) - round(len(samples) * RATE / rate)) <= 1
    assert pitch(result[1600:17600]) == 300
    np.testing.assert_allclose(result[1600:17600], tone(hz=300, seconds=1.3)[1600:17600], atol=2e-3)


@pytest.mark.parametrize("rate", [0, -1, 999, 768001])
def test_rates_that_make_no_sense(rate: int) -> None:
    with pytest.raises(AudioContentError, match=f"rate of {rate} Hz; give audio of 1000 to"):
        read(noise(10), sample_rate=rate)
    if rate > 0:
        with pytest.raises(AudioContentError, match=f"rate of {rate} Hz"):
            read(wav(bytes(200), 200, rate))


def test_sample_rate_is_for_arrays_and_only_for_them() -> None:
    with pytest.raises(ConfigError, match="pass sample_rate="):
        read(noise(10))
    with pytest.raises(ConfigError, match="is for arrays; leave it out"):
        read(encode(noise(10)), sample_rate=RATE)


@pytest.mark.parametrize("kind", ["WAV", "FLAC", "MP3", "OGG", "cut FLAC", "cut MP3", "array"])
@pytest.mark.parametrize(("rate", "channels"), [(RATE, 1), (44100, 2)])
def test_block_size_makes_no_difference(
    kind: str, rate: int, channels: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = noise(rate, channels)
    options = {"sample_rate": rate} if kind == "array" else {}
    source = samples if kind == "array" else encode(samples, rate, kind.removeprefix("cut "))
    source = source[: len(source) // 2] if "cut" in kind else source
    results = []
    for frames in (997, 4096, 1 << 20):
        monkeypatch.setattr(decoding, "BLOCK_FRAMES", frames)
        monkeypatch.setattr(audio, "BLOCK_FRAMES", frames)
        results.append(read(source, **options).samples)
    np.testing.assert_array_equal(results[0], results[2])
    np.testing.assert_array_equal(results[1], results[2])


def test_channels_are_never_whole_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    soundfile.write(path, np.zeros((30 * 48000, 6), "i2"), 48000)
    read(path)  # imports
    tracemalloc.start()
    try:
        recording = read(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    whole = 30 * 48000 * 6 * 4
    assert peak < 2 * recording.samples.nbytes + whole / 4


def test_mp3_after_junk_is_found_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    path = tmp_path / "a.mp3"
    path.write_bytes(bytes(100) + encode(noise(2 * RATE), kind="MP3"))
    assert read(path).duration_s == pytest.approx(2, abs=0.1)


def test_mp3_has_no_seams(monkeypatch: pytest.MonkeyPatch) -> None:
    data = encode(noise(3 * RATE), kind="MP3")
    monkeypatch.setattr(decoding, "BLOCK_FRAMES", 1000)
    whole, _ = soundfile.read(io.BytesIO(data), dtype="float32")
    np.testing.assert_allclose(read(data).samples, whole, atol=1e-6)


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
def test_odd_names(name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
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


def test_sources_of_bytes(tmp_path: Path) -> None:
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


def test_open_files(tmp_path: Path) -> None:
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


def test_named_pipe(tmp_path: Path) -> None:
    samples = noise(RATE)
    path = tmp_path / "fifo"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=[encode(samples, subtype="FLOAT")])
    writer.start()
    np.testing.assert_array_equal(read(path).samples, samples)
    writer.join()


@pytest.mark.parametrize("shape", [(100,), (100, 1), (1, 100)])
def test_ready_arrays_are_neither_copied_nor_changed(shape: tuple[int, ...]) -> None:
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


def test_decoders_load_on_first_use() -> None:
    code = "import hocket.audio, sys; print({'soundfile', 'soxr', 'av'} & set(sys.modules))"
    environment = {**os.environ, "PYTHONPATH": str(Path(audio.__file__).parents[1])}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


# --- what only PyAV reads


@pytest.mark.parametrize(
    ("data", "looks"),
    [
        (b"\0\0\0\x20ftypM4A " + bytes(99), "MP4/M4A"),
        (b"\x1a\x45\xdf\xa3" + bytes(99), "WebM/Matroska"),
        (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11" + bytes(99), "WMA"),
        (b"\xff\xf1\x50\x80" + bytes(99), "AAC"),
    ],
)
def test_install_hint_without_pyav(
    data: bytes, looks: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(AudioFormatError) as caught:
        read(data, name="a.bin")
    assert str(caught.value).startswith(f"a.bin: looks like {looks}, but libsndfile cannot")
    assert "pip install 'hocket[av]'" in caught.value.remedy


def encode_aac(kind: str, samples: Samples) -> bytes:
    av = pytest.importorskip("av")
    file = io.BytesIO()
    with av.open(file, "w", format=kind) as container:
        stream = container.add_stream("aac", rate=44100)
        stream.layout = "stereo"
        frame = av.AudioFrame.from_ndarray(np.stack([samples, samples]), "fltp", "stereo")
        frame.sample_rate = 44100
        container.mux([*stream.encode(frame), *stream.encode(None)])
    return file.getvalue()


@pytest.mark.parametrize("kind", ["ipod", "matroska", "adts"])
def test_pyav_reads_aac(kind: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    data = encode_aac(kind, tone(3, 44100))
    path = tmp_path / os.fsdecode(b"http:\xff.m4a")
    path.write_bytes(data)
    for source in (path, data, Pipe(data)):
        recording = read(source)
        assert recording.duration_s == pytest.approx(3, abs=0.1)
        middle = recording.samples[RATE : 2 * RATE]
        assert pitch(middle) == 440
        assert middle.std() == pytest.approx(0.5 / 2**0.5, rel=0.05)
    assert not caplog.messages


def test_pyav_blocks_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    data = encode_aac("ipod", noise(44100))
    whole = read(data).samples
    monkeypatch.setattr(decoding, "BLOCK_FRAMES", 2000)
    np.testing.assert_array_equal(read(data).samples, whole)


def test_joined_blocks_have_one_channel_count() -> None:
    blocks = [np.ones((3, channels), "f4") for channels in (1, 2, 2)]
    assert [block.shape for block in decoding._joined(blocks)] == [(3, 1), (6, 2)]


def test_pyav_keeps_what_it_can_decode(caplog: pytest.LogCaptureFixture) -> None:
    data = encode_aac("adts", tone(3, 44100))
    kept = read(data[: len(data) // 2])
    assert 1 < kept.duration_s < 2
    assert caplog.messages == [
        f"audio: truncated or damaged; kept the first {kept.duration_s:.1f} s"
    ]
    with pytest.raises(AudioFormatError, match="looks like MP4/M4A, but is truncated or damaged"):
        read(encode_aac("ipod", tone(3, 44100))[:9000])


def test_pyav_follows_no_playlist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("av")
    monkeypatch.chdir(tmp_path)
    Path("secret.wav").write_bytes(encode(noise(RATE)))
    with pytest.raises(AudioFormatError, match="not audio in a known format"):
        read(b"ffconcat version 1.0\nfile secret.wav\n")
