"""What comes through a pipe is recognized by its first bytes, and decoded as files are."""

import io
import struct

import numpy as np
import pytest
from numpy.typing import NDArray

from hocket.audio.reading import read_audio
from hocket.audio.sources import open_file, open_input
from hocket.errors import AudioContentError, AudioFormatError
from hocket.notices import Notices
from tests.helpers.audio import RATE, encode, noise, wav
from tests.helpers.containers import CONTAINERS, muxed

Samples = NDArray[np.float32]
SOUND = noise(5 * RATE)
SHORTS = (SOUND * 2**15).astype("<i2")
MATROSKA = b"\x1a\x45\xdf\xa3"


class Trickle(io.BytesIO):
    """A pipe that gives at most a few hundred bytes at once, and cannot seek."""

    def read1(self, size: int | None = -1) -> bytes:
        return super().read(min(999, 999 if size is None or size < 0 else size))

    def seekable(self) -> bool:
        return False


def piped(
    content: bytes, form: str = "auto", notices: Notices | None = None
) -> tuple[int, Samples]:
    """Rate and samples (frames, channels) of what comes through a pipe."""
    noted = notices or Notices("pipe")
    with open_input(Trickle(content), form, RATE, 1, noted, "pipe") as source:
        blocks = [np.asarray(block) for block in source.blocks]
        return source.rate, np.concatenate(blocks) if blocks else np.zeros((0, 1), np.float32)


@pytest.mark.parametrize(
    "content",
    [
        SHORTS.tobytes(),
        SHORTS.tobytes() + b"x",  # an incomplete sample
        wav(SHORTS.tobytes(), 0xFFFFFFFF),
        wav(SHORTS.tobytes(), 640),
        wav(SHORTS.tobytes(), 0),
        *(encode(SHORTS, RATE, "WAV", each) for each in ("PCM_16", "PCM_24", "PCM_32")),
        encode(SHORTS / np.float32(2**15), RATE, "WAV", "FLOAT"),
        *(encode(SHORTS, RATE, each) for each in ("RF64", "AIFF", "AU", "FLAC")),
    ],
)
def test_samples_come_through_as_they_are(content: bytes) -> None:
    rate, found = piped(content)
    assert rate == RATE
    np.testing.assert_array_equal(found[:, 0], SHORTS / np.float32(2**15))


@pytest.mark.parametrize("subtype", ["PCM_U8", "ULAW", "ALAW", "IMA_ADPCM"])
@pytest.mark.parametrize("channels", [1, 4])
def test_coded_samples_of_several_channels(subtype: str, channels: int) -> None:
    if (subtype, channels) == ("IMA_ADPCM", 4):
        channels = 2
    content = encode(noise(RATE, channels), 8_000, "WAV", subtype)
    expected = read_audio(content, target_rate=8_000).samples
    rate, found = piped(content)
    assert (rate, found.shape[1]) == (8_000, channels)
    length = min(len(found), len(expected))
    assert length > 15_000
    np.testing.assert_allclose(found.mean(axis=1)[:length], expected[:length], atol=1e-3)


@pytest.mark.parametrize("name", ["mkv", "webm", "ts", "opus", "flv"])
def test_containers_come_through_as_files_are_read(name: str) -> None:
    content = muxed([(0, SOUND), (8, SOUND)], CONTAINERS[name])
    expected = read_audio(content, target_rate=CONTAINERS[name].rate)
    notices = Notices("stdin")
    rate, found = piped(content, notices=notices)
    assert rate == CONTAINERS[name].rate
    np.testing.assert_array_equal(found[:, 0], expected.samples)
    assert [each.kind for each in notices] == [each.kind for each in expected.notices] == ["gap"]


@pytest.mark.parametrize("kind", ["MP3", "OGG"])
def test_compressed_sound_comes_through(kind: str) -> None:
    content = encode(SOUND, RATE, kind)
    expected = read_audio(content, target_rate=RATE).samples
    rate, found = piped(content)
    assert rate == RATE
    assert abs(len(found) - len(expected)) < 0.1 * RATE


@pytest.mark.parametrize("first", [b"\xff\xfb", b"\xff\xf1", b"ID", b"G"])
def test_samples_that_begin_like_a_format_by_chance_stay_samples(first: bytes) -> None:
    content = first + SHORTS.tobytes()[len(first) :]
    _, found = piped(content)
    assert len(found) == len(SHORTS)


@pytest.mark.parametrize(
    ("content", "form", "problem"),
    [
        (encode(SHORTS, RATE), "s16le", "looks like WAV, not like s16le; leave the format out"),
        (encode(SHORTS, RATE, "FLAC"), "f32le", "looks like FLAC, not like f32le"),
        (b"OggS" + bytes(9_000), "auto", "looks like Ogg, but is truncated or damaged"),
        (b"no header", "wav", "has no WAV header that is known"),
        (b"no header", "webm", "pipe: does not begin as webm does; give the format that it has"),
        (encode(SHORTS, RATE, "OGG"), "webm", "looks like Ogg, not like webm"),
        (MATROSKA + bytes(9_000), "webm", "looks like WebM/Matroska, but is truncated or damaged"),
    ],
)
def test_what_contradicts_the_format_is_refused(content: bytes, form: str, problem: str) -> None:
    with pytest.raises(AudioFormatError, match=problem):
        piped(content, form)


@pytest.mark.parametrize(("rate", "channels"), [(RATE, 1_000), (4_000_000_000, 1), (12, 1)])
def test_headers_that_state_what_nothing_has_are_refused(rate: int, channels: int) -> None:
    content = bytearray(wav(SHORTS.tobytes(), 0, rate=12))
    content[22:28] = struct.pack("<HI", channels, rate)
    with pytest.raises(AudioContentError, match=f"states {channels} channels at {rate} Hz; give"):
        piped(bytes(content))


def test_nothing_comes_through_an_empty_pipe() -> None:
    assert len(piped(b"")[1]) == 0


def test_sound_is_passed_on_before_the_pipe_ends() -> None:
    class Endless(Trickle):
        def read1(self, size: int | None = -1) -> bytes:
            part = super().read1(size)
            assert part, "waited for more than has come"
            return part

    for content in (wav(SHORTS.tobytes(), 0), muxed([(0, SOUND)], CONTAINERS["webm"])):
        with open_input(Endless(content), "auto", RATE, 1, Notices("stdin")) as source:
            assert len(next(source.blocks))


def test_webm_is_decoded_as_soon_as_its_first_sound_is_there() -> None:
    content = muxed([(0, noise(30 * RATE))], CONTAINERS["webm"])
    pipe = Trickle(content)
    with open_input(pipe, "webm", RATE, 1, Notices("stdin")) as source:
        next(source.blocks)
    assert pipe.tell() / len(content) * 30 < 0.5


def test_a_file_comes_in_long_blocks(tmp_path: object) -> None:
    path = f"{tmp_path}/long.wav"
    with open(path, "wb") as file:
        file.write(encode(noise(25 * RATE)))
    with open_file(path, Notices(path)) as source:
        lengths = [len(block) for block in source.blocks]
    assert sum(lengths) == 25 * RATE
    assert min(lengths[:-1]) >= 10 * RATE
