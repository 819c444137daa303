"""Containers keep time: offsets, gaps and damage move nothing behind them."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.signal import butter, sosfilt

from hocket.audio.reading import Recording, Selection, read_audio
from hocket.errors import ConfigError
from tests.helpers.containers import CONTAINERS, RATE, Container, lag_s, muxed

Samples = NDArray[np.float32]
PRIMING_S = 0.07  # that an encoder adds where a container cannot state it

every = pytest.mark.parametrize("container", CONTAINERS.values(), ids=CONTAINERS)


@pytest.fixture(scope="module")
def sound() -> Samples:
    """Six seconds of noise in the band of speech, which codecs keep."""
    noise = np.random.default_rng(1).standard_normal(6 * RATE)
    band = butter(4, [200, 3_000], "band", fs=RATE, output="sos")
    filtered: Samples = (0.2 * sosfilt(band, noise)).astype(np.float32)
    return filtered


def read(content: bytes, selection: Selection | None = None) -> Recording:
    return read_audio(content, target_rate=RATE, selection=selection or Selection())


def kinds(recording: Recording) -> list[str]:
    return [notice.kind for notice in recording.notices]


@pytest.mark.parametrize("name", [name for name, each in CONTAINERS.items() if each.video])
def test_sound_that_begins_behind_the_picture(name: str, sound: Samples) -> None:
    container, offset = CONTAINERS[name], 5.0
    recording = read(muxed([(offset, sound)], container, video_s=offset + 7))
    assert abs(lag_s(recording.samples, sound, round(offset * RATE))) < PRIMING_S
    assert recording.duration == pytest.approx(offset + 6, abs=0.1)
    assert not recording.samples[: round((offset - 0.1) * RATE)].any()
    assert kinds(recording) == []


@every
def test_a_gap_is_silence_with_a_notice(container: Container, sound: Samples) -> None:
    recording = read(muxed([(0, sound), (26, sound)], container))
    for place in (0, 26):
        assert abs(lag_s(recording.samples, sound, place * RATE)) < PRIMING_S
    assert not recording.samples[7 * RATE : 25 * RATE].any()
    assert kinds(recording) == ["gap"]
    assert recording.notices[0].start == pytest.approx(6, abs=0.1)
    assert recording.notices[0].end == pytest.approx(26, abs=0.1)


@pytest.mark.parametrize("damage", ["zeros", "noise"])
@every
def test_damage_is_silence_and_what_follows_keeps_its_time(
    container: Container, damage: str, sound: Samples
) -> None:
    whole = muxed([(0, np.tile(sound, 3))], container)
    size = 12_000
    first = len(whole) * 2 // 5
    junk = bytes(size) if damage == "zeros" else np.random.default_rng(3).bytes(size)
    recording = read(whole[:first] + junk + whole[first + size :])
    for place in (0, 12):
        assert abs(lag_s(recording.samples, sound, place * RATE)) < PRIMING_S
    assert recording.duration == pytest.approx(18, abs=0.15)
    assert kinds(recording)
    assert set(kinds(recording)) <= {"damaged", "gap"}
    assert 5 < min(notice.start or 0 for notice in recording.notices) < 9


@pytest.mark.parametrize("name", ["ts", "flv", "mkv"])
def test_a_part_that_is_there_twice_is_read_once(name: str, sound: Samples) -> None:
    whole = muxed([(0, np.tile(sound, 4))], CONTAINERS[name])
    first, last = len(whole) * 2 // 5, len(whole) * 3 // 5
    recording = read(whole[:last] + whole[first:])
    for place in (0, 18):
        assert abs(lag_s(recording.samples, sound, place * RATE)) < PRIMING_S
    assert recording.duration == pytest.approx(24, abs=0.2)
    assert "repeated" in kinds(recording)


def test_links_of_a_chain_are_read_one_behind_the_other(sound: Samples) -> None:
    link = muxed([(0, sound)], CONTAINERS["opus"])
    recording = read(link * 3)
    for place in (0, 6, 12):
        assert abs(lag_s(recording.samples, sound, place * RATE)) < PRIMING_S
    assert kinds(recording) == []


def test_links_of_different_rates_and_channels_are_read(sound: Samples) -> None:
    mono = muxed([(0, sound)], CONTAINERS["ts"])
    others = [
        muxed([(0, sound)], Container("mpegts", "aac", rate, None)) for rate in (44_100, 32_000)
    ]
    recording = read(mono + others[0] + others[1])
    assert recording.duration == pytest.approx(18, abs=0.4)
    for place in (6, 12):
        assert abs(lag_s(recording.samples, sound, place * RATE)) < 3 * PRIMING_S


@pytest.mark.parametrize("name", ["mkv", "mp4", "ts", "webm"])
def test_a_track_is_chosen_and_named(name: str, sound: Samples) -> None:
    content = muxed([(0, sound)], CONTAINERS[name], tracks=2)  # the first is silent
    usual = read(content)
    assert kinds(usual) == ["track"]
    assert "of 2 audio tracks, number 1 is used" in usual.notices[0].text
    assert np.abs(usual.samples).max() < 0.01
    second = read(content, Selection(track=2))
    assert kinds(second) == []
    assert abs(lag_s(second.samples, sound, 0)) < PRIMING_S
    with pytest.raises(ConfigError, match="track is 3, but there are 2 tracks; give 1 to 2"):
        read(content, Selection(track=3))


def test_a_file_that_is_cut_ends_with_a_notice(sound: Samples) -> None:
    whole = muxed([(0, np.tile(sound, 4))], CONTAINERS["mkv"])
    recording = read(whole[: len(whole) // 2])
    assert recording.duration == pytest.approx(12, abs=1)
    assert kinds(recording) == ["truncated"]
    assert abs(lag_s(recording.samples, sound, 0)) < PRIMING_S


def test_what_a_format_without_time_stamps_skips_is_noted(sound: Samples) -> None:
    whole = muxed([(0, sound)], Container("adts", "aac", 16_000, None))
    assert kinds(read(whole)) == []
    middle, length = len(whole) // 2, len(whole) // 5
    damaged = whole[:middle] + bytes(length) + whole[middle + length :]
    recording = read(damaged)
    assert kinds(recording) == ["damaged"]
    assert "about 1.2 s cannot be decoded" in recording.notices[0].text


def test_a_fragmented_file_that_cannot_be_followed_to_its_end_is_noted(sound: Samples) -> None:
    fragments = {"movflags": "frag_keyframe+empty_moov", "frag_duration": "1000000"}
    whole = muxed([(0, sound)], CONTAINERS["mp4"], options=fragments)
    assert kinds(read(whole)) == []
    middle = len(whole) // 2
    recording = read(whole[:middle] + whole[middle + 3000 :])
    assert kinds(recording) == ["truncated"]
    assert recording.notices[0].start == pytest.approx(recording.duration, abs=0.1)


def test_a_packet_of_a_track_that_the_beginning_does_not_show_is_skipped(sound: Samples) -> None:
    content = bytearray(muxed([(0, sound)], CONTAINERS["flv"]))
    place = 13  # behind the header of the file
    for _ in range(60):  # a tag has a type, a length of 3 bytes, 7 others, and its length again
        place += 15 + int.from_bytes(content[place + 1 : place + 4])
    assert content[place] == 8  # sound
    content[place] = 9  # picture
    recording = read(bytes(content))
    assert recording.duration == pytest.approx(6, abs=0.1)
    assert abs(lag_s(recording.samples, sound, 0)) < PRIMING_S
