"""Channels are mixed so that no voice cancels, and what they hold is noted."""

import numpy as np
import pytest
from numpy.typing import NDArray

from hocket.audio.reading import Selection
from hocket.errors import ConfigError
from hocket.notices import Notices
from tests.helpers.audio import RATE, noise, read

Samples = NDArray[np.float32]


def speech(seconds: int = 12, seed: int = 0) -> Samples:
    """Noise in syllables, with pauses."""
    rng = np.random.default_rng(seed)
    loud = np.repeat(rng.random(10 * seconds) < 0.6, RATE // 10)
    found: Samples = (0.1 * loud * rng.standard_normal(len(loud))).astype(np.float32)
    return found


def kinds(recording: object) -> list[str]:
    return [notice.kind for notice in recording.notices]  # type: ignore[attr-defined]


@pytest.mark.parametrize("others", [(-1.0,), (-0.9,), (-1.0, 1.0, -1.0)])
@pytest.mark.parametrize("hiss", [0.0, 0.002])
def test_of_channels_that_cancel_one_is_used(others: tuple[float, ...], hiss: float) -> None:
    voice = speech()
    channels = np.stack([voice, *(gain * voice for gain in others)], axis=1)
    channels += hiss * noise(*channels.shape)
    recording = read(channels, sample_rate=RATE)
    assert kinds(recording) == ["cancelling"]
    used = round(float(np.corrcoef(recording.samples, voice)[0, 1]), 2)
    assert abs(used) == 1
    assert np.std(recording.samples) == pytest.approx(np.std(voice), rel=0.15)


@pytest.mark.parametrize(
    "other",
    [speech(), 0.3 * speech(), np.roll(speech(), 40), 0.5 * speech() + 0.5 * speech(seed=1)],
)
def test_channels_that_do_not_cancel_are_mixed(other: Samples) -> None:
    voice = speech()
    recording = read(np.stack([voice, other], axis=1), sample_rate=RATE)
    np.testing.assert_allclose(recording.samples, (voice + other) / 2, atol=1e-6)
    assert kinds(recording) == []


def test_cancelling_that_begins_late_is_noted_where_it_begins() -> None:
    voice = speech(40)
    other = np.where(np.arange(len(voice)) < 20 * RATE, voice, -voice)
    recording = read(np.stack([voice, other], axis=1), sample_rate=RATE)
    [notice] = recording.notices
    assert notice.start == pytest.approx(20, abs=9)
    assert np.std(recording.samples[30 * RATE :]) > 0.05


def test_voices_in_channels_of_their_own_are_noted() -> None:
    one, two = speech(30, seed=1), speech(30, seed=2)
    recording = read(np.stack([one, two], axis=1), sample_rate=RATE)
    assert kinds(recording) == ["channels"]
    assert recording.notices[0].text.startswith("channels 1 and 2 hold different voices")
    assert kinds(read(np.stack([one, 0.9 * one], axis=1), sample_rate=RATE)) == []
    assert kinds(read(np.stack([one, 0 * one], axis=1), sample_rate=RATE)) == []


def test_one_channel_alone() -> None:
    channels = np.stack([speech(seed=1), speech(seed=2), speech(seed=3)], axis=1)
    for number in (1, 2, 3):
        recording = read(channels, sample_rate=RATE, selection=Selection(channel=number))
        np.testing.assert_array_equal(recording.samples, channels[:, number - 1])
        assert kinds(recording) == []
    for number, there in ((0, channels), (4, channels), (2, channels[:, 0])):
        with pytest.raises(ConfigError, match=rf"channels is {number}, but there (are 3|is 1)"):
            read(there, sample_rate=RATE, selection=Selection(channel=number))


def test_notices_are_logged_as_one_line(caplog: pytest.LogCaptureFixture) -> None:
    notices = Notices("a\nb")
    notices.add("damaged", "c\nd", 1.0, 2.0)
    assert caplog.messages == [r"a\nb: c\nd"]
    assert [(str(each), each.start, each.end) for each in notices] == [(r"c\nd", 1.0, 2.0)]
