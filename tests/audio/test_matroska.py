"""Sound behind a damaged part of a Matroska file is read, at its time."""

import io

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from hocket.audio import containers
from hocket.audio.matroska import MendedMatroska
from tests.helpers.audio import read
from tests.helpers.containers import CONTAINERS, RATE, lag_s, muxed

Samples = NDArray[np.float32]
CLUSTER = b"\x1f\x43\xb6\x75"
SECONDS = 24
LONG = {"cluster_time_limit": "30000"}
LIVE = {**LONG, "live": "1"}  # lengths of clusters are unknown


@pytest.fixture(scope="module")
def sound() -> Samples:
    """Noise whose every second is different."""
    noise = np.random.default_rng(4).standard_normal(SECONDS * RATE)
    return (0.1 * noise).astype(np.float32)


def mended(content: bytes, piece: int = 32_768) -> bytes:
    file, parts = MendedMatroska(io.BytesIO(content)), []
    while part := file.read(piece):
        parts.append(part)
    return b"".join(parts)


def seconds_right(content: bytes, sound: Samples) -> list[int]:
    """The seconds that are read, within 0.1 s of their time."""
    found = read(content).samples
    right = []
    for second in range(SECONDS):
        part = sound[second * RATE : (second + 1) * RATE]
        there = found[second * RATE : (second + 1) * RATE]
        is_there = np.sqrt(np.mean(there**2)) > 0.02 if len(there) else False
        if is_there and abs(lag_s(found, part, second * RATE)) < 0.1:
            right.append(second)
    return right


@pytest.mark.parametrize("video_s", [0, 25])
@pytest.mark.parametrize("options", [{}, LONG, LIVE, {"cluster_size_limit": "4000"}])
@pytest.mark.parametrize("name", ["mkv", "webm"])
def test_a_whole_file_stays_as_it_is(
    name: str, options: dict[str, str], video_s: float, sound: Samples
) -> None:
    content = muxed([(0, sound[: 4 * RATE])], CONTAINERS[name], video_s=video_s, options=options)
    for piece in (100, 32_768, len(content)):
        assert mended(content, piece) == content


@pytest.mark.parametrize("kind", ["zeros", "noise", "cut", "twice"])
@pytest.mark.parametrize("options", [{}, LONG, LIVE])
@pytest.mark.parametrize("video_s", [0, 25])
def test_only_what_is_damaged_is_lost(
    kind: str, options: dict[str, str], video_s: float, sound: Samples
) -> None:
    whole = muxed([(0, sound)], CONTAINERS["mkv"], video_s=video_s, options=options)
    first, last = len(whole) * 2 // 5, len(whole) * 2 // 5 + len(whole) // 12  # two seconds
    junk = {
        "zeros": bytes(last - first),
        "noise": np.random.default_rng(8).bytes(last - first),
        "cut": b"",
        "twice": whole[first:last] * 2,
    }[kind]
    right = seconds_right(whole[:first] + junk + whole[last:], sound)
    lost = SECONDS - len(right)
    assert lost <= (1 if kind == "twice" else 4)
    assert {*range(7), *range(14, SECONDS - 1)} <= set(right)


def test_a_file_whose_clusters_lost_their_heads(sound: Samples) -> None:
    content = bytearray(muxed([(0, sound)], CONTAINERS["webm"]))
    heads = [at for at in range(len(content)) if content.startswith(CLUSTER, at)]
    for head in heads[1:4:2]:
        content[head : head + 60] = bytes(60)
    assert len(seconds_right(bytes(content), sound)) >= SECONDS - 2


def test_times_of_a_last_cluster_that_cannot_be_known_are_not_guessed(sound: Samples) -> None:
    content = bytearray(muxed([(0, sound)], CONTAINERS["webm"]))
    last = content.rfind(CLUSTER)
    content[last : last + 60] = bytes(60)
    right = seconds_right(bytes(content), sound)
    assert right == list(range(len(right)))
    assert len(right) >= 19
    assert [each.kind for each in read(bytes(content)).notices] == ["truncated"]


def test_reading_elsewhere_changes_nothing(sound: Samples) -> None:
    whole = muxed([(0, sound[: 9 * RATE])], CONTAINERS["webm"], options=LONG)
    middle = len(whole) // 2
    damaged = whole[:middle] + bytes(500) + whole[middle + 500 :]
    expected = mended(damaged)
    assert expected != damaged
    file = MendedMatroska(io.BytesIO(damaged))
    file.seek(-100, io.SEEK_END)
    assert file.read(50) == damaged[-100:-50]
    assert file.tell() == len(damaged) - 50
    file.seek(0)
    assert file.read() == expected
    file.seek(middle - 10)
    assert file.read(300) == expected[middle - 10 : middle + 290]


@pytest.mark.parametrize("seed", range(40))
def test_no_damage_raises(seed: int, sound: Samples) -> None:
    rng = np.random.default_rng(seed)
    whole = muxed([(0, sound[: 6 * RATE])], CONTAINERS["webm"])
    content = np.frombuffer(whole, np.uint8).copy()
    places = rng.integers(0, len(content), 30)
    content[places] = rng.integers(0, 256, 30)
    assert len(mended(content.tobytes())) == len(content)


def test_ffmpeg_alone_loses_the_rest_of_a_cluster(
    sound: Samples, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What mending is for; once ffmpeg does it, matroska.py can go."""
    whole = muxed([(0, sound)], CONTAINERS["webm"], options=LONG)
    middle = len(whole) // 3
    damaged = whole[:middle] + bytes(600) + whole[middle + 600 :]
    with av.open(io.BytesIO(damaged)) as file:
        packets = sum(packet.size > 0 for packet in file.demux(audio=0))
    with av.open(io.BytesIO(whole)) as file:
        assert packets < sum(packet.size > 0 for packet in file.demux(audio=0)) / 2
    assert len(seconds_right(damaged, sound)) >= SECONDS - 2
    monkeypatch.setattr(containers, "is_matroska", lambda file: False)
    assert len(seconds_right(damaged, sound)) < SECONDS / 2
