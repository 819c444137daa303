"""`bench simulate`: bands, noise and delay of channels."""

from pathlib import Path

import av
import numpy as np
import pytest
from scipy.signal import correlate

from bench.errors import BenchError
from bench.people.mixing import Conversation
from bench.simulation import channels
from bench.simulation.bands import in_telephone_band
from bench.simulation.channels import CHANNELS, carried, uneven_levels
from bench.simulation.codecs import AMR, aligned, lag, through_codec, through_file
from bench.simulation.making import simulate
from bench.simulation.music import music
from bench.simulation.voices import VoicePool
from bench.tests.speech import RATE, rms, speaking, speech, write_speakers

Calls = dict[str, Conversation]


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> Calls:
    """One call over every channel."""
    folder = tmp_path_factory.mktemp("voices")
    voices = VoicePool.of(write_speakers(folder, {name: [9.0] for name in "ab"}))
    return {
        name: simulate("call-any", name, 1, 0, voices, levels_db=None if name == "uneven" else [0])
        for name in CHANNELS
    }


def share_in(sound: np.ndarray, low: float, high: float) -> float:
    """Share of the energy of a sound in a band, Hz."""
    spectrum = np.abs(np.fft.rfft(sound)) ** 2
    per_hz = len(sound) / RATE
    return float(spectrum[round(low * per_hz) : round(high * per_hz)].sum() / spectrum.sum())


def alone(call: Conversation, name: str) -> np.ndarray:
    """Where a speaker speaks alone, (samples,)."""
    mine = [turn for turn in call.turns if turn.speaker == name]
    others = [turn for turn in call.turns if turn.speaker != name]
    return speaking(mine, len(call.sound)) & ~speaking(others, len(call.sound))


def silent(call: Conversation) -> np.ndarray:
    return ~speaking(call.turns, len(call.sound))


