"""Sizes in headers are hints: samples are read to the end where nothing else can follow."""

import io
import struct
from collections.abc import Callable

import numpy as np
import pytest
import soundfile

from hocket.audio.headers import goes_on, raw_blocks, read_header
from tests.helpers.audio import RATE, Samples, encode, noise, read, wav

KINDS = [
    *(("WAV", each) for each in ("PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE")),
    *(("WAV", each) for each in ("ULAW", "ALAW")),
    *(("WAVEX", "PCM_24"), ("RF64", "PCM_16")),
    *(("AIFF", each) for each in ("PCM_S8", "PCM_16", "PCM_24", "PCM_32", "FLOAT")),
    *(("AU", each) for each in ("PCM_S8", "PCM_16", "PCM_24", "FLOAT", "DOUBLE", "ULAW", "ALAW")),
    *(("CAF", each) for each in ("PCM_S8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE")),
    *(("CAF", each) for each in ("ULAW", "ALAW")),
]


@pytest.mark.parametrize("channels", [1, 4])
@pytest.mark.parametrize(("kind", "subtype"), KINDS)
def test_samples_are_those_that_libsndfile_decodes(kind: str, subtype: str, channels: int) -> None:
    content = encode(noise(5_000, channels), RATE, kind, subtype)
    expected, _ = soundfile.read(io.BytesIO(content), dtype="float32", always_2d=True)
    file = io.BytesIO(content)
    header = read_header(file.read)
    assert header is not None
    assert not goes_on(file, header)
    file.seek(header.start)
    found = np.concatenate(list(raw_blocks(file.read, header, 999)))
    assert (header.rate, header.channels) == (RATE, channels)
    np.testing.assert_array_equal(found[:5_000], expected)
    assert len(found) <= 5_001  # a pad byte


def with_size(content: bytes, size: int) -> bytes:
    """A file with another size of its samples."""
    forms = {b"RIFF": (b"data", 4, "<I"), b"FORM": (b"SSND", 4, ">I"), b"caff": (b"data", 4, ">Q")}
    forms[b"RF64"] = (b"ds64", 16, "<Q")
    if content[:4] in forms:
        name, behind, form = forms[content[:4]]
        place = content.find(name) + behind
        return content[:place] + struct.pack(form, size) + content[place + struct.calcsize(form) :]
    return content[:8] + struct.pack(">I", size) + content[12:]


@pytest.mark.parametrize("size", [0, 8, 640, 32_008])
@pytest.mark.parametrize("kind", ["WAV", "AIFF", "AU", "CAF", "RF64"])
def test_a_size_that_is_too_small_ends_nothing(kind: str, size: int) -> None:
    content = encode(noise(5 * RATE), kind=kind)
    expected = read(content).samples
    recording = read(with_size(content, size))
    np.testing.assert_array_equal(recording.samples, expected)
    [notice] = recording.notices
    assert notice.kind == "header"
    assert "5.0 s are there; all were read" in notice.text


def test_a_size_that_is_too_large_is_noted() -> None:
    recording = read(with_size(encode(noise(5 * RATE), kind="CAF"), 20 * RATE + 4))
    assert len(recording.samples) == 5 * RATE
    [notice] = recording.notices
    assert (notice.kind, notice.start, notice.end) == ("truncated", 5.0, 10.0)


@pytest.mark.parametrize("kind", ["CAF", "RF64"])
def test_a_size_that_its_writer_did_not_know_is_no_fault(kind: str) -> None:
    recording = read(with_size(encode(noise(5 * RATE), kind=kind), 2**64 - 1))
    assert len(recording.samples) == 5 * RATE
    assert recording.notices == ()


@pytest.mark.parametrize("kind", ["WAV", "AIFF", "CAF", "FLAC"])
def test_recordings_one_behind_the_other_are_all_read(kind: str) -> None:
    sounds = [noise(seconds * RATE) for seconds in (5, 3, 4)]
    recording = read(b"".join(encode(sound, kind=kind) for sound in sounds))
    expected = np.concatenate([read(encode(sound, kind=kind)).samples for sound in sounds])
    np.testing.assert_array_equal(recording.samples, expected)
    assert recording.notices == ()


def test_a_size_that_wrapped_at_4_gib_is_read_on() -> None:
    content = encode(noise(5 * RATE))
    wrapped = with_size(content, (2**32 + 2_000) % 2**32)
    assert len(read(wrapped).samples) == 5 * RATE


def chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content + bytes(len(content) % 2)


@pytest.mark.parametrize(
    "behind",
    [
        chunk(b"LIST", bytes(5_000)),
        chunk(b"id3 ", b"x" * 3_001) + chunk(b"cue ", bytes(900)),
        b"TAG" + bytes(125),
        bytes(1_000),
    ],
)
def test_what_is_not_sound_behind_the_samples_is_not_read(behind: bytes) -> None:
    content = encode(noise(RATE))
    recording = read(content + behind)
    assert len(recording.samples) == RATE
    assert recording.notices == ()


@pytest.mark.parametrize("size", [0, 640, 0x7FFFFFFF, 0xFFFFFFFF])
def test_a_header_from_a_pipe_is_read_without_seeking(size: int) -> None:
    samples = (noise(RATE) * 2**15).astype("<i2")
    file = io.BytesIO(wav(samples.tobytes(), size))
    header = read_header(file.read)
    assert header is not None
    found = np.concatenate(list(raw_blocks(file.read, header)))
    np.testing.assert_array_equal(found[:, 0], samples / np.float32(2**15))


def bad(change: Callable[[bytearray], None]) -> bytes:
    content = bytearray(encode(noise(100)))
    change(content)
    return bytes(content)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"RIFF",
        encode(noise(100))[:30],
        bad(lambda c: c.__setitem__(slice(8, 12), b"WAVX")),
        bad(lambda c: c.__setitem__(slice(20, 22), b"\x55\x55")),  # an unknown format
        bad(lambda c: c.__setitem__(slice(22, 24), bytes(2))),  # no channel
        bad(lambda c: c.__setitem__(slice(12, 16), b"LIST")),  # no format before the samples
        bad(lambda c: c.__setitem__(slice(16, 20), b"\xff" * 4)),  # a format of 4 GiB
        b"FORM" + bytes(50),
        b".snd" + bytes(50),
        encode(noise(100), kind="WAV", subtype="IMA_ADPCM"),
    ],
)
def test_what_is_no_header_of_plain_samples_gives_none(content: bytes) -> None:
    assert read_header(io.BytesIO(content).read) is None


@pytest.mark.parametrize("pieces", [7, 4_096])
def test_how_a_pipe_is_divided_changes_nothing(pieces: int) -> None:
    content = encode(noise(RATE, 2), subtype="PCM_24")
    whole = io.BytesIO(content)

    def some(size: int) -> bytes:
        return whole.read(min(size, pieces))

    header = read_header(some)
    assert header is not None
    blocks: list[Samples] = list(raw_blocks(some, header, 1_000))
    expected, _ = soundfile.read(io.BytesIO(content), dtype="float32")
    np.testing.assert_array_equal(np.concatenate(blocks), expected)
