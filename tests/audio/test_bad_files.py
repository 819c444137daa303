"""Missing, damaged and non-audio files raise one error, or give what can be decoded."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hocket.audio import opening
from hocket.errors import AudioFormatError, AudioNotFoundError
from tests.helpers.audio import RATE, Pipe, encode, noise, read, wav

# --- missing files and files that are not audio


@pytest.mark.parametrize("name", ["no such.wav", "a\0b.wav", "-", "x" * 5000])
def test_a_missing_file_is_named(name: str) -> None:
    with pytest.raises(AudioNotFoundError, match=r"cannot be opened.*check the path") as caught:
        read(name)
    assert caught.value.source == name
    assert "\0" not in str(caught.value)


def test_a_file_without_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(opening, "open", refuse, raising=False)
    with pytest.raises(AudioNotFoundError, match=r"Permission denied.*permissions"):
        read(tmp_path / "a.wav")


def test_a_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AudioFormatError, match="is a directory; give a file, or the files in it"):
        read(tmp_path)


def test_an_empty_source_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.wav").touch()
    for source in (tmp_path / "a.wav", b"", io.BytesIO(), Pipe(b"")):
        with pytest.raises(AudioFormatError, match="is empty"):
            read(source)


@pytest.mark.parametrize("name", ["a.wav", "a.mp3", "a.raw", "a"])
@pytest.mark.parametrize(
    "data", [b"x", b"hello world\n" * 50, bytes(500), b"\x89PNG\r\n\x1a\n" * 9]
)
def test_non_audio_content_is_refused(tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(AudioFormatError, match=r"not audio in a known format|has no audio track"):
        read(tmp_path / name)


@pytest.mark.parametrize("source", [[0.0], 3, None, io.StringIO("RIFF")])
def test_an_object_that_is_no_source_is_refused(source: Any) -> None:
    with pytest.raises(AudioFormatError, match="not bytes; give a path"):
        read(source)


# --- damaged files


@pytest.mark.parametrize("kind", ["FLAC", "WAV", "AIFF", "MP3", "RF64", "W64"])
def test_a_truncated_file_gives_its_decodable_part_and_a_warning(
    kind: str, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    data = encode(noise(5 * RATE), kind=kind)
    whole = read(data).samples
    assert not caplog.messages
    (tmp_path / "cut").write_bytes(data[: len(data) // 2])
    for source in (data[: len(data) // 2], tmp_path / "cut"):
        caplog.clear()
        kept = read(source, name="cut").samples
        assert 0.45 * len(whole) < len(kept) < 0.51 * len(whole)
        np.testing.assert_allclose(kept[:-2000], whole[: len(kept) - 2000], atol=1e-6)
        (message,) = caplog.messages
        assert f"{len(kept) / RATE:.1f} " in message
        assert ("5.1 s" if kind == "MP3" else "5.0 s") in message  # the encoder pads


@pytest.mark.parametrize("data", [wav(b"", 32000), encode(noise(RATE), kind="FLAC")[:2000]])
def test_a_file_without_any_decodable_sample_is_refused(data: bytes) -> None:
    with pytest.raises(AudioFormatError, match="truncated or damaged, nothing"):
        read(data)


@pytest.mark.parametrize("kind", ["OGG", "FLAC"])
def test_a_damaged_header_is_refused_with_the_format_s_name(kind: str) -> None:
    data = encode(noise(RATE), kind=kind)
    with pytest.raises(AudioFormatError, match=f"looks like (?i:{kind}), but .* intact copy"):
        read(data[:20])


@pytest.mark.parametrize("size", [0xFFFFFFFF, 0x7FFFFFFF, 0x7FFFF000])
@pytest.mark.parametrize("count", [0, RATE])
def test_a_wav_without_its_true_size_is_read_to_the_end(
    size: int, count: int, caplog: pytest.LogCaptureFixture
) -> None:
    samples = np.arange(count, dtype="<i2")
    result = read(wav(samples.tobytes(), size)).samples
    np.testing.assert_array_equal(result, samples / np.float32(32768))
    assert "truncated" not in caplog.text


def test_joined_mp3s_are_read_whole(caplog: pytest.LogCaptureFixture) -> None:
    data = encode(noise(9 * RATE), kind="MP3")
    assert 17.5 < read(data + data).duration < 18.5
    assert not caplog.messages