@pytest.mark.parametrize("channel", CHANNELS)
def test_a_channel_moves_nothing(calls: Calls, channel: str) -> None:
    given, found = calls["full"].sound, calls[channel].sound
    assert found.dtype == np.float32
    assert found.shape == given.shape
    assert np.isfinite(found).all()
    assert np.abs(found).max() <= 1
    products = correlate(found, in_telephone_band(given), mode="same")
    middle = len(products) // 2
    assert abs(int(np.argmax(products)) - middle) <= RATE // 1000
    # nor in a part: the first and last turns are where they were
    for part in (slice(0, 4 * RATE), slice(len(given) - 4 * RATE, len(given))):
        products = correlate(found[part], in_telephone_band(given)[part], mode="same")
        assert abs(int(np.argmax(products)) - len(products) // 2) <= RATE // 1000


def test_telephones_pass_nothing_above_4_khz(calls: Calls) -> None:
    assert share_in(calls["full"].sound, 4200, 8000) > 0.005
    for channel in ("telephone", "gsm", "amr"):
        assert share_in(calls[channel].sound, 4200, 8000) < 1e-5, channel


def test_a_telephone_passes_little_below_its_band(calls: Calls) -> None:
    assert share_in(calls["telephone"].sound, 0, 200) < 0.1 * share_in(calls["full"].sound, 0, 200)
    assert share_in(calls["telephone"].sound, 300, 3400) > 0.98


def test_a_codec_changes_the_sound_but_keeps_the_words(calls: Calls) -> None:
    given = in_telephone_band(calls["full"].sound)
    for channel in ("telephone", "gsm", "amr", "opus8", "opus16", "mp3-32"):
        found = in_telephone_band(calls[channel].sound)
        assert 0.5 < np.corrcoef(given, found)[0, 1] < 0.9999, channel


def test_fewer_bits_keep_less(calls: Calls) -> None:
    given = calls["full"].sound[: 8 * RATE]
    likeness = [
        np.corrcoef(given, through_codec(given, AMR, bit_rate))[0, 1] for bit_rate in (4750, 12200)
    ]
    assert likeness[0] < likeness[1] - 0.01


def test_both_laws_of_g711_compand() -> None:
    sound = in_telephone_band(speech(2.0, 3))
    found = {law: through_file(sound, law) for law in ("ULAW", "ALAW")}
    for each in found.values():
        assert 0 < rms(each - sound) < 0.03 * rms(sound)
    assert np.any(found["ULAW"] != found["ALAW"])


def test_a_room_has_noise(calls: Calls) -> None:
    call = calls["room"]
    quiet, spoken = rms(call.sound[silent(call)]), rms(call.sound[~silent(call)])
    assert 6 < 20 * np.log10(spoken / quiet) < 29


def test_an_echo_decays_after_the_speech(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channels, "noisy", lambda sound, _: sound)
    said = np.pad(speech(1.0, 2), (0, RATE))
    sound = carried(CHANNELS["room"], {"a": said}, np.random.default_rng(1))
    levels = [rms(sound[round(at * RATE) :][: RATE // 20]) for at in (1.0, 1.15, 1.55)]
    assert levels[0] > 2 * levels[1] > 100 * levels[2]


def test_noise_lies_10_db_below_speech(calls: Calls) -> None:
    call = calls["noisy"]
    noise, spoken = rms(call.sound[silent(call)]), rms(call.sound[~silent(call)])
    speech_level = np.sqrt(spoken**2 - noise**2)
    assert 20 * np.log10(speech_level / noise) == pytest.approx(10, abs=1)


def test_noise_does_not_depend_on_how_much_is_silent() -> None:
    sound = np.pad(speech(2.0, 4), (0, 18 * RATE))
    found = carried(CHANNELS["noisy"], {"a": sound}, np.random.default_rng(1))
    level = rms(speech(2.0, 4)) / rms(found[4 * RATE :])
    assert 20 * np.log10(level) == pytest.approx(10, abs=1)


def test_music_lies_10_to_20_db_below_speech(calls: Calls) -> None:
    call = calls["music"]
    bed, spoken = rms(call.sound[silent(call)]), rms(call.sound[~silent(call)])
    assert 8 < 20 * np.log10(spoken / bed) < 23
    assert rms(call.sound[silent(call)]) > 3 * rms(calls["full"].sound[silent(call)])


def test_music_has_notes_and_a_beat() -> None:
    bed = music(20 * RATE, np.random.default_rng(3))
    assert bed.shape == (20 * RATE,)
    spectrum = np.sort(np.abs(np.fft.rfft(bed)) ** 2)[::-1]
    assert spectrum[: len(spectrum) // 50].sum() > 0.7 * spectrum.sum()  # lines, not noise
    for seed in range(2):
        bed = music(20 * RATE, np.random.default_rng(seed))
        levels = np.sqrt(np.mean(np.square(bed.reshape(-1, 160)), axis=1))
        levels -= levels.mean()
        alike = np.correlate(levels, levels, "full")[len(levels) - 1 :]
        assert 46 <= 20 + int(alike[20:80].argmax()) <= 75  # 80 to 130 beats a minute


def test_clipping_clips(calls: Calls) -> None:
    loudest = np.abs(calls["clipped"].sound)
    assert np.mean(loudest > 0.999 * loudest.max()) > 0.01
    assert np.mean(np.abs(calls["full"].sound) > 0.999 * np.abs(calls["full"].sound).max()) < 1e-3


def test_uneven_parties_are_30_db_apart(calls: Calls) -> None:
    call = calls["uneven"]
    levels = [20 * np.log10(rms(call.sound[alone(call, name)])) for name in "ab"]
    assert abs(levels[0] - levels[1]) == pytest.approx(30, abs=3)
    assert sorted(uneven_levels(4, np.random.default_rng(1))) == pytest.approx([-30, -20, -10, 0])


def test_in_a_conference_some_are_on_the_telephone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channels, "noisy", lambda sound, _: sound)
    said = [speech(2.0, seed) for seed in range(3)]
    tracks = {
        str(place): np.pad(part, (4 * RATE * place, 4 * RATE * (2 - place)))
        for place, part in enumerate(said)
    }
    called = set()
    for seed in range(6):
        sound = carried(CHANNELS["mixed"], tracks, np.random.default_rng(seed))
        high = [share_in(sound[4 * RATE * k :][: 3 * RATE], 4200, 8000) for k in range(3)]
        assert all(share < 1e-5 or share > 0.005 for share in high)
        called.add(sum(share < 1e-5 for share in high))
    assert called == {1, 2}


def test_a_delay_is_measured_and_removed() -> None:
    sound = speech(3.0, 9)
    for late in (-700, 0, 24, 900):
        moved = np.pad(sound, (late, 0)) if late >= 0 else sound[-late:]
        assert lag(moved, sound) == late
        found = aligned(moved, sound)
        assert found.shape == sound.shape
        np.testing.assert_array_equal(found[1000:-1000], sound[1000:-1000])
    assert lag(np.zeros(100, np.float32), sound) == 0


def test_codecs_are_late_without_alignment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without alignment, `a channel moves nothing` would not hold."""
    monkeypatch.setattr("bench.simulation.codecs.aligned", lambda found, given: found)
    sound = speech(3.0, 9)
    assert lag(through_codec(sound, AMR, 12200), sound) == pytest.approx(80, abs=4)


def test_an_encoder_that_is_missing_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    absent = AMR._replace(encoder="no_such_encoder")
    with pytest.raises(BenchError, match="no_such_encoder: not an encoder of this PyAV"):
        through_codec(speech(1.0, 1), absent, 12200)
    assert av.codec.Codec("libopencore_amrnb", "w").name == "libopencore_amrnb"
