"""A late copy of everything is removed; sound without one stays as it is, to the bit."""

import numpy as np
import pytest
from numpy.typing import NDArray

from hocket.audio.echo import EchoRemover
from hocket.audio.reading import read_audio
from hocket.notices import Notices
from tests.helpers.audio import noise
from tests.helpers.paths import CLIPS, CONVERSATION
from tests.helpers.shared import samples_of

RATE = 16_000
Samples = NDArray[np.float32]


def with_echo(sound: Samples, delay_s: float, decibels: float) -> Samples:
    delay = delay_s * RATE
    whole, share = int(delay), np.float32(delay % 1)
    late = np.pad(sound, (whole, 1))
    late = (1 - share) * late + share * np.roll(late, 1)
    found: Samples = sound + np.float32(10 ** (decibels / 20)) * late[: len(sound)]
    return found


def cleaned(sound: Samples, block: int = 65_536, *, live: bool = False) -> tuple[Samples, Notices]:
    notices = Notices("x")
    remover = EchoRemover(RATE, notices, live=live)
    parts = (sound[start : start + block] for start in range(0, len(sound), block))
    return np.concatenate(list(remover.blocks(parts))), notices


def decibels_of(part: Samples, whole: Samples) -> float:
    return float(10 * np.log10(np.mean(part**2) / np.mean(whole**2)))


@pytest.mark.parametrize("delay_s", [0.08, 0.25, 0.50003])
@pytest.mark.parametrize("decibels", [-6, -10, -17])
@pytest.mark.parametrize("name", [CONVERSATION, CLIPS / "trn05.flac"])
def test_an_echo_is_removed(delay_s: float, decibels: float, name: object) -> None:
    sound = samples_of(name)  # type: ignore[arg-type]
    found, notices = cleaned(with_echo(sound, delay_s, decibels))
    assert decibels_of(found - sound, sound) < decibels - 8
    (notice,) = notices
    assert notice.kind == "echo"
    assert f"{1000 * delay_s:.0f} ms late" in notice.text


def test_an_echo_in_a_stream_is_removed_after_a_few_seconds() -> None:
    sound = samples_of(CONVERSATION)
    found, _ = cleaned(with_echo(sound, 0.25, -10), 1600, live=True)
    late = slice(6 * RATE, None)
    assert decibels_of(found[late] - sound[late], sound[late]) < -18


@pytest.mark.parametrize("name", ["panel03", "trn00", "trn05"])
@pytest.mark.parametrize("live", [False, True])
def test_sound_without_an_echo_stays_as_it_is(name: str, live: bool) -> None:
    sound = samples_of(CLIPS / f"{name}.flac")
    found, notices = cleaned(sound, live=live)
    np.testing.assert_array_equal(found, sound)
    assert not list(notices)


@pytest.mark.parametrize("samples", [0, 1, 3 * RATE])
def test_noise_and_silence_have_no_echo(samples: int) -> None:
    for sound in (noise(samples), np.zeros(samples, np.float32)):
        assert not read_audio(sound, sample_rate=RATE, target_rate=RATE).notices[1:]


def test_how_sound_is_divided_into_blocks_changes_little() -> None:
    sound = with_echo(samples_of(CONVERSATION), 0.25, -10)
    one, other = (cleaned(sound, block)[0] for block in (10_000, 480_000))
    np.testing.assert_allclose(one[25 * RATE :], other[25 * RATE :], atol=0.02)
