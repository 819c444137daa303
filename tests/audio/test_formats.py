"""Formats that libsndfile or PyAV decodes are read; without PyAV the error says what to install."""

import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from hocket.audio import containers, sndfile
from hocket.audio import reading as audio
from hocket.errors import AudioFormatError
from tests.helpers.audio import RATE, Pipe, Samples, encode, noise, pitch, read, tone

# --- formats that libsndfile decodes


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
    assert recording.duration == pytest.approx(3, abs=0.05)
    middle = recording.samples[RATE : 2 * RATE]
    assert pitch(middle) == 440
    assert middle.std() == pytest.approx(0.5 / 2**0.5, rel=0.05)
    assert not caplog.messages


def test_an_mp3_after_junk_is_recognized_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    path = tmp_path / "a.mp3"
    path.write_bytes(bytes(100) + encode(noise(2 * RATE), kind="MP3"))
    assert read(path).duration == pytest.approx(2, abs=0.1)


def test_an_mp3_read_in_blocks_has_no_seams(monkeypatch: pytest.MonkeyPatch) -> None:
    data = encode(noise(3 * RATE), kind="MP3")
    monkeypatch.setattr(sndfile, "BLOCK_FRAMES", 1000)
    monkeypatch.setitem(sys.modules, "av", None)
    whole, _ = soundfile.read(io.BytesIO(data), dtype="float32")
    np.testing.assert_allclose(read(data).samples, whole, atol=1e-6)


def test_decoders_are_imported_on_first_use() -> None:
    code = "import hocket.audio.reading, sys; print({'soundfile', 'soxr', 'av'} & set(sys.modules))"
    environment = {**os.environ, "PYTHONPATH": str(Path(audio.__file__).parents[1])}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


# --- formats that only PyAV decodes


@pytest.mark.parametrize(
    ("data", "looks"),
    [
        (b"\0\0\0\x20ftypM4A " + bytes(99), "MP4/M4A"),
        (b"\x1a\x45\xdf\xa3" + bytes(99), "WebM/Matroska"),
        (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11" + bytes(99), "WMA"),
        (b"\xff\xf1\x50\x80" + bytes(99), "AAC"),
    ],
)
def test_without_pyav_the_error_says_what_to_install(
    data: bytes, looks: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(AudioFormatError) as caught:
        read(data, name="a.bin")
    assert str(caught.value).startswith(f"a.bin: looks like {looks}, but libsndfile cannot")
    assert "pip install av" in caught.value.remedy


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
        assert recording.duration == pytest.approx(3, abs=0.1)
        middle = recording.samples[RATE : 2 * RATE]
        assert pitch(middle) == 440
        assert middle.std() == pytest.approx(0.5 / 2**0.5, rel=0.05)
    assert not caplog.messages


def test_block_size_changes_nothing_with_pyav(monkeypatch: pytest.MonkeyPatch) -> None:
    data = encode_aac("ipod", noise(44100))
    whole = read(data).samples
    monkeypatch.setattr(containers, "BLOCK_FRAMES", 2000)
    np.testing.assert_array_equal(read(data).samples, whole)


def test_joined_blocks_have_one_number_of_channels() -> None:
    blocks = [np.ones((3, channels), "f4") for channels in (1, 2, 2)]
    assert [block.shape for block in containers._joined(blocks)] == [(3, 1), (6, 2)]


def test_pyav_gives_the_decodable_part_of_a_truncated_file(
    caplog: pytest.LogCaptureFixture,
) -> None:
    data = encode_aac("adts", tone(3, 44100))
    kept = read(data[: len(data) // 2])
    assert 1 < kept.duration < 2
    assert not caplog.messages  # ADTS states no length
    with pytest.raises(AudioFormatError, match="looks like MP4/M4A, but is truncated or damaged"):
        read(encode_aac("ipod", tone(3, 44100))[:9000])


def test_pyav_follows_no_playlist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("av")
    monkeypatch.chdir(tmp_path)
    Path("secret.wav").write_bytes(encode(noise(RATE)))
    with pytest.raises(AudioFormatError, match="not audio in a known format"):
        read(b"ffconcat version 1.0\nfile secret.wav\n")
