"""What leaks from one channel into another is found, and nothing else is."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.signal import lfilter

from hocket.audio.bleed import LiveBleed, Survey, bleed_of, floor_of, leaks_of, levels_of, pauses_of
from hocket.audio.excerpts import Excerpt, Span
from hocket.audio.isolation import isolate
from hocket.audio.reading import WHOLE, Source
from tests.helpers.audio import noise

RATE = 8000
PART = RATE // 50

Samples = NDArray[np.float32]


def voices(number: int = 2, seconds: int = 24, seed: int = 0) -> Samples:
    """Noise of varying level that alternates between columns, with a pause before each turn."""
    rng = np.random.default_rng(seed)
    found = np.zeros((seconds * RATE, number), np.float32)
    for turn, start in enumerate(range(0, len(found), 3 * RATE // 2)):
        loud = np.repeat(rng.uniform(0.2, 1, 12), RATE // 10)  # 1.2 s of 1.5
        stop = min(len(found), start + len(loud))
        sound = rng.standard_normal(stop - start) * loud[: stop - start]
        found[start:stop, turn % number] = 0.1 * lfilter([1.0], [1, -0.8], sound)
    return found


def leaking(own: Samples, decibels: float, delay_s: float, floor: float = 1e-4) -> Samples:
    """Channels with a voice each, into which all others leak."""
    others = own.sum(axis=1, keepdims=True) - own
    late = np.roll(others, round(delay_s * RATE), axis=0)
    leak = 10 ** (decibels / 20) * lfilter([0.6, 0.3, 0.1], [1.0], late, axis=0)
    mixed: Samples = (own + leak + floor * noise(*own.shape)).astype(np.float32)
    return mixed


def found_in(channels: Samples, block: int = 5000) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Bleed and pauses, (parts, channels)."""
    survey = Survey(RATE)
    for start in range(0, len(channels), block):
        survey.observe(channels[start : start + block])
    levels = levels_of(survey.powers())
    floor = floor_of(levels)
    bleed = bleed_of(levels, floor, leaks_of(levels, floor, survey.delays()))
    return bleed, pauses_of(levels, floor, bleed)


def spoken(own: Samples) -> NDArray[np.bool_]:
    """Parts with a voice, (parts, channels)."""
    parts = own[: len(own) // PART * PART].reshape(-1, PART, own.shape[1])
    return np.asarray((parts**2).mean(axis=1) > 1e-7)


@pytest.mark.parametrize("decibels", [-12, -20, -30])
@pytest.mark.parametrize("delay_s", [0.0, 0.004, 0.15])
def test_what_leaks_is_bleed_and_a_voice_is_not(decibels: float, delay_s: float) -> None:
    own = voices()
    bleed, _ = found_in(leaking(own, decibels, delay_s))
    voice = spoken(own)
    other = voice[:, ::-1] & ~voice
    assert bleed[other].mean() > 0.9
    assert bleed[voice].mean() < 0.04


@pytest.mark.parametrize("gains", [(1.0, 0.1), (1.0, 0.03), (0.01, 1.0)])
def test_a_far_end_that_is_quiet_leaks_and_speaks_as_one_that_is_not(
    gains: tuple[float, float],
) -> None:
    own = voices()
    bleed, pauses = found_in(leaking(own, -25, 0.004, 1e-5) * np.float32(gains))
    voice = spoken(own)
    assert bleed[voice[:, ::-1] & ~voice].mean() > 0.9
    assert pauses[voice].mean() < 0.05


def test_who_only_listens_has_nothing_but_bleed() -> None:
    own = np.pad(voices(), ((0, 0), (0, 1)))
    bleed, _ = found_in(leaking(own, -20, 0.004))
    voice = spoken(own)
    assert bleed[voice.any(axis=1), 2].mean() > 0.95
    assert bleed[:, :2][voice[:, :2]].mean() < 0.04


def test_of_two_channels_that_are_the_same_one_is_bleed() -> None:
    voice = voices().sum(axis=1, keepdims=True)
    bleed, _ = found_in(np.repeat(voice, 2, axis=1) + 1e-5 * noise(len(voice), 1))
    assert bleed[spoken(voice)[:, 0]].mean(axis=0).tolist() == pytest.approx([0, 1], abs=0.05)


@pytest.mark.parametrize("overlap", [False, True])
def test_without_a_leak_nothing_is_bleed(overlap: bool) -> None:
    one, other = voices(seed=1), voices(seed=2)
    own = np.stack([one.sum(1), other.sum(1)], 1) if overlap else one  # an interpreter, or a call
    bleed, pauses = found_in(own.astype(np.float32) + 1e-4 * noise(*own.shape))
    assert not bleed.any()
    assert pauses[spoken(own)].mean() < 0.04


def test_pauses_are_where_a_channel_is_at_its_floor() -> None:
    own = voices()
    _, pauses = found_in(own + 1e-3 * noise(*own.shape))
    assert pauses[~spoken(own)].mean() > 0.85  # levels are means, also over ends of speech
    assert pauses[spoken(own)].mean() < 0.04


def test_where_speech_is_little_louder_than_noise_no_pause_is_known() -> None:
    own = voices()
    _, pauses = found_in(own + 0.3 * noise(*own.shape))
    assert not pauses.any()


@given(
    st.lists(st.integers(1, 9000), min_size=1, max_size=12),
    st.integers(1, 4),
    st.sampled_from([1000, 8000, 11025]),
)
def test_how_samples_are_divided_into_blocks_changes_nothing(
    sizes: list[int], channels: int, rate: int
) -> None:
    sound = noise(sum(sizes), channels)
    whole, divided = Survey(rate), Survey(rate)
    whole.observe(sound)
    for stop, size in zip(np.cumsum(sizes).tolist(), sizes, strict=True):
        divided.observe(sound[stop - size : stop])
    np.testing.assert_array_equal(whole.powers(), divided.powers())
    np.testing.assert_array_equal(whole.delays(), divided.delays())


@pytest.mark.parametrize("samples", [1, 100, 4000])
def test_any_length_is_surveyed(samples: int) -> None:
    bleed, pauses = found_in(noise(samples, 3))
    assert bleed.shape == pauses.shape
    assert not bleed.any()


def test_channels_that_a_later_part_lacks_are_silent_there() -> None:
    survey = Survey(RATE)
    survey.observe(noise(RATE, 2))
    survey.observe(noise(RATE, 1))
    survey.observe(noise(RATE, 3))
    loud = survey.powers() > 0
    assert loud[:, 0].all()
    assert loud[:50, 1].all()
    assert not loud[50:100, 1].any()


def test_a_channel_is_silent_where_it_is_bleed() -> None:
    own = voices()
    found = isolate(Source(leaking(own, -20, 0.004), RATE, 16_000, "call"), WHOLE)
    assert [channel.selection.channel for channel in found.channels] == [1, 2]
    assert [notice.kind for notice in found.notices] == ["bleed", "bleed"]
    for channel, voice in zip(found.channels, spoken(own).T, strict=True):
        excerpt = channel.selection.excerpt
        assert excerpt is not None
        (kept,) = excerpt.blocks([np.ones((len(own), 1), np.float32)], RATE)
        heard = kept[: len(voice) * PART, 0].reshape(-1, PART).mean(axis=1)
        assert heard[voice].mean() > 0.95
        silent = np.zeros(len(voice), bool)
        for start, end in channel.pauses:
            silent[round(start * 50) : round(end * 50)] = True
        assert silent[voice].mean() < 0.03


@pytest.mark.parametrize(
    ("excerpt", "spans", "regions"),
    [
        (Excerpt(), [(1.0, 2.0)], ((0.0, 1.0), (2.0, np.inf))),
        (Excerpt(0.5, 3.0), [(0.0, 1.0), (2.0, 4.0)], ((1.0, 2.0),)),
        (Excerpt(1.0, 9.0, ((1.0, 2.0), (4.0, 9.0))), [(1.5, 5.0)], ((1.0, 1.5), (5.0, 9.0))),
        (Excerpt(1.0, 2.0), [(0.0, 9.0)], ((1.0, 1.0),)),
    ],
)
def test_an_excerpt_without_spans(
    excerpt: Excerpt, spans: list[Span], regions: tuple[Span, ...]
) -> None:
    assert excerpt.without(spans).regions == regions


@pytest.mark.parametrize("size", [800, 805, 80])
def test_bleed_of_a_stream_is_silenced_after_a_few_seconds(size: int) -> None:
    own = voices()
    live, sound = LiveBleed(RATE), leaking(own, -20, 0.004)
    kept = np.concatenate([live.without(sound[at : at + size]) for at in range(0, len(own), size)])
    assert kept.shape == sound.shape
    assert live.leaking() == [1, 2]
    late = slice(6 * 50, None)
    voice = spoken(own)[late]
    audible = (kept[: len(own) // PART * PART].reshape(-1, PART, 2) != 0).mean(axis=1)[late]
    assert audible[voice].mean() > 0.9
    assert audible[voice[:, ::-1] & ~voice].mean() < 0.15


def test_without_a_leak_a_stream_is_as_it_was_after_a_few_seconds() -> None:
    live, sound = LiveBleed(RATE), (voices() + 1e-4 * noise(24 * RATE, 2)).astype(np.float32)
    kept = np.concatenate([live.without(sound[at : at + 800]) for at in range(0, len(sound), 800)])
    late = slice(8 * RATE, None)
    np.testing.assert_array_equal(kept[late], sound[late])
    voice = spoken(voices())
    audible = (kept.reshape(-1, PART, 2) != 0).mean(axis=1)
    assert audible[voice].mean() > 0.98
